//! A toy application behind the real GraphQL transport: a log of ticks in memory, sessions in a
//! map. What the transport promises is tested with it, apart from schema and database.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering},
    },
};

use async_graphql::{Context, Object, Request, Response, Schema, SimpleObject, Subscription};
use axum::http::header;
use futures_util::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use kontor::{
    auth::{Caller, Origin, Role, caller::Via},
    base::{
        Error, Limits, Result,
        ids::{SessionId, UserId, WorkspaceId},
    },
    graphql::{
        Arrival, Gateway, Timings, Transport,
        cost::Costs,
        fanout::{Position, StreamPosition},
    },
};
use tokio::sync::{Notify, watch};

/// The application's state; clones share it.
#[derive(Clone)]
pub struct Toy {
    inner: Arc<Inner>,
}

struct Inner {
    limits: Limits,
    schema: Schema<Query, Mutation, Feed>,
    costs: Costs,
    state: Arc<State>,
    callers: Mutex<HashMap<String, Arc<Caller>>>,
    epoch: AtomicU64,
    workspace: WorkspaceId,
}

#[derive(Default)]
pub struct State {
    ticks: Mutex<Vec<Tick>>,
    grown: watch::Sender<usize>,
    /// How often a tick was rendered.
    pub rendered: AtomicUsize,
    /// How often a subscription was executed.
    pub executed: AtomicUsize,
    /// Subscriptions whose stream is alive.
    pub alive: Arc<AtomicUsize>,
    counter: AtomicI32,
    /// Lets the query `wait` answer.
    pub go: Notify,
}

#[derive(Debug, Clone)]
pub struct Tick {
    number: i64,
    topic: String,
    text: String,
}

impl Toy {
    pub fn new(limits: Limits) -> Self {
        let state = Arc::new(State::default());
        let schema =
            Schema::build(Query, Mutation, Feed).limit_depth(limits.graphql_depth).data(Arc::clone(&state)).finish();
        let (callers, epoch) = (Mutex::default(), AtomicU64::new(0));
        let costs = Costs::of_schema(&schema.sdl());
        let inner = Inner { limits, schema, costs, state, callers, epoch, workspace: WorkspaceId::new() };
        let toy = Self { inner: Arc::new(inner) };
        for name in ["alice", "bob"] {
            toy.sign_in(name, Role::Manager);
        }
        toy
    }

    pub fn state(&self) -> &State {
        &self.inner.state
    }

    /// Appends to the log; the number of the new tick, from 1 up.
    pub fn tick(&self, topic: &str, text: impl Into<String>) -> i64 {
        self.state().tick(topic, text.into())
    }

    /// Lets `Bearer <name>` and the cookie `session=<name>` be this person.
    pub fn sign_in(&self, name: &str, role: Role) {
        let workspace = self.inner.workspace;
        let caller = Caller::new(workspace, UserId::new(), role, Origin::Session(SessionId::new()), Via::Graphql);
        self.callers().insert(name.to_owned(), Arc::new(caller));
    }

    /// Gives a signed-in person another role.
    pub fn change_role(&self, name: &str, role: Role) {
        let mut callers = self.callers();
        let caller = callers.get_mut(name).expect("signed in");
        Arc::make_mut(caller).role = role;
        self.inner.epoch.fetch_add(1, Ordering::SeqCst);
    }

    pub fn sign_out(&self, name: &str) {
        self.callers().remove(name);
        self.inner.epoch.fetch_add(1, Ordering::SeqCst);
    }

    fn callers(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Caller>>> {
        self.inner.callers.lock().expect("nobody panicked")
    }
}

impl State {
    fn tick(&self, topic: &str, text: String) -> i64 {
        let mut ticks = self.ticks.lock().expect("nobody panicked");
        let number = ticks.len() as i64 + 1;
        ticks.push(Tick { number, topic: topic.to_owned(), text });
        self.grown.send_replace(ticks.len());
        number
    }
}

impl Gateway for Toy {
    async fn resolve(&self, arrival: &Arrival) -> Result<Option<Arc<Caller>>> {
        let text = |name| arrival.headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(authorization) = text(header::AUTHORIZATION) {
            let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
            let caller = self.callers().get(token).cloned();
            return caller.map(Some).ok_or_else(|| Error::Unauthenticated("This token is not valid".into()));
        }
        let session = text(header::COOKIE).and_then(|cookie| cookie.strip_prefix("session="));
        Ok(session.and_then(|session| self.callers().get(session).cloned()))
    }

    fn rights_epoch(&self) -> u64 {
        self.inner.epoch.load(Ordering::SeqCst)
    }

    fn is_stale(&self, _: &Caller, epoch: u64) -> bool {
        self.rights_epoch() > epoch
    }

    async fn refresh(&self, caller: &Caller) -> Result<Option<Arc<Caller>>> {
        Ok(self.callers().values().find(|known| known.user == caller.user).cloned())
    }

    async fn execute(&self, caller: Option<Arc<Caller>>, request: Request) -> Response {
        self.inner.schema.execute(request.data(caller)).await
    }

    fn subscribe(&self, caller: Option<Arc<Caller>>, request: Request) -> BoxStream<'static, Response> {
        self.inner.schema.execute_stream(request.data(caller))
    }

    fn is_shared(&self, field: &str) -> bool {
        matches!(field, "ticks" | "explodes")
    }

    fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    fn costs(&self) -> &Costs {
        &self.inner.costs
    }
}

/// Starts a server with the toy behind it.
pub async fn serve(limits: Limits, timings: Timings) -> (Toy, Transport<Toy>, SocketAddr) {
    let toy = Toy::new(limits);
    let transport = Transport::with_timings(toy.clone(), timings);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let app = kontor::graphql::router(transport.clone()).layer(axum::middleware::from_fn(kontor::http::body::layer));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (toy, transport, address)
}

pub fn cursor(number: i64) -> String {
    kontor::base::page::encode(&(number, 0))
}

fn state<'a>(ctx: &'a Context<'_>) -> &'a Arc<State> {
    ctx.data_unchecked()
}

fn role(ctx: &Context<'_>) -> Option<Role> {
    ctx.data_unchecked::<Option<Arc<Caller>>>().as_ref().map(|caller| caller.role)
}

struct Query;

#[Object]
impl Query {
    async fn hello(&self, #[graphql(default_with = "\"world\".to_owned()")] name: String) -> String {
        format!("hello {name}")
    }

    /// The caller's role.
    async fn role(&self, ctx: &Context<'_>) -> Option<String> {
        role(ctx).map(|role| role.to_string())
    }

    /// Fails in one of the ways an operation can.
    async fn fail(&self, how: String) -> Result<Option<bool>, async_graphql::Error> {
        Err(match how.as_str() {
            "input" => Error::invalid("name", "is too long"),
            "internal" => Error::internal("the secret of the house"),
            _ => Error::NotFound("Contact"),
        })?
    }

    /// Fails and takes the whole answer with it.
    async fn fail_all(&self) -> Result<bool, async_graphql::Error> {
        Err(Error::NotFound("Contact"))?
    }

    /// Answers when it is told to.
    async fn wait(&self, ctx: &Context<'_>) -> bool {
        state(ctx).go.notified().await;
        true
    }

    async fn again(&self) -> Query {
        Query
    }
}

struct Mutation;

#[Object]
impl Mutation {
    /// Adds to a counter, and answers with the sum and a cookie.
    async fn add(&self, ctx: &Context<'_>, #[graphql(default = 1)] number: i32) -> i32 {
        ctx.append_http_header(header::SET_COOKIE, format!("added={number}"));
        state(ctx).counter.fetch_add(number, Ordering::SeqCst) + number
    }

    async fn tick(&self, ctx: &Context<'_>, topic: String, text: String) -> i32 {
        state(ctx).tick(&topic, text) as i32
    }
}

#[derive(SimpleObject)]
struct Score {
    number: i32,
}

#[Object]
impl Tick {
    async fn cursor(&self) -> String {
        cursor(self.number)
    }

    async fn number(&self, ctx: &Context<'_>) -> i64 {
        state(ctx).rendered.fetch_add(1, Ordering::SeqCst);
        self.number
    }

    async fn text(&self) -> &str {
        &self.text
    }

    /// The role of whoever it is shown to.
    async fn role(&self, ctx: &Context<'_>) -> Option<String> {
        role(ctx).map(|role| role.to_string())
    }

    /// Fails for ticks of which the text says so.
    async fn whole(&self) -> Result<bool, async_graphql::Error> {
        if self.text == "broken" { Err(Error::NotFound("Contact"))? } else { Ok(true) }
    }
}

/// Counts the streams that are alive.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(state: &State) -> Self {
        state.executed.fetch_add(1, Ordering::SeqCst);
        state.alive.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&state.alive))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Feed;

#[Subscription]
impl Feed {
    /// Ticks of a topic, from the log: those after the cursor and then what comes.
    async fn ticks(
        &self,
        ctx: &Context<'_>,
        topic: String,
        after: Option<String>,
    ) -> Result<impl Stream<Item = Tick>, async_graphql::Error> {
        let state = Arc::clone(state(ctx));
        let position = Arc::clone(ctx.data_unchecked::<Arc<StreamPosition>>());
        let start = match after {
            None => state.ticks.lock().expect("nobody panicked").len() as i64,
            Some(cursor) => kontor::base::page::decode::<(i64, u32)>("after", &cursor)?.0,
        };
        if start < 0 {
            Err(Error::Expired("This cursor is older than the log".into()))?;
        }
        position.passed(Position { event: start, index: 0 });
        Ok(follow(state, position, topic, start))
    }

    /// Counts without end, always ready.
    async fn busy(&self, ctx: &Context<'_>) -> impl Stream<Item = i32> {
        let alive = Alive::new(state(ctx));
        stream::iter(0..).map(move |number| (number, &alive).0)
    }

    async fn few(&self, count: i32) -> impl Stream<Item = Score> {
        stream::iter(1..=count).map(|number| Score { number })
    }

    /// Has a defect.
    async fn explodes(&self) -> impl Stream<Item = i32> {
        stream::poll_fn(|_| panic!("a defect of the toy"))
    }

    /// Refuses to start.
    async fn refused(&self) -> Result<impl Stream<Item = i32>, async_graphql::Error> {
        Err::<stream::Empty<i32>, _>(Error::Forbidden("Not for you".into()).into())
    }
}

fn follow(
    state: Arc<State>,
    position: Arc<StreamPosition>,
    topic: String,
    start: i64,
) -> impl Stream<Item = Tick> + use<> {
    let (alive, grown) = (Alive::new(&state), state.grown.subscribe());
    stream::unfold((state, grown, start, alive), move |(state, mut grown, mut seen, alive)| {
        let (position, topic) = (Arc::clone(&position), topic.clone());
        async move {
            loop {
                grown.mark_unchanged();
                let found = {
                    let ticks = state.ticks.lock().expect("nobody panicked");
                    let start = usize::try_from(seen).expect("not negative").min(ticks.len());
                    let found = ticks[start..].iter().find(|tick| tick.topic == topic).cloned();
                    seen = found.as_ref().map_or(seen.max(ticks.len() as i64), |tick| tick.number);
                    found
                };
                if let Some(tick) = found {
                    position.at(Position { event: tick.number, index: 0 });
                    return Some((tick, (state, grown, seen, alive)));
                }
                position.passed(Position { event: seen, index: 0 });
                grown.changed().await.ok()?;
            }
        }
    })
}
