//! kill -9 of PostgreSQL under load: clients are told to come again, the server recovers by itself,
//! nothing acknowledged is lost, nothing is written twice, and no subscriber misses anything.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use kontor::events::Cursor;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use reqwest::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

use super::{seed, times};
use crate::support::{
    client::Client,
    eventually,
    live::{self, Live, Told},
    process::{Installation, Process},
    socket_client::Heard,
    sql,
};

const CHANGES: &str =
    "subscription($after: String) { recordChanged(kind: CONTACT, after: $after) { cursor recordId } }";

/// What the server has acknowledged: contacts by the key of their mutation.
#[derive(Default)]
struct Load {
    acknowledged: Mutex<HashMap<String, String>>,
    refused: AtomicUsize,
    stop: AtomicBool,
}

/// Creates contacts one after the other, and sends each mutation again with its key until it is
/// answered: by GraphQL, or by REST where `rest`.
async fn create_contacts(client: Client, writer: usize, load: Arc<Load>) {
    let query = "mutation($input: CreateContactInput!) { createContact(input: $input) { contact { id email } } }";
    let mut number = 0;
    while !load.stop.load(Ordering::Relaxed) {
        number += 1;
        let email = format!("u{number}@writer{writer}.de");
        let input = json!({ "clientMutationId": email, "contact": { "email": email } });
        let contact = loop {
            let answer = client.graphql_with(query, json!({ "input": input }), |request| request).await;
            if let Some(contact) = answer.body["data"]["createContact"].get("contact") {
                break contact.clone();
            }
            let code = &answer.body["errors"][0]["extensions"]["code"];
            assert_eq!(code, "UNAVAILABLE", "{}", answer.body);
            load.refused.fetch_add(1, Ordering::Relaxed);
            // as a client would
            sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(contact["email"], *email);
        let id = contact["id"].as_str().expect("an id").to_owned();
        load.acknowledged.lock().expect("nobody panicked").insert(email, id);
    }
}

/// Reads by REST, and is told the same with the status that says so.
async fn read_contacts(client: Client, load: Arc<Load>) {
    while !load.stop.load(Ordering::Relaxed) {
        let answer = client.get("/contacts?limit=1").await;
        if answer.status != StatusCode::OK {
            assert_eq!((answer.status.as_u16(), &answer.body["code"]), (503, &json!("UNAVAILABLE")), "{}", answer.body);
            load.refused.fetch_add(1, Ordering::Relaxed);
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Follows all the time, and again after the last cursor where it is sent away.
struct Follower {
    client: Client,
    live: Option<Live>,
    cursor: String,
    seen: Vec<String>,
}

impl Follower {
    fn new(client: Client) -> Self {
        Self { client, live: None, cursor: Cursor::after(0).encode(), seen: Vec::new() }
    }

    async fn next(&mut self) {
        let mut live = match self.live.take() {
            Some(live) => live,
            None => match live::try_open(&self.client).await {
                Ok(socket) => Live::on(socket, CHANGES, json!({ "after": self.cursor })).await,
                Err(Heard::Closed { code: 1013, .. }) => return sleep(Duration::from_millis(20)).await,
                Err(other) => panic!("{other:?}"),
            },
        };
        match live.hear().await {
            Told::Data(mut data) => {
                let mut text = |name: &str| match data["recordChanged"][name].take() {
                    Value::String(text) => text,
                    other => panic!("no text: {other}"),
                };
                self.cursor = text("cursor");
                self.seen.push(text("recordId"));
                self.live = Some(live);
            }
            // come again
            Told::Closed(1013, _) | Told::Lost => {}
            Told::Refused(error) => assert_eq!(error["extensions"]["code"], "UNAVAILABLE", "{error}"),
            other => panic!("{other:?}"),
        }
    }
}

/// One of PostgreSQL's processes that serves a connection of ours.
async fn some_backend(installation: &Installation, random: &mut StdRng) -> Option<Pid> {
    let query = "SELECT pid::text AS value FROM pg_stat_activity
                  WHERE application_name LIKE 'kontor%' AND pid <> pg_backend_pid() ORDER BY 1";
    let mut pids = sql::texts(&installation.db(), query).await;
    let pid = pids.swap_remove(random.random_range(0..pids.len()));
    Pid::from_raw(pid.parse().expect("a number"))
}

async fn until_ready(server: &Process) {
    eventually("the server has recovered", async || {
        let ready = reqwest::get(format!("{}/ready", server.url)).await.expect("it answers");
        ready.status() == StatusCode::OK
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_postgresql_costs_nothing_but_time() {
    let installation = Installation::embedded();
    let mut server = installation.serve().await;
    let admin = installation.admin(&server).await;
    let load = Arc::new(Load::default());
    let mut clients = JoinSet::new();
    for writer in 0..5 {
        clients.spawn(create_contacts(admin.clone(), writer, load.clone()));
    }
    clients.spawn(read_contacts(admin.clone(), load.clone()));
    let followers = (0..2).map(|_| {
        let (mut follower, load) = (Follower::new(admin.clone()), load.clone());
        tokio::spawn(async move {
            while !load.stop.load(Ordering::Relaxed) {
                follower.next().await;
            }
            follower
        })
    });
    let followers: Vec<_> = followers.collect();

    let mut random = StdRng::seed_from_u64(seed(11));
    let acknowledged = || load.acknowledged.lock().expect("nobody panicked").len();
    for kill in 0..times(4, 20) {
        let goal = acknowledged() + random.random_range(20..60);
        eventually("writes are acknowledged", async || acknowledged() >= goal).await;
        let victim = match kill % 2 {
            0 => installation.postmaster(),
            _ => some_backend(&installation, &mut random).await,
        };
        // a backend may have ended by itself
        let _ = kill_process(victim.expect("PostgreSQL runs"), Signal::KILL);
        until_ready(&server).await;
        assert!(server.is_running());
    }
    let goal = acknowledged() + 50;
    eventually("writes are acknowledged", async || acknowledged() >= goal).await;
    load.stop.store(true, Ordering::Relaxed);
    clients.join_all().await;
    assert!(load.refused.load(Ordering::Relaxed) > 0, "the outages were seen");

    let db = installation.db();
    let made = "SELECT concat_ws(' ', email, id) AS value FROM contacts ORDER BY email, id";
    let made = sql::texts(&db, made).await;
    let acknowledged = load.acknowledged.lock().expect("nobody panicked").clone();
    let mut expected: Vec<_> = acknowledged.iter().map(|(email, id)| format!("{email} {id}")).collect();
    expected.sort();
    let mut found = made.clone();
    found.sort();
    assert_eq!(found, expected, "each acknowledged write is there, once");

    eventually("all is logged", async || sql::number(&db, "SELECT count(*) AS value FROM outbox").await == 0).await;
    let log = "SELECT record_ids[1]::text AS value FROM events WHERE name = 'record.created' ORDER BY position";
    let log = sql::texts(&db, log).await;
    for follower in followers {
        let mut follower = follower.await.expect("it follows");
        while follower.seen.len() < log.len() {
            follower.next().await;
        }
        assert_eq!(follower.seen, log);
    }
    assert!(server.stop().await.status.success());
}
