//! SIGTERM: nothing new is taken, what is under way is finished, the rest is handed back, clients
//! are told to come again, and all of that within ten seconds.

use std::{fs, net::SocketAddr, time::Duration};

use kontor::{
    db::{Db, Tx},
    events::Cursor,
};
use reqwest::StatusCode;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinHandle, time::Instant};

use super::importing::{self, Started};
use crate::{
    import::lab::UPDATE,
    support::{
        client::Client,
        eventually,
        live::{self, Live, Told},
        process::{Finished, Installation, Process, at},
        socket_client::SocketClient,
        sql,
    },
};

/// So long a stop may take.
const LIMIT: Duration = Duration::from_secs(10);

const CHANGES: &str =
    "subscription($after: String) { recordChanged(kind: CONTACT, after: $after) { cursor recordId } }";

fn address(server: &Process) -> SocketAddr {
    server.url.trim_start_matches("http://").parse().expect("an address")
}

/// Whether somebody still listens there.
async fn takes_more(server: SocketAddr) -> bool {
    TcpStream::connect(server).await.is_ok()
}

fn rows(count: usize) -> String {
    let rows: String = (0..count).map(|row| format!("u{row}@x.de\n")).collect();
    format!("email\n{rows}")
}

/// Keeps every writer of contacts waiting until it is dropped.
async fn hold_contacts(db: &Db) -> Tx {
    let mut tx = db.system().await.expect("a transaction");
    sql::run_in(&mut tx, "LOCK TABLE contacts IN EXCLUSIVE MODE").await;
    tx
}

/// How many statements of others wait for the lock.
async fn wait_for_waiters(db: &Db, waiters: i64) {
    let waiting = "SELECT count(*) AS value FROM pg_locks JOIN pg_database ON pg_database.oid = database
                    WHERE datname = current_database() AND NOT granted";
    eventually("somebody waits", async || sql::number(db, waiting).await >= waiters).await;
}

/// A mutation under way.
fn create_contact(client: &Client) -> JoinHandle<Value> {
    let client = client.clone();
    let query = "mutation { createContact(input: { contact: { email: \"late@x.de\" } }) { contact { id } } }";
    tokio::spawn(async move { client.data(query, json!({})).await })
}

#[track_caller]
fn ended_well(ended: &Finished, signalled: Instant) {
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert!(signalled.elapsed() < LIMIT, "{:?}: {}", signalled.elapsed(), ended.log);
    assert!(!ended.log.contains("ERROR"), "{}", ended.log);
}

/// An import whose batch cannot get on.
async fn stuck_import(client: &Client, db: &Db) -> (Started, Tx) {
    let held = hold_contacts(db).await;
    let import = importing::start(client, rows(5_000), UPDATE).await;
    wait_for_waiters(db, 1).await;
    (import, held)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_finishes_requests_hands_jobs_back_and_sends_clients_elsewhere() {
    let installation = Installation::external().await;
    let mut server = installation.serve().await;
    let (admin, db, address) = (installation.admin(&server).await, installation.db(), address(&server));
    let mut follower = Live::begin(&admin, CHANGES, json!({ "after": Cursor::after(0).encode() })).await;
    let idle = live::open(&admin).await;
    let silent = SocketClient::open(address, &[]).await;
    let first = "mutation { createContact(input: { contact: { email: \"first@x.de\" } }) { contact { id } } }";
    admin.data(first, json!({})).await;
    let cursor = follower.next().await["recordChanged"]["cursor"].take();

    let (import, held) = stuck_import(&admin, &db).await;
    let late = create_contact(&admin);
    wait_for_waiters(&db, 2).await;
    let signalled = Instant::now();
    server.signal(Signal::TERM);
    eventually("nothing more is taken", async || !takes_more(address).await).await;
    assert_eq!(follower.hear().await, Told::Closed(1012, "The server restarts".to_owned()));
    for mut socket in [idle, silent] {
        assert_eq!(socket.closed().await.0, 1012);
    }
    assert!(server.is_running(), "a request is under way");
    drop(held);
    let late = late.await.expect("answered");
    let ended = server.finish().await;
    ended_well(&ended, signalled);
    let (state, attempt, failures, crashes) = import.job_row(&db).await;
    assert_eq!((state.as_str(), attempt, failures, crashes), ("queued", 1, 0, 0));

    let next = installation.serve().await;
    let mut follower = Live::begin(&at(&next, &admin), CHANGES, json!({ "after": cursor })).await;
    let mut seen = Vec::new();
    while seen.len() < 5_001 {
        seen.push(follower.next().await["recordChanged"]["recordId"].take());
    }
    assert!(seen.contains(&late["createContact"]["contact"]["id"]));
    eventually("the next server does the rest", async || import.status(&db).await == "completed").await;
    assert_eq!(import.job_row(&db).await.1, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_end_is_cut_off_in_time() {
    let installation = Installation::external().await;
    let server = installation.serve().await;
    let (admin, db) = (installation.admin(&server).await, installation.db());
    let (import, held) = stuck_import(&admin, &db).await;
    let late = create_contact(&admin);
    let upload = unfinished_upload(&admin).await;
    wait_for_waiters(&db, 2).await;
    let signalled = Instant::now();
    let ended = server.stop().await;
    ended_well(&ended, signalled);
    late.abort();
    drop(upload);
    let (state, attempt, failures, crashes) = import.job_row(&db).await;
    assert_eq!((state.as_str(), attempt, failures, crashes), ("queued", 1, 0, 0));
    drop(held);
    let _next = installation.serve().await;
    eventually("the next server does the rest", async || import.status(&db).await == "completed").await;
    assert_eq!(sql::number(&db, "SELECT count(*) AS value FROM contacts").await, 5_000);
}

/// A body that goes on until the answer is dropped.
async fn unfinished_upload(client: &Client) -> JoinHandle<()> {
    let query = "mutation { createUpload(input: { name: \"a\", size: 1000000 }) { url } }";
    let url = client.data(query, json!({})).await["createUpload"]["url"].take();
    let url = url.as_str().expect("a link").to_owned();
    let chunks = futures_util::stream::unfold((), async |()| {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok::<_, std::convert::Infallible>("x"), ()))
    });
    let put = client.http.put(url).bearer_auth(client.token.as_deref().expect("signed in"));
    let put = put.body(reqwest::Body::wrap_stream(chunks));
    tokio::spawn(async move { drop(put.send().await) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_own_postgresql_is_stopped_in_order() {
    let installation = Installation::embedded();
    let server = installation.serve().await;
    let (admin, db) = (installation.admin(&server).await, installation.db());
    let (import, _held) = stuck_import(&admin, &db).await;
    let signalled = Instant::now();
    let ended = server.stop().await;
    ended_well(&ended, signalled);
    assert!(installation.postmaster().is_none());
    let control = fs::read(installation.cluster().join("global/pg_control")).expect("the cluster's own notes");
    // its state, behind an identifier and two versions; 1 is "shut down"
    assert_eq!(control[16..20], 1_i32.to_le_bytes(), "{}", ended.log);

    let server = installation.serve().await;
    let db = installation.db();
    eventually("the next start does the rest", async || import.status(&db).await == "completed").await;
    let (_, attempt, failures, crashes) = import.job_row(&db).await;
    assert_eq!((attempt, failures, crashes), (2, 0, 0));
    let signalled = Instant::now();
    ended_well(&server.stop().await, signalled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_it_at_once() {
    for second in [Signal::TERM, Signal::INT] {
        let installation = Installation::external().await;
        let mut server = installation.serve().await;
        let (admin, db) = (installation.admin(&server).await, installation.db());
        let _held = hold_contacts(&db).await;
        let late = create_contact(&admin);
        wait_for_waiters(&db, 1).await;
        server.signal(Signal::INT);
        eventually("it stops", async || server.log().contains("stopping")).await;
        assert!(server.is_running());
        server.signal(second);
        let ended = server.finish().await;
        // a stop in order, however long it takes, ends with 0
        assert_eq!(ended.status.code(), Some(130), "{}", ended.log);
        late.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_hands_back_what_it_cannot_finish() {
    let installation = Installation::external().await;
    let server = installation.serve_with(&["--no-work"]).await;
    let worker = installation.work().await;
    let (admin, db) = (installation.admin(&server).await, installation.db());
    let (import, held) = stuck_import(&admin, &db).await;
    // for a person who looks: in containers the process alone is 1 everywhere
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let holder = "SELECT leased_by AS value FROM jobs WHERE kind = 'transfer.run_import'";
    assert_eq!(sql::texts(&db, holder).await, [format!("kontor {host} {}", worker.pid.as_raw_nonzero())]);
    let signalled = Instant::now();
    worker.signal(Signal::INT);
    ended_well(&{ worker }.finish().await, signalled);
    let (state, attempt, failures, crashes) = import.job_row(&db).await;
    assert_eq!((state.as_str(), attempt, failures, crashes), ("queued", 1, 0, 0));
    drop(held);
    let _next = installation.work().await;
    eventually("the next worker does the rest", async || import.status(&db).await == "completed").await;
}

/// While it makes its database, and whatever comes of that: the next start finds the folder free
/// and in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_can_be_stopped_too() {
    let installation = Installation::embedded();
    let mut server = installation.spawn(&["serve"]);
    eventually("it begins", async || installation.data_dir().join("postgres.lock").exists()).await;
    let signalled = Instant::now();
    server.signal(Signal::TERM);
    let ended = server.finish().await;
    ended_well(&ended, signalled);
    assert!(!ended.output.contains("ready"), "{}", ended.output);
    let server = installation.serve().await;
    let healthy = reqwest::get(format!("{}/health", server.url)).await.expect("answered");
    assert_eq!(healthy.status(), StatusCode::OK);
}
