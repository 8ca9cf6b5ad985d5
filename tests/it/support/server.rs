//! The real server on a port of its own over a database of its own: both faces, the event log, the
//! worker. And the people who speak to it.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use kontor::{
    auth::{
        Config as AuthConfig, Resolver, Role,
        password::Password,
        session::{SessionKind, Started},
    },
    base::{
        Clock,
        ids::{UserId, WorkspaceId},
    },
    config::Config,
    ctx::Ctx,
    db::Db,
    events::{Cursor, Events},
    files::{Files, Signer, Store},
    mail::Mailer,
    outbound::Outbound,
    server::{Server, forget_rights_on_events},
    team::{access, registration, users},
    worker::Worker,
};
use reqwest::StatusCode;
use serde_json::json;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use super::client::{Answer, Client, Me, with_query};
use super::{
    database::{TestDatabase, config, database},
    eventually,
    folder::Folder,
    sql,
};

/// What everybody has.
pub const PASSWORD: &str = "correct horse battery";

/// A running server; it ends with its test.
pub struct TestServer {
    pub database: TestDatabase,
    pub ctx: Ctx,
    /// The clock of everything in this server.
    pub clock: Clock,
    pub events: Events,
    pub url: String,
    /// Its files and the mails that it would send.
    pub folder: Folder,
    /// The workspace that its people are in, once there is one.
    first: Mutex<Option<Client>>,
    _worker: Option<Worker>,
    config: Config,
    stop: CancellationToken,
    _stop: DropGuard,
}

impl TestServer {
    /// With open registration, so that a test can have several workspaces.
    pub async fn start() -> Self {
        Self::start_with(|ctx| ctx.auth.open_registration = true).await
    }

    /// With handles that are changed before anything starts.
    pub async fn start_with(change: impl FnOnce(&mut Ctx)) -> Self {
        Self::start_over(database().await, change).await
    }

    /// Without a worker: jobs wait until the test starts one.
    pub async fn start_idle() -> Self {
        Self::start_idle_with(|_| ()).await
    }

    /// The same, with handles that are changed before anything starts.
    pub async fn start_idle_with(change: impl FnOnce(&mut Ctx)) -> Self {
        let change = |ctx: &mut Ctx| {
            ctx.auth.open_registration = true;
            change(ctx);
        };
        Self::idle(database().await, change).await
    }

    /// Another node on the same database, with the same clock.
    pub async fn second_node(&self) -> Self {
        let url = self.database.url.clone();
        let db = Db::open(&config(&url)).expect("the same database");
        Self::start_over(TestDatabase { url, db }, |ctx| ctx.clock = self.clock.clone()).await
    }

    /// A node on a database that there is.
    pub async fn start_over(database: TestDatabase, change: impl FnOnce(&mut Ctx)) -> Self {
        let mut server = Self::idle(database, change).await;
        server._worker = Some(Worker::start(&server.config, &server.ctx, &server.events, &server.stop));
        server
    }

    async fn idle(database: TestDatabase, change: impl FnOnce(&mut Ctx)) -> Self {
        let folder = Folder::new();
        let mut config =
            Config { data_dir: folder.path().to_owned(), auth: AuthConfig::default(), ..Config::default() };
        config.limits.requests_per_minute = 0;
        // so that a test can come from any address
        config.trusted_proxies = 1;
        let (db, clock) = (database.db.clone(), Clock::default());
        let store = Store::open(&config.files, &config.data_dir).expect("the store opens");
        let mut ctx = Ctx {
            files: Files::new(db.clone(), store, Signer::new(b"secret"), clock.clone(), &config.limits),
            mail: Mailer::new(&config.mail, &config.data_dir, clock.clone()).expect("the default works"),
            outbound: Outbound::new(&config.outbound).expect("the default works"),
            resolver: Resolver::new(db.clone(), clock.clone(), config.auth.clone()),
            db,
            clock: clock.clone(),
            limits: Arc::new(config.limits.clone()),
            auth: config.auth.clone(),
            public_url: "http://kontor.test".into(),
        };
        change(&mut ctx);
        config.limits = (*ctx.limits).clone();
        let stop = CancellationToken::new();
        let events = Events::start(&ctx.db, &ctx.clock, stop.clone());
        forget_rights_on_events(&ctx, &events);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let server = Server::new(&config, ctx.clone(), events.clone()).expect("the server is put together");
        tokio::spawn(server.run(listener, stop.clone()));
        let first = Mutex::default();
        let _stop = stop.clone().drop_guard();
        Self { database, ctx, clock, events, url, folder, first, _worker: None, config, stop, _stop }
    }

    /// Somebody who is not signed in.
    pub fn stranger(&self) -> Client {
        Client::new(&self.url, &self.ctx)
    }

    /// Whoever this token proves.
    pub fn client(&self, token: &str) -> Client {
        let mut client = self.stranger();
        client.token = Some(token.to_owned());
        client
    }

    /// The admin of the first workspace, who registers it.
    pub async fn admin(&self) -> Client {
        let known = self.first.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(admin) = known {
            return admin;
        }
        let admin = self.found_workspace("ada@first.test", "First").await;
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = Some(admin.clone());
        admin
    }

    /// The admin of a workspace of their own.
    pub async fn other_workspace(&self) -> Client {
        self.found_workspace(&format!("{}@other.test", uuid::Uuid::now_v7().simple()), "Other").await
    }

    /// Makes a person a member of another's workspace, too; for support.
    pub async fn join(&self, person: &Client, other: &Client) {
        let join = format!(
            "INSERT INTO members (workspace_id, user_id, role, created_at) VALUES ('{}', '{}', 'support', now())",
            other.workspace(),
            person.user()
        );
        sql::run(&self.database.db, &join).await;
    }

    async fn found_workspace(&self, email: &str, name: &str) -> Client {
        let registration = registration::Registration {
            email: email.to_owned(),
            password: Password::new(PASSWORD),
            full_name: format!("Ada of {name}"),
            workspace_name: Some(name.to_owned()),
            set_up_key: None,
        };
        let mut ctx = self.ctx.clone();
        ctx.auth.open_registration = true;
        let from = access::Client { local: true, ..access::Client::default() };
        let made = registration::register(&ctx, registration, &from, SessionKind::Tokens).await.expect("registered");
        let me = Me { user: made.user, workspace: made.workspace, role: made.role };
        self.stranger().signed_in(me, made.started.access.text)
    }

    /// The admin of a workspace of their own, by the REST face.
    pub async fn sign_up(&self, email: &str) -> Client {
        let body = json!({ "email": email, "password": PASSWORD, "full_name": "Ada Admin" });
        let answer = self.stranger().post("/auth/register", body).await.expect(StatusCode::CREATED);
        self.client(answer["data"]["token"].as_str().expect("a token"))
    }

    /// A new user of the admin's workspace, signed in; by the REST face.
    pub async fn colleague(&self, admin: &Client, role: &str) -> Client {
        let email = format!("{}@colleagues.test", uuid::Uuid::now_v7().simple());
        let body = json!({ "email": email, "password": PASSWORD, "full_name": "Cora Colleague", "role": role });
        admin.post("/users", body).await.expect(StatusCode::CREATED);
        self.sign_in(&email, PASSWORD).await
    }

    pub async fn sign_in(&self, email: &str, password: &str) -> Client {
        let answer = self.stranger().post("/auth/login", json!({ "email": email, "password": password })).await;
        self.client(answer.expect(StatusCode::OK)["data"]["token"].as_str().expect("a token"))
    }

    /// A cursor behind everything that has happened so far.
    pub async fn cursor(&self) -> String {
        self.events_logged().await;
        let last = "SELECT coalesce(max(position), 0) AS value FROM events";
        Cursor::after(sql::number(&self.database.db, last).await).encode()
    }

    /// Waits until every emitted event stands in the log.
    pub async fn events_logged(&self) {
        let waiting = "SELECT count(*) AS value FROM outbox";
        eventually("the outbox is empty", async || sql::number(&self.database.db, waiting).await == 0).await;
    }

    /// Waits until no job is queued or running.
    pub async fn jobs_done(&self) {
        let open = "SELECT count(*) AS value FROM jobs WHERE state IN ('queued', 'running')";
        eventually("all jobs are done", async || sql::number(&self.database.db, open).await == 0).await;
    }

    /// Moves the clock.
    pub fn advance(&self, by: TimeDelta) {
        self.clock.advance(by);
    }

    /// The mails that went to this address, as plain text, the oldest first; waits for one more
    /// than `seen`.
    pub async fn mails(&self, to: &str, seen: usize) -> Vec<String> {
        let folder = self.folder.path().join("mail");
        eventually("a mail arrives", async || read_mails(&folder, to).len() > seen).await;
        read_mails(&folder, to)
    }
}

/// How many mails to this address there are now.
fn read_mails(folder: &std::path::Path, to: &str) -> Vec<String> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of mails")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
        .collect();
    // the names are the ids of their jobs, which are in the order of their making
    files.sort();
    let texts = files.iter().map(|path| std::fs::read_to_string(path).expect("a mail is text"));
    texts.filter(|text| text.contains(to)).map(|text| decoded(&text)).collect()
}

/// Quoted-printable, undone.
fn decoded(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = (*first == b'=').then(|| after.get(..2)).flatten();
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// The secret of the link in a mail; `name` is what the link opens. It stands behind the `#`, which
/// no server is sent.
pub fn link_in(mail: &str, name: &str) -> String {
    let begin = mail.find(&format!("/#{name}=")).unwrap_or_else(|| panic!("no {name} link in {mail}")) + name.len() + 3;
    mail[begin..].chars().take_while(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)).collect()
}

/// A new user of this workspace.
pub async fn make_user(ctx: &Ctx, admin: &kontor::auth::Caller, role: Role) -> UserId {
    let new = users::NewUser {
        email: format!("{role}.{}@first.test", uuid::Uuid::now_v7().simple()),
        full_name: format!("Cora the {role}"),
        password: Password::new(PASSWORD),
        role,
        phone: None,
        department: None,
    };
    users::create(ctx, admin, new).await.expect("a user").id
}

/// Starts a session without asking for the password, which takes its time.
pub async fn start_session(ctx: &Ctx, workspace: WorkspaceId, user: UserId, kind: SessionKind) -> Started {
    let mut tx = ctx.db.system_in(workspace).await.expect("a transaction");
    let from = access::Client::default();
    let started = access::start_session(ctx, &mut tx, workspace, user, kind, &from).await.expect("started");
    tx.commit().await.expect("committed");
    started
}
