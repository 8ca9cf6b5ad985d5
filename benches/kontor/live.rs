//! What is live: from a commit to all who follow it, the memory and processor time that they
//! cost, beside a bare handler that sends the same to every websocket.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::{net::TcpStream, sync::mpsc, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue, protocol::WebSocketConfig},
};

use crate::{
    Result, Scale,
    load::{Connection, post},
    report::{Report, Spread, thousands},
    server::Server,
};

pub type Socket = WebSocketStream<TcpStream>;

/// Marks the events of this bench, so that those of others are not taken for its own.
const MARK: &str = "live ";

/// A server whose changes can be followed.
struct Side<'a> {
    name: &'static str,
    server: &'a Server,
    is_floor: bool,
}

pub async fn measure(report: &mut Report, scale: Scale, server: &Server, floor: &Server) -> Result<()> {
    let ours = Side { name: "Kontor", server, is_floor: false };
    let bare = Side { name: "floor", server: floor, is_floor: true };
    // first, for what the others leave free would be taken by these sockets unnoticed
    idle(report, scale, server).await?;
    report.table(
        "Live: a contact is created, its subscribers are told",
        &["", "subscribers", "sending the mutation to having the event", "missed", "twice", "server CPU per delivery"],
    );
    for (subscribers, events, pause) in [(100, 100, 200), (1_000, 100, 200), (scale.sockets, 25, 1_000)] {
        for side in [&bare, &ours] {
            let row = side.follow(subscribers, events, Duration::from_millis(pause)).await?;
            report.row(row);
        }
    }
    report.table(
        "Bursts: contacts created one straight after the other",
        &["", "subscribers", "deliveries/s", "server CPU per delivery"],
    );
    for side in [&bare, &ours] {
        let row = side.burst(1_000, 200).await?;
        report.row(row);
    }
    Ok(())
}

impl Side<'_> {
    /// Events at a steady pace.
    async fn follow(&self, subscribers: usize, events: u64, pause: Duration) -> Result<Vec<String>> {
        let mut audience = Audience::gather(self, subscribers).await?;
        let mut asking = Connection::open(&self.server.address).await?;
        let spent = self.server.process.processor_time()?;
        let mut clock = tokio::time::interval(pause);
        for _ in 0..events {
            clock.tick().await;
            let request = self.creation(audience.begin_event());
            asking.ask(&request).await?;
        }
        let heard = audience.hear(events * subscribers as u64).await?;
        let spent = self.server.process.processor_time()? - spent;
        let per_delivery = spent / u32::try_from(heard.ages.len())?.max(1);
        Ok(vec![
            self.name.to_owned(),
            thousands(subscribers as f64),
            Spread::of(heard.ages).to_string(),
            heard.missed.to_string(),
            heard.twice.to_string(),
            format!("{:.1} µs (the mutations included)", per_delivery.as_secs_f64() * 1e6),
        ])
    }

    /// As fast as 8 writers can.
    async fn burst(&self, subscribers: usize, events: u64) -> Result<Vec<String>> {
        let mut audience = Audience::gather(self, subscribers).await?;
        let spent = self.server.process.processor_time()?;
        let began = Instant::now();
        let requests: Vec<_> = (0..events).map(|_| self.creation(audience.begin_event())).collect();
        let writers = requests.chunks(requests.len() / 8).map(|requests| async move {
            let mut connection = Connection::open(&self.server.address).await?;
            for request in requests {
                connection.ask(request).await?;
            }
            Ok::<_, crate::Failure>(())
        });
        futures_util::future::try_join_all(writers).await?;
        let heard = audience.hear(events * subscribers as u64).await?;
        let took = began.elapsed();
        let spent = self.server.process.processor_time()? - spent;
        let count = heard.ages.len();
        Ok(vec![
            self.name.to_owned(),
            thousands(subscribers as f64),
            format!(
                "{} ({} missed, {} twice)",
                thousands(count as f64 / took.as_secs_f64()),
                heard.missed,
                heard.twice
            ),
            format!("{:.1} µs (the mutations included)", (spent / u32::try_from(count)?.max(1)).as_secs_f64() * 1e6),
        ])
    }

    fn creation(&self, number: u64) -> Vec<u8> {
        let (last_name, email) = (format!("{MARK}{number}"), format!("{}@example.com", uuid::Uuid::now_v7().simple()));
        if self.is_floor {
            let body = json!({ "first_name": "Ada", "last_name": last_name, "email": email });
            return post("/contacts", "", &body.to_string());
        }
        let query =
            "mutation New($contact: ContactInput!) { createContact(input: { contact: $contact }) { contact { id } } }";
        let contact = json!({ "firstName": "Ada", "lastName": last_name, "email": email });
        post(
            "/graphql",
            &self.server.token,
            &json!({ "query": query, "variables": { "contact": contact } }).to_string(),
        )
    }

    async fn open(&self) -> Result<Socket> {
        open(self.server, self.is_floor).await
    }
}

/// A socket that is signed in, where it is not the floor's.
pub async fn open(server: &Server, is_floor: bool) -> Result<Socket> {
    let path = if is_floor { "live" } else { "graphql" };
    let mut request = format!("ws://{}/{path}", server.address).into_client_request()?;
    let config = WebSocketConfig::default().read_buffer_size(2048).write_buffer_size(0);
    if !is_floor {
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
    }
    let stream = TcpStream::connect(&server.address).await?;
    let (mut socket, _) = client_async_with_config(request, stream, Some(config)).await?;
    if !is_floor {
        let authorization = format!("Bearer {}", server.token);
        let init = json!({ "type": "connection_init", "payload": { "authorization": authorization } });
        socket.send(Message::text(init.to_string())).await?;
        socket.next().await.ok_or("closed")??;
    }
    Ok(socket)
}

/// Many open sockets, some at a time.
async fn open_all(side: &Side<'_>, count: usize) -> Result<Vec<Socket>> {
    let opened = futures_util::stream::iter(0..count).map(|_| side.open()).buffer_unordered(64).collect::<Vec<_>>();
    opened.await.into_iter().collect()
}

/// What one subscriber noticed.
struct Noticed {
    subscriber: usize,
    number: u64,
    at: Instant,
}

/// Subscribers, and the events that they are waiting for.
struct Audience {
    noticed: mpsc::UnboundedReceiver<Noticed>,
    began: Vec<(u64, Instant)>,
    listeners: Vec<tokio::task::JoinHandle<Result<()>>>,
}

struct Heard {
    ages: Vec<Duration>,
    missed: u64,
    twice: u64,
}

static NEXT_EVENT: AtomicU64 = AtomicU64::new(0);

impl Audience {
    async fn gather(side: &Side<'_>, subscribers: usize) -> Result<Self> {
        let (notice, noticed) = mpsc::unbounded_channel();
        let (joined, mut joining) = mpsc::unbounded_channel();
        let mut listeners = Vec::with_capacity(subscribers);
        for (subscriber, socket) in open_all(side, subscribers).await?.into_iter().enumerate() {
            listeners.push(tokio::spawn(listen(socket, subscriber, side.is_floor, notice.clone(), joined.clone())));
        }
        for _ in 0..subscribers {
            timeout(Duration::from_secs(60), joining.recv()).await?.ok_or("nobody joins")?;
        }
        Ok(Self { noticed, began: Vec::new(), listeners })
    }

    fn begin_event(&mut self) -> u64 {
        let number = NEXT_EVENT.fetch_add(1, Ordering::Relaxed);
        self.began.push((number, Instant::now()));
        number
    }

    /// Waits until all is heard, or nothing comes for some seconds, and a little longer for what
    /// should not come.
    async fn hear(&mut self, expected: u64) -> Result<Heard> {
        let began: HashMap<u64, Instant> = self.began.drain(..).collect();
        let mut heard: HashSet<(usize, u64)> = HashSet::new();
        let (mut ages, mut twice) = (Vec::new(), 0);
        loop {
            let patience = if heard.len() as u64 >= expected { 1 } else { 15 };
            let Ok(Some(noticed)) = timeout(Duration::from_secs(patience), self.noticed.recv()).await else { break };
            let Some(began) = began.get(&noticed.number) else { continue };
            if heard.insert((noticed.subscriber, noticed.number)) {
                ages.push(noticed.at - *began);
            } else {
                twice += 1;
            }
        }
        Ok(Heard { missed: expected - heard.len() as u64, ages, twice })
    }
}

impl Drop for Audience {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}

async fn listen(
    mut socket: Socket,
    subscriber: usize,
    is_floor: bool,
    notice: mpsc::UnboundedSender<Noticed>,
    joined: mpsc::UnboundedSender<()>,
) -> Result<()> {
    if is_floor {
        joined.send(())?;
    } else {
        let query =
            "subscription { recordChanged(kind: CONTACT) { cursor action record { ... on Contact { id lastName } } } }";
        let subscribe = json!({ "id": "1", "type": "subscribe", "payload": { "query": query } });
        socket.send(Message::text(subscribe.to_string())).await?;
        // what is answered behind it tells that it has been taken
        let ask = json!({ "id": "2", "type": "subscribe", "payload": { "query": "{ __typename }" } });
        socket.send(Message::text(ask.to_string())).await?;
    }
    while let Some(message) = socket.next().await {
        let message = message?;
        let at = Instant::now();
        let Message::Text(text) = message else { continue };
        if let Some((_, rest)) = text.split_once(MARK) {
            let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
            notice.send(Noticed { subscriber, number: number.parse()?, at })?;
        } else if text.contains("\"complete\"") {
            joined.send(())?;
        }
    }
    Ok(())
}

/// What a socket costs that does nothing, and one that waits for events that do not come.
async fn idle(report: &mut Report, scale: Scale, server: &Server) -> Result<()> {
    let side = Side { name: "Kontor", server, is_floor: false };
    // the first few make what every server has once: threads, caches
    let warm = open_all(&side, 50).await?;
    let before = server.process.memory()?;
    let sockets = open_all(&side, scale.sockets).await?;
    let idle = server.process.memory()?.saturating_sub(before) / scale.sockets as u64;
    report.line(format!(
        "\nMemory of an idle, signed-in socket: {:.1} KiB each, by {} of them.",
        idle as f64 / 1024.0,
        thousands(scale.sockets as f64)
    ));
    drop((warm, sockets));
    Ok(())
}
