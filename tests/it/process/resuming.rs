//! A subscriber on a real websocket who goes and comes again at any moment sees every event once,
//! in order, while many write at once, some slowly, some in vain.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kontor::{
    auth::{Caller, Origin, Role, Via},
    base::ids::{UserId, WorkspaceId},
    crm::{
        RecordKind,
        record::events::{ChangeAction, changed},
    },
    ctx::Ctx,
    events::Cursor,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::{sync::watch, task::JoinSet, time::timeout};
use uuid::Uuid;

use super::{seed, times};
use crate::support::{
    client::Client,
    eventually,
    live::Live,
    process::{Installation, at},
    sql,
};

const CHANGES: &str =
    "subscription($after: String) { recordChanged(kind: CONTACT, after: $after) { cursor recordId } }";

/// What the writers have committed, and whether they should go on.
#[derive(Default)]
struct Writing {
    committed: Mutex<HashSet<String>>,
    commits: watch::Sender<usize>,
    stop: AtomicBool,
}

impl Writing {
    fn committed(&self, ids: impl IntoIterator<Item = String>) {
        self.committed.lock().expect("nobody panicked").extend(ids);
        self.commits.send_modify(|commits| *commits += 1);
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.commits.send_modify(|commits| *commits += 1);
    }
}

/// Writes through the server.
async fn write_there(client: Client, writer: usize, writing: Arc<Writing>) {
    let query = "mutation($email: String!) { createContact(input: { contact: { email: $email } }) { contact { id } } }";
    let mut made = 0;
    while writing.goes_on() {
        made += 1;
        let mut answer = client.data(query, json!({ "email": format!("u{made}@writer{writer}.de") })).await;
        let id = answer["createContact"]["contact"]["id"].take();
        writing.committed([id.as_str().expect("an id").to_owned()]);
    }
}

/// Writes as another node's operations would, and often holds the transaction open until others
/// have passed it, or takes it back. The events are of records that need not be there.
async fn write_here(ctx: Ctx, caller: Caller, writer: usize, writing: Arc<Writing>) {
    let mut random = StdRng::seed_from_u64(writer as u64);
    while writing.goes_on() {
        let ids: Vec<_> = (0..random.random_range(1..=3)).map(|_| Uuid::now_v7()).collect();
        let mut tx = ctx.db.begin(&caller.workspace).await.expect("a transaction");
        let events: Vec<_> =
            ids.iter().map(|id| changed(RecordKind::Contact, ChangeAction::Updated, &[(*id, 1)], &["city"])).collect();
        ctx.emit(&mut tx, &caller, &events).await.expect("emitted");
        if random.random_ratio(1, 2) {
            let mut commits = writing.commits.subscribe();
            let passed = *commits.borrow() + random.random_range(1..30);
            commits.wait_for(|commits| *commits >= passed || !writing.goes_on()).await.expect("the sender is ours");
        }
        if random.random_ratio(1, 4) {
            continue;
        }
        tx.commit().await.expect("committed");
        writing.committed(ids.iter().map(ToString::to_string));
    }
}

/// Follows for a while, then is gone without a word.
async fn follow(client: &Client, seen: &mut Seen, random: &mut StdRng) {
    let mut live = resume(client, seen).await;
    for _ in 0..random.random_range(0..80) {
        // now and then cut off in the middle of waiting
        let patience = Duration::from_micros(random.random_range(0..50_000));
        let Ok(data) = timeout(patience, live.next()).await else { return };
        note(seen, data);
    }
}

/// Follows until so many were seen.
async fn catch_up(client: &Client, seen: &mut Seen, all: usize) {
    let mut live = resume(client, seen).await;
    while seen.len() < all {
        note(seen, live.next().await);
    }
}

/// Cursor and record of each event, in the order in which they came.
type Seen = Vec<(String, String)>;

async fn resume(client: &Client, seen: &Seen) -> Live {
    let after = seen.last().map_or_else(|| Cursor::after(0).encode(), |(cursor, _)| cursor.clone());
    Live::begin(client, CHANGES, json!({ "after": after })).await
}

fn note(seen: &mut Seen, mut data: serde_json::Value) {
    let mut text = |name: &str| data["recordChanged"][name].take().as_str().expect("a text").to_owned();
    seen.push((text("cursor"), text("recordId")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_who_comes_and_goes_sees_every_event_once_and_in_order() {
    let installation = Installation::external().await;
    let servers = [installation.serve().await, installation.serve_with(&["--no-work"]).await];
    let admin = installation.admin(&servers[0]).await;
    let clients = [admin.clone(), at(&servers[1], &admin)];
    let viewer = admin.data("{ viewer { user { id } workspace { id } } }", json!({})).await["viewer"].take();
    let id = |value: &serde_json::Value| value["id"].as_str().expect("an id").parse::<Uuid>().expect("an id");
    let (user, workspace) = (UserId(id(&viewer["user"])), WorkspaceId(id(&viewer["workspace"])));
    let caller = Caller::new(workspace, user, Role::Admin, Origin::System, Via::System);

    let (ctx, writing) = (installation.ctx(), Arc::new(Writing::default()));
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        writers.spawn(write_there(clients[writer % 2].clone(), writer, writing.clone()));
        writers.spawn(write_here(ctx.clone(), caller.clone(), writer, writing.clone()));
    }
    let mut readers = JoinSet::new();
    for reader in 0..3 {
        let (clients, seed) = (clients.clone(), seed(reader));
        readers.spawn(async move {
            let (mut random, mut seen) = (StdRng::seed_from_u64(seed), Vec::new());
            for _ in 0..times(40, 700) {
                follow(&clients[random.random_range(0..2)], &mut seen, &mut random).await;
            }
            seen
        });
    }
    let mut read = readers.join_all().await;
    writing.end();
    writers.join_all().await;

    let db = &ctx.db;
    eventually("all is logged", async || sql::number(db, "SELECT count(*) AS value FROM outbox").await == 0).await;
    let log = "SELECT record_ids[1]::text AS value FROM events WHERE name LIKE 'record.%' ORDER BY position";
    let log = sql::texts(db, log).await;
    let committed = writing.committed.lock().expect("nobody panicked").clone();
    assert_eq!(log.iter().cloned().collect::<HashSet<_>>(), committed);
    assert!(log.len() == committed.len() && log.len() > 200, "the writers were at work: {}", log.len());
    for seen in &mut read {
        catch_up(&clients[0], seen, log.len()).await;
        let different = seen.iter().map(|(_, id)| id).zip(&log).position(|(seen, logged)| seen != logged);
        assert_eq!((seen.len(), different), (log.len(), None));
    }
}
