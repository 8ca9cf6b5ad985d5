//! Reactors: at least once, in order, one node at a time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use chrono::TimeDelta;
use kontor::{
    base::{Error, Result, ids::WorkspaceId},
    db::{Db, Tx},
    events::{LoggedEvent, Reactor},
};
use serde_json::json;

use crate::{
    events::{Node, emit, wait_for_position},
    support::{database::database, eventually, sql},
};

/// Notes in the database what it reacts to; fails as often as it is told to, after writing.
#[derive(Clone, Default)]
struct Noting {
    failures: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
}

impl Reactor for Noting {
    const NAME: &'static str = "test.noting";

    fn wants(&self, event: &LoggedEvent) -> bool {
        event.payload != json!("boring")
    }

    async fn react(&self, tx: &mut Tx, events: &[LoggedEvent]) -> Result<()> {
        for event in events {
            note(tx, &format!("{:06} {}", event.position, event.payload)).await;
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        let fails = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if fails { Err(Error::internal("as asked")) } else { Ok(()) }
    }

    async fn rebuild(&self, tx: &mut Tx) -> Result<()> {
        note(tx, "rebuilt").await;
        Ok(())
    }
}

/// The primary key refuses a reaction that is done twice.
async fn note(tx: &mut Tx, text: &str) {
    sql::run_in(tx, &format!("INSERT INTO instance_settings (name, value) VALUES ('{text}', '0')")).await;
}

async fn notes(db: &Db) -> Vec<String> {
    sql::texts(db, "SELECT name AS value FROM instance_settings ORDER BY name").await
}

/// Waits until the reactor has been added, so that it misses nothing that is emitted from here on.
async fn added(db: &Db) {
    eventually("the reactor is added", async || stored_position(db).await.is_some()).await;
}

async fn stored_position(db: &Db) -> Option<String> {
    sql::texts(db, "SELECT position::text AS value FROM reactors").await.pop()
}

#[tokio::test]
async fn a_reaction_that_fails_is_taken_back_and_repeated() {
    let test = database().await;
    let node = Node::start(&test);
    let reactor = Noting::default();
    reactor.failures.store(2, Ordering::SeqCst);
    node.events.react(reactor.clone());
    added(&test.db).await;
    emit(&node.db, WorkspaceId::new(), [json!("a"), json!("boring"), json!("b")]).await;
    eventually("the reactor passes", async || stored_position(&test.db).await.as_deref() == Some("3")).await;
    assert_eq!(notes(&test.db).await, [r#"000001 "a""#, r#"000003 "b""#]);
    assert_eq!(reactor.calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_reactor_goes_on_where_it_stopped() {
    let test = database().await;
    let first = Node::start(&test);
    first.events.react(Noting::default());
    added(&test.db).await;
    emit(&first.db, WorkspaceId::new(), [json!(1)]).await;
    eventually("the first reacts", async || stored_position(&test.db).await.as_deref() == Some("1")).await;
    first.stop().await;
    emit(&test.db, WorkspaceId::new(), [json!(2)]).await;
    let second = Node::start(&test);
    second.events.react(Noting::default());
    eventually("the second reacts", async || stored_position(&test.db).await.as_deref() == Some("2")).await;
    assert_eq!(notes(&test.db).await, ["000001 1", "000002 2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_all_nodes_one_reacts_to_an_event() {
    let test = database().await;
    let nodes = [Node::start(&test), Node::start(&test)];
    for node in &nodes {
        node.events.react(Noting::default());
    }
    added(&test.db).await;
    for n in 0..60 {
        emit(&nodes[n % 2].db, WorkspaceId::new(), [json!(n)]).await;
    }
    eventually("the reactors pass", async || stored_position(&test.db).await.as_deref() == Some("60")).await;
    assert_eq!(notes(&test.db).await.len(), 60);
}

#[tokio::test]
async fn a_reactor_that_missed_events_rebuilds() {
    let test = database().await;
    let node = Node::start(&test);
    node.events.react(Noting::default());
    added(&test.db).await;
    node.stop().await;

    let node = Node::start(&test);
    emit(&node.db, WorkspaceId::new(), [json!("missed")]).await;
    wait_for_position(&node, 1).await;
    node.clock.advance(TimeDelta::days(32));
    emit(&node.db, WorkspaceId::new(), [json!("kept")]).await;
    wait_for_position(&node, 2).await;
    node.events.drop_old_partitions().await.expect("dropped");
    node.events.react(Noting::default());
    eventually("the reactor passes", async || stored_position(&test.db).await.as_deref() == Some("2")).await;
    assert_eq!(notes(&test.db).await, [r#"000002 "kept""#, "rebuilt"]);
}
