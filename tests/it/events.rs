//! The event log on a real database: order, completeness, resuming, several nodes, lost
//! connections, old days.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use kontor::{
    auth::Actor,
    base::{Clock, Result, ids::WorkspaceId},
    db::{Db, Tx},
    events::{Cursor, Events, LoggedEvent, NewEvent, Subscription, outbox},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::support::{
    database::{self, TestDatabase, database},
    eventually, sql,
};

/// One running node.
pub struct Node {
    pub db: Db,
    pub events: Events,
    pub clock: Clock,
    shutdown: CancellationToken,
}

impl Node {
    pub fn start(test: &TestDatabase) -> Self {
        Self::start_with(test, &Clock::default())
    }

    pub fn start_with(test: &TestDatabase, clock: &Clock) -> Self {
        // a pool and a wake-up of its own, as another process would have
        let db = Db::open(&database::config(&test.url)).expect("valid");
        let shutdown = CancellationToken::new();
        let events = Events::start(&db, clock, shutdown.clone());
        Self { db, events, clock: clock.clone(), shutdown }
    }

    pub async fn subscribe(&self, workspace: WorkspaceId, after: Option<Cursor>) -> Subscription {
        self.events.bus().subscribe(workspace, after).await.expect("subscribed")
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        timeout(Duration::from_secs(10), self.events.stopped()).await.expect("everything ends");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub async fn emit_in(tx: &mut Tx, payloads: impl IntoIterator<Item = Value>) {
    let actor = Actor { kind: "system".into(), user: None, through: None };
    let event = |payload| NewEvent { name: "contact.updated", kind: Some("contact"), record_ids: Vec::new(), payload };
    let events: Vec<_> = payloads.into_iter().map(event).collect();
    outbox::emit(tx, &actor, Clock::default().now(), &events).await.expect("emitted");
}

/// Commits events with these payloads.
pub async fn emit(db: &Db, workspace: WorkspaceId, payloads: impl IntoIterator<Item = Value>) {
    let mut tx = db.begin(&workspace).await.expect("a transaction");
    emit_in(&mut tx, payloads).await;
    tx.commit().await.expect("committed");
}

async fn next(subscription: &mut Subscription) -> Arc<LoggedEvent> {
    let next = timeout(Duration::from_secs(20), subscription.next()).await;
    next.expect("an event comes").expect("the subscription goes on")
}

async fn next_n(subscription: &mut Subscription, count: usize) -> Vec<Arc<LoggedEvent>> {
    let mut events = Vec::with_capacity(count);
    while events.len() < count {
        events.push(next(subscription).await);
    }
    events
}

fn positions(events: &[Arc<LoggedEvent>]) -> Vec<i64> {
    events.iter().map(|event| event.position).collect()
}

async fn refusal(node: &Node, workspace: WorkspaceId, after: Cursor) -> &'static str {
    node.events.bus().subscribe(workspace, Some(after)).await.map(|_| ()).expect_err("refused").code()
}

/// Waits until the node has read the log up to a position.
pub async fn wait_for_position(node: &Node, position: i64) {
    let mut quiet = node.subscribe(WorkspaceId::new(), None).await;
    eventually("the node reads on", async || quiet.cursor().position() >= position).await;
}

/// Ends the server's side of the test database's connections of this name. Of the relays only the
/// one that leads, which is the one with the lock.
async fn kill_connections(test: &TestDatabase, name: &str) {
    let (_, database) = test.url.split_once("/kontor_test").expect("a test database");
    let database = database.split('?').next().unwrap_or_default();
    database::run_as_admin(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = 'kontor_test{database}' AND application_name = '{name}'
            AND ('{name}' <> 'kontor relay' OR pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted))"
    ))
    .await;
}

/// Positions in the log that are missing or out of step with their days.
async fn faults_in_log(db: &Db) -> i64 {
    let query = "SELECT count(*) AS value FROM (
        SELECT position, logged_at, row_number() OVER (ORDER BY position) AS n, lag(logged_at) OVER (ORDER BY position) AS before
          FROM events) log WHERE position <> n OR logged_at < before";
    sql::number(db, query).await
}

async fn partitions(db: &Db) -> Vec<String> {
    let query = "SELECT relname::text AS value FROM pg_inherits JOIN pg_class ON oid = inhrelid
                  WHERE inhparent = 'events'::regclass ORDER BY 1";
    sql::texts(db, query).await
}

#[tokio::test]
async fn events_arrive_in_order_with_positions_from_one() {
    let test = database().await;
    let node = Node::start(&test);
    let (ours, theirs) = (WorkspaceId::new(), WorkspaceId::new());
    let mut subscription = node.subscribe(ours, None).await;
    emit(&node.db, ours, [json!(1), json!(2)]).await;
    emit(&node.db, theirs, [json!("not ours")]).await;
    emit(&node.db, ours, [json!(3)]).await;

    let events = next_n(&mut subscription, 3).await;
    assert_eq!(positions(&events), [1, 2, 4]);
    let payloads: Vec<_> = events.iter().map(|event| event.payload.clone()).collect();
    assert_eq!(payloads, [json!(1), json!(2), json!(3)]);
    assert!(events.iter().all(|event| event.workspace == ours && event.name == "contact.updated"));
    assert_eq!(subscription.cursor(), Cursor::after(4));
    assert_eq!(sql::number(&test.db, "SELECT count(*) AS value FROM outbox").await, 0);
    node.stop().await;
}

#[tokio::test]
async fn what_is_rolled_back_never_happened() {
    let test = database().await;
    let node = Node::start(&test);
    let workspace = WorkspaceId::new();
    let mut subscription = node.subscribe(workspace, None).await;
    let mut tx = node.db.begin(&workspace).await.expect("a transaction");
    emit_in(&mut tx, [json!("never")]).await;
    drop(tx);
    emit(&node.db, workspace, [json!("happened")]).await;
    let event = next(&mut subscription).await;
    assert_eq!((event.position, &event.payload), (1, &json!("happened")));
}

#[tokio::test]
async fn a_long_transaction_delays_no_events_but_its_own() {
    let test = database().await;
    let node = Node::start(&test);
    let workspace = WorkspaceId::new();
    let mut subscription = node.subscribe(workspace, None).await;
    let mut long = node.db.begin(&workspace).await.expect("a transaction");
    emit_in(&mut long, [json!("long")]).await;
    for n in 1..=20 {
        emit(&node.db, workspace, [json!(n)]).await;
        assert_eq!(next(&mut subscription).await.payload, json!(n));
    }
    long.commit().await.expect("committed");
    let event = next(&mut subscription).await;
    assert_eq!((event.position, &event.payload), (21, &json!("long")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_one_record_are_logged_in_the_order_of_their_commits() {
    const WRITERS: usize = 6;
    const ROUNDS: usize = 25;
    let test = database().await;
    let node = Node::start(&test);
    let workspace = WorkspaceId::new();
    sql::run(&test.db, &format!("INSERT INTO workspaces (id, name) VALUES ('{workspace}', '0')")).await;

    let mut subscription = node.subscribe(workspace, None).await;
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let db = node.db.clone();
        writers.spawn(async move {
            for _ in 0..ROUNDS {
                raise_and_emit(&db, workspace).await;
            }
        });
    }
    let events = next_n(&mut subscription, WRITERS * ROUNDS).await;
    let versions: Vec<_> = events.iter().map(|event| event.payload.as_u64().expect("a version")).collect();
    assert!(versions.iter().copied().eq(1..=(WRITERS * ROUNDS) as u64), "{versions:?}");
    writers.join_all().await;
}

/// Changes a record that others are changing too, and tells its new version.
async fn raise_and_emit(db: &Db, workspace: WorkspaceId) {
    let mut tx = db.begin(&workspace).await.expect("a transaction");
    let raise = format!(
        "UPDATE workspaces SET name = (name::int + 1)::text WHERE id = '{workspace}' RETURNING name::bigint AS value"
    );
    let version = sql::number_in(&mut tx, &raise).await;
    emit_in(&mut tx, [json!(version)]).await;
    tx.commit().await.expect("committed");
}

/// What the writers of the next test have committed, and whether they should go on.
#[derive(Default)]
struct Writing {
    committed: Mutex<HashSet<(usize, usize)>>,
    commits: watch::Sender<usize>,
    stop: AtomicBool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_comes_and_goes_sees_every_event_once_and_in_order() {
    const WRITERS: usize = 8;
    let disconnects = if std::env::var_os("KONTOR_TEST_LONG").is_some() { 2_000 } else { 60 };
    let test = database().await;
    let nodes = [Node::start(&test), Node::start(&test)];
    let workspace = WorkspaceId::new();
    let writing = Arc::new(Writing::default());
    let holders = Arc::new(Semaphore::new(3));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let db = nodes[writer % 2].db.clone();
        writers.spawn(write(db, workspace, writer, writing.clone(), holders.clone()));
    }

    let mut random = StdRng::seed_from_u64(7);
    let mut seen = Vec::new();
    let mut cursor = Cursor::after(0);
    for _ in 0..disconnects {
        let node = &nodes[random.random_range(0..2)];
        let mut subscription = node.subscribe(workspace, Some(cursor)).await;
        for _ in 0..random.random_range(0..40) {
            // now and then cut off in the middle of waiting
            let patience = Duration::from_micros(random.random_range(0..20_000));
            let Ok(event) = timeout(patience, subscription.next()).await else { break };
            seen.push(event.expect("the subscription goes on"));
        }
        let text = subscription.cursor().encode();
        cursor = Cursor::parse("after", &text).expect("valid");
    }
    writing.stop.store(true, Ordering::Relaxed);
    writing.commits.send_modify(|commits| *commits += 1);
    writers.join_all().await;

    let committed = writing.committed.lock().expect("nobody panicked").clone();
    let mut subscription = nodes[0].subscribe(workspace, Some(cursor)).await;
    while seen.len() < committed.len() {
        seen.push(next(&mut subscription).await);
    }
    assert!(positions(&seen).into_iter().eq(1..=committed.len() as i64), "each once, in order, without gaps");
    let told: HashSet<(usize, usize)> =
        seen.iter().map(|event| serde_json::from_value(event.payload.clone()).expect("the writer's")).collect();
    assert_eq!(told, committed);
    assert_eq!(faults_in_log(&test.db).await, 0);
    assert!(committed.len() > 100, "the writers were at work");
}

/// Commits one to three events at a time, rolls some back, and holds some transactions open until
/// others have passed.
async fn write(db: Db, workspace: WorkspaceId, writer: usize, writing: Arc<Writing>, holders: Arc<Semaphore>) {
    let mut random = StdRng::seed_from_u64(writer as u64);
    let mut made = 0;
    while !writing.stop.load(Ordering::Relaxed) {
        let ours: Vec<_> = (0..random.random_range(1..=3)).map(|n| (writer, made + n)).collect();
        made += ours.len();
        let mut tx = db.begin(&workspace).await.expect("a transaction");
        emit_in(&mut tx, ours.iter().map(|event| json!(event))).await;
        if random.random_ratio(1, 4)
            && let Ok(_holding) = holders.try_acquire()
        {
            let mut commits = writing.commits.subscribe();
            let passed = *commits.borrow() + random.random_range(1..30);
            let enough = |commits: &usize| *commits >= passed || writing.stop.load(Ordering::Relaxed);
            commits.wait_for(enough).await.expect("the sender is ours");
        }
        if random.random_ratio(1, 5) {
            drop(tx);
            continue;
        }
        tx.commit().await.expect("committed");
        writing.committed.lock().expect("nobody panicked").extend(ours);
        writing.commits.send_modify(|commits| *commits += 1);
    }
}

#[tokio::test]
async fn every_node_hears_what_is_committed_on_any() {
    let test = database().await;
    let nodes = [Node::start(&test), Node::start(&test)];
    let workspace = WorkspaceId::new();
    let mut subscriptions = [nodes[0].subscribe(workspace, None).await, nodes[1].subscribe(workspace, None).await];
    for n in 0..40 {
        emit(&nodes[n % 2].db, workspace, [json!(n)]).await;
    }
    for subscription in &mut subscriptions {
        let events = next_n(subscription, 40).await;
        assert!(positions(&events).into_iter().eq(1..=40));
        assert!(events.iter().enumerate().all(|(n, event)| event.payload == json!(n)));
    }
}

#[tokio::test]
async fn another_node_takes_over_when_the_relaying_one_stops() {
    let test = database().await;
    let first = Node::start(&test);
    emit(&first.db, WorkspaceId::new(), [json!(0)]).await;
    wait_for_position(&first, 1).await;
    // the first one leads, for it has relayed
    let second = Node::start(&test);
    let workspace = WorkspaceId::new();
    let mut subscription = second.subscribe(workspace, None).await;
    first.stop().await;
    emit(&second.db, workspace, [json!(1)]).await;
    assert_eq!(next(&mut subscription).await.position, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_loses_its_connection_loses_and_doubles_nothing() {
    let test = database().await;
    let nodes = [Node::start(&test), Node::start(&test)];
    let workspace = WorkspaceId::new();
    let mut subscriptions = [nodes[0].subscribe(workspace, None).await, nodes[1].subscribe(workspace, None).await];
    let mut emitted = 0;
    for _ in 0..5 {
        for _ in 0..20 {
            emit(&nodes[emitted % 2].db, workspace, [json!(emitted)]).await;
            emitted += 1;
        }
        kill_connections(&test, "kontor relay").await;
    }
    for subscription in &mut subscriptions {
        let events = next_n(subscription, emitted).await;
        assert!(positions(&events).into_iter().eq(1..=emitted as i64));
        let mut told: Vec<_> = events.iter().filter_map(|event| event.payload.as_u64()).collect();
        told.sort_unstable();
        assert!(told.into_iter().eq(0..emitted as u64));
    }
    assert_eq!(faults_in_log(&test.db).await, 0);
}

#[tokio::test]
async fn a_listener_that_loses_its_connection_catches_up() {
    let test = database().await;
    let node = Node::start(&test);
    let workspace = WorkspaceId::new();
    let mut subscription = node.subscribe(workspace, None).await;
    for n in 0..5 {
        kill_connections(&test, "kontor listen").await;
        emit(&node.db, workspace, [json!(n)]).await;
        assert_eq!(next(&mut subscription).await.payload, json!(n));
    }
}

#[tokio::test]
async fn a_subscriber_that_falls_behind_goes_on_from_the_log() {
    const EVENTS: usize = 3_000;
    let test = database().await;
    let node = Node::start(&test);
    let workspace = WorkspaceId::new();
    let mut slow = node.subscribe(workspace, None).await;
    for chunk in 0..EVENTS / 500 {
        emit(&node.db, workspace, (0..500).map(|n| json!(chunk * 500 + n))).await;
    }
    wait_for_position(&node, EVENTS as i64).await;
    assert!(slow.try_next().expect("goes on").is_none(), "more than the ring holds");
    let events = next_n(&mut slow, EVENTS).await;
    assert!(events.iter().enumerate().all(|(n, event)| event.payload == json!(n)));
    // and live from there
    emit(&node.db, workspace, [json!("live")]).await;
    assert_eq!(next(&mut slow).await.payload, json!("live"));
    assert!(slow.try_next().expect("goes on").is_none());
}

#[tokio::test]
async fn a_cursor_within_a_bulk_event_brings_it_again() {
    let test = database().await;
    let node = Node::start(&test);
    let workspace = WorkspaceId::new();
    emit(&node.db, workspace, [json!("before"), json!("bulk"), json!("after")]).await;
    let mut subscription = node.subscribe(workspace, Some(Cursor::after(0))).await;
    let bulk = next_n(&mut subscription, 2).await.remove(1);
    let cursor = Cursor::within(&bulk, 5);

    let mut resumed = node.subscribe(workspace, Some(cursor)).await;
    let events = next_n(&mut resumed, 2).await;
    assert_eq!((&events[0].payload, cursor.seen_of(&events[0])), (&json!("bulk"), 5));
    assert_eq!((&events[1].payload, cursor.seen_of(&events[1])), (&json!("after"), 0));
}

#[tokio::test]
async fn a_cursor_that_the_log_does_not_hold_is_expired() {
    let test = database().await;
    let node = Node::start(&test);
    let workspace = WorkspaceId::new();
    let mut behind = node.subscribe(workspace, None).await;
    // more than the ring holds, so that this subscriber needs the log
    emit(&node.db, workspace, (0..2_000).map(|n| json!(n))).await;
    wait_for_position(&node, 2_000).await;
    node.clock.advance(TimeDelta::days(9));
    emit(&node.db, workspace, [json!("new")]).await;
    wait_for_position(&node, 2_001).await;
    assert!(!node.events.drop_old_partitions().await.expect("dropped").is_empty());

    assert_eq!(behind.next().await.expect_err("expired").code(), "CURSOR_EXPIRED");
    // one that holds nothing of it in memory any more
    let fresh = Node::start(&test);
    assert_eq!(refusal(&fresh, workspace, Cursor::after(1_999)).await, "CURSOR_EXPIRED");
    assert_eq!(refusal(&fresh, WorkspaceId::new(), Cursor::after(0)).await, "CURSOR_EXPIRED");
    let mut just_kept = fresh.subscribe(workspace, Some(Cursor::after(2_000))).await;
    assert_eq!(next(&mut just_kept).await.payload, json!("new"));
    // of a log that this one has been restored from
    assert_eq!(refusal(&fresh, workspace, Cursor::after(2_002)).await, "CURSOR_EXPIRED");
    assert_eq!(fresh.subscribe(workspace, Some(Cursor::after(2_001))).await.cursor(), Cursor::after(2_001));
}

#[tokio::test]
async fn subscribers_begin_anew_when_the_log_was_taken_back() {
    let test = database().await;
    let node = Node::start(&test);
    let workspace = WorkspaceId::new();
    let mut subscription = node.subscribe(workspace, None).await;
    emit(&node.db, workspace, [json!(1), json!(2)]).await;
    next_n(&mut subscription, 2).await;
    sql::run(&test.db, "DELETE FROM events WHERE position = 2").await;
    // no connection outlives a restored database
    for name in ["kontor relay", "kontor listen"] {
        kill_connections(&test, name).await;
    }
    let ended = timeout(Duration::from_secs(20), subscription.next()).await.expect("it is told");
    assert_eq!(ended.expect_err("expired").code(), "CURSOR_EXPIRED");
    let mut anew = node.subscribe(workspace, None).await;
    emit(&node.db, workspace, [json!("again")]).await;
    assert_eq!(next(&mut anew).await.position, 2);
}

#[tokio::test]
async fn the_log_has_a_partition_per_day_and_drops_old_ones() {
    let test = database().await;
    let node = Node::start(&test);
    let workspace = WorkspaceId::new();
    let mut subscription = node.subscribe(workspace, None).await;
    let name = |days| (node.clock.now() + TimeDelta::days(days)).format("events_%Y%m%d").to_string();
    emit(&node.db, workspace, [json!(0)]).await;
    next(&mut subscription).await;
    let first = name(0);
    assert_eq!(partitions(&test.db).await, [first.clone(), name(1)]);

    node.clock.advance(TimeDelta::days(1));
    emit(&node.db, workspace, [json!(1)]).await;
    next(&mut subscription).await;
    // a clock that is set back does not reorder the log
    node.clock.advance(TimeDelta::hours(-30));
    emit(&node.db, workspace, [json!(2)]).await;
    next(&mut subscription).await;
    node.clock.advance(TimeDelta::hours(30));
    assert_eq!(partitions(&test.db).await, [first.clone(), name(0), name(1)]);
    assert_eq!(faults_in_log(&test.db).await, 0);

    node.clock.advance(TimeDelta::days(6));
    assert!(node.events.drop_old_partitions().await.expect("looked").is_empty(), "the first day is not a week old");
    node.clock.advance(TimeDelta::days(1));
    let dropped = node.events.drop_old_partitions().await.expect("dropped");
    assert_eq!(dropped.len(), 1);
    assert!(!partitions(&test.db).await.contains(&first));
    let fresh = Node::start(&test);
    assert_eq!(refusal(&fresh, workspace, Cursor::after(0)).await, "CURSOR_EXPIRED");
    let mut kept = fresh.subscribe(workspace, Some(Cursor::after(1))).await;
    assert_eq!(positions(&next_n(&mut kept, 2).await), [2, 3]);
}

#[tokio::test]
async fn a_reactor_that_stands_still_keeps_its_days_for_a_month() {
    let test = database().await;
    let node = Node::start(&test);
    emit(&node.db, WorkspaceId::new(), [json!(0)]).await;
    wait_for_position(&node, 1).await;
    let add = "INSERT INTO reactors (name, position, updated_at) VALUES ('slow', 0, now()), ('fast', 1, now())";
    sql::run(&test.db, add).await;

    let drop_old = async || node.events.drop_old_partitions().await.expect("looked").len();
    node.clock.advance(TimeDelta::days(29));
    assert_eq!(drop_old().await, 0, "the slow one has not seen it");
    node.clock.advance(TimeDelta::days(3));
    assert!(drop_old().await > 0, "but it waits no longer than a month");
    assert_eq!(sql::number(&test.db, "SELECT dropped_position AS value FROM event_log_state").await, 1);
}

#[tokio::test]
async fn topics_tell_every_node_their_latest_value() {
    let test = database().await;
    let nodes = [Node::start(&test), Node::start(&test)];
    for node in &nodes {
        node.subscribe(WorkspaceId::new(), None).await;
    }
    let bus = nodes[1].events.bus();
    let mut watch = bus.watch_topic("job:1");
    let mut other = bus.watch_topic("job:2");
    for n in 0..=500 {
        nodes[0].events.bus().publish_transient("job:1".into(), &json!({ "rows": n })).expect("small");
    }
    let reached = async {
        let mut before = None;
        loop {
            let rows = watch.next().await["rows"].as_u64();
            assert!(rows > before, "newer values only");
            before = rows;
            if rows == Some(500) {
                break;
            }
        }
    };
    timeout(Duration::from_secs(20), reached).await.expect("the latest value comes");
    assert!(timeout(Duration::from_millis(1), other.next()).await.is_err(), "another topic");

    let large = json!("x".repeat(8_000));
    let refused: Result<()> = bus.publish_transient("job:1".into(), &large);
    assert_eq!(refused.expect_err("too large").code(), "TOO_LARGE");
}

#[tokio::test]
async fn health_tells_when_nobody_relays() {
    let test = database().await;
    // somebody holds the relay's lock and does nothing
    let mut thief = test.db.system().await.expect("a transaction");
    sql::run_in(&mut thief, "SELECT pg_advisory_lock(x'6b6f6e746f720002'::bigint)").await;
    let node = Node::start(&test);
    assert!(node.events.healthy().is_err(), "nothing is known yet");
    eventually("healthy while there is nothing to relay", async || node.events.healthy().is_ok()).await;
    emit(&node.db, WorkspaceId::new(), [json!(0)]).await;
    eventually("unhealthy when events wait", async || node.events.healthy().is_err()).await;
    sql::run_in(&mut thief, "SELECT pg_advisory_unlock_all()").await;
    eventually("healthy when they are relayed", async || node.events.healthy().is_ok()).await;
    wait_for_position(&node, 1).await;
}

/// One event of a bulk change may be as large as hundreds of others: pages are cut by bytes, too.
#[tokio::test]
async fn large_events_are_read_in_small_pages_without_gap_or_repeat() {
    const EVENTS: usize = 60;
    let test = database().await;
    let (writer, workspace) = (Node::start(&test), WorkspaceId::new());
    sql::run(&test.db, &format!("INSERT INTO workspaces (id, name) VALUES ('{workspace}', 'w')")).await;
    let begin = writer.subscribe(workspace, None).await.cursor();
    let actor = Actor { kind: "system".into(), user: None, through: None };
    for number in 0..EVENTS {
        let ids = if number % 7 == 0 { 1 } else { 5_000 };
        let event = NewEvent {
            name: "contact.updated",
            kind: Some("contact"),
            record_ids: (0..ids).map(|_| uuid::Uuid::new_v4()).collect(),
            payload: json!({ "number": number }),
        };
        let mut tx = test.db.begin(&workspace).await.expect("a transaction");
        outbox::emit(&mut tx, &actor, Clock::default().now(), &[event]).await.expect("emitted");
        tx.commit().await.expect("committed");
    }
    // the ring of the one that was there holds some, the log of one that comes now all
    wait_for_position(&writer, EVENTS as i64).await;
    let late = Node::start(&test);
    for node in [&writer, &late] {
        let mut subscription = node.subscribe(workspace, Some(begin)).await;
        for number in 0..EVENTS {
            let event = next(&mut subscription).await;
            assert_eq!(event.payload["number"], number);
            assert_eq!(event.record_ids.len(), if number % 7 == 0 { 1 } else { 5_000 });
        }
        assert_eq!(subscription.cursor(), Cursor::after(EVENTS as i64));
    }
}
