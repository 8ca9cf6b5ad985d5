//! Subscribers that share an execution: each sees every event once and in order, whenever it comes,
//! however slow it is, and the work is done once.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use kontor::{
    auth::Role,
    base::Limits,
    graphql::{Timings, Transport},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{
    eventually,
    socket_client::{Heard, SocketClient},
    toy::{self, Toy, cursor},
};

const TICKS: &str = "subscription($after: String) { ticks(topic: \"a\", after: $after) { number cursor } }";

async fn server_with(limits: Limits) -> (Toy, Transport<Toy>, SocketAddr) {
    toy::serve(limits, Timings::default()).await
}

async fn server() -> (Toy, Transport<Toy>, SocketAddr) {
    server_with(Limits { sockets_per_user: 1_000, ..Limits::default() }).await
}

fn after(number: i64) -> Value {
    json!({ "after": cursor(number) })
}

fn number(message: &Value) -> i64 {
    message["payload"]["data"]["ticks"]["number"].as_i64().unwrap_or_else(|| panic!("no tick: {message}"))
}

async fn running(toy: &Toy, executions: usize) {
    eventually("the executions run", async || toy.state().executed.load(Ordering::SeqCst) == executions).await;
}

#[tokio::test]
async fn equal_subscribers_share_one_execution_and_its_bytes() {
    let (toy, transport, address) = server().await;
    let mut clients = Vec::new();
    for at in 0..50 {
        let mut client = SocketClient::signed_in(address, ["alice", "bob"][at % 2]).await;
        client.subscribe(&format!("id {at}"), TICKS, json!({})).await;
        // nothing to resume: joins the others at once
        client
            .subscribe("literal", "subscription { ticks(topic: \"a\", after: null) { number cursor } }", json!({}))
            .await;
        clients.push(client);
    }
    running(&toy, 2).await;
    eventually("all have joined", async || transport.shared_executions() == 2).await;
    for client in &mut clients {
        client.subscribe("joined", "{ hello }", json!({})).await;
        while client.json().await["type"] != "complete" {}
    }
    for expected in 1..=10 {
        toy.tick("a", "");
        toy.tick("b", "");
        for (at, client) in clients.iter_mut().enumerate() {
            let messages = [client.json().await, client.json().await];
            for id in [format!("id {at}"), "literal".to_owned()] {
                let message = messages.iter().find(|message| message["id"] == id).expect("one of each");
                assert_eq!(number(message), 2 * expected - 1);
            }
        }
    }
    assert_eq!(toy.state().rendered.load(Ordering::SeqCst), 20, "ten ticks for each of two documents");
    // others see other things, so they share with nobody
    toy.sign_in("carol", Role::Support);
    let mut carol = SocketClient::signed_in(address, "carol").await;
    carol.subscribe("1", TICKS, json!({})).await;
    running(&toy, 3).await;
    drop((clients, carol));
    eventually("an execution that nobody reads ends", async || {
        transport.shared_executions() == 0 && toy.state().alive.load(Ordering::SeqCst) == 0
    })
    .await;
}

/// Subscribes, at times from a cursor, drops the connection at times, and resumes, until it has seen
/// the last tick. Ticks of the topic are the odd numbers.
async fn restless_reader(address: SocketAddr, latest: &AtomicI64, last: i64, mut seed: u64) -> Vec<i64> {
    let mut random = move |below: i64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as i64 % below
    };
    let mut seen: Vec<i64> = Vec::new();
    let moment = random(last);
    while latest.load(Ordering::SeqCst) < moment {
        tokio::task::yield_now().await;
    }
    let begin = (random(2) == 0).then(|| random(moment + 1));
    loop {
        let mut client = SocketClient::signed_in(address, "alice").await;
        let resume = seen.last().copied().or(begin);
        let literal = random(2) == 0;
        match resume {
            None => client.subscribe("1", TICKS, json!({})).await,
            Some(from) if literal => {
                let from = cursor(from);
                let query = format!("subscription {{ ticks(topic: \"a\", after: \"{from}\") {{ number }} }}");
                client.subscribe("1", &query, json!({})).await;
            }
            Some(from) => client.subscribe("1", TICKS, after(from)).await,
        }
        if resume.is_none() && latest.load(Ordering::SeqCst) > last - 50 {
            // too late to be sure of seeing anything without a cursor
            return Vec::new();
        }
        let leave_at = seen.len() + 1 + random(60) as usize;
        while seen.len() < leave_at {
            seen.push(number(&client.json().await));
            if seen.last() == Some(&last) {
                let first = begin.map_or(seen[0], |begin| begin + 1 + begin % 2);
                assert_eq!(seen, (first..=last).step_by(2).collect::<Vec<_>>(), "began after {begin:?}");
                return seen;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_joins_leaves_and_resumes_sees_every_event_once_in_order() {
    const LAST: i64 = 801;
    let (toy, transport, address) = server().await;
    let latest: &'static AtomicI64 = Box::leak(Box::default());
    let mut readers = JoinSet::new();
    for reader in 0..200 {
        readers.spawn(restless_reader(address, latest, LAST, reader));
    }
    let writer = toy.clone();
    let writing = tokio::spawn(async move {
        for at in 1..=LAST {
            writer.tick(if at % 2 == 1 { "a" } else { "b" }, "");
            latest.store(at, Ordering::SeqCst);
            // bursts of up to 40 ticks, and pauses between them for the readers to move about
            if at % 40 == at / 40 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let seen: Vec<_> = tokio::time::timeout(Duration::from_secs(120), readers.join_all()).await.expect("all end");
    writing.await.expect("written");
    let complete = seen.iter().filter(|seen| !seen.is_empty()).count();
    assert!(complete > 150, "only {complete} of 200 readers came early enough");
    eventually("all has ended", async || toy.state().alive.load(Ordering::SeqCst) == 0).await;
    assert_eq!(transport.shared_executions(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_throws_out_nobody_who_reads() {
    let (toy, _, address) = server_with(Limits { socket_queue: 16, ..Limits::default() }).await;
    let mut clients = join_all((0..30).map(|_| SocketClient::signed_in(address, "alice"))).await;
    for client in &mut clients {
        client.subscribe("1", TICKS, after(0)).await;
    }
    for _ in 0..2_000 {
        toy.tick("a", "x");
    }
    let read = clients.into_iter().map(|mut client| {
        tokio::spawn(async move {
            for expected in 1..=2_000 {
                assert_eq!(number(&client.json().await), expected);
            }
        })
    });
    join_all(read).await.into_iter().for_each(|read| read.expect("read to the end"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_client_is_closed_with_its_cursor_and_resumes_while_others_go_on() {
    const LAST: i64 = 300;
    const BIG: &str = "subscription($after: String) { ticks(topic: \"a\", after: $after) { number text } }";
    let (toy, _, address) = server_with(Limits { socket_queue: 16, ..Limits::default() }).await;
    let mut slow = SocketClient::signed_in(address, "alice").await;
    slow.subscribe("1", BIG, json!({})).await;
    let mut quick = SocketClient::signed_in(address, "alice").await;
    quick.subscribe("1", BIG, json!({})).await;
    running(&toy, 1).await;
    quick.subscribe("joined", "{ hello }", json!({})).await;
    while quick.json().await["type"] != "complete" {}
    let text = "x".repeat(100_000);
    for expected in 1..=LAST {
        toy.tick("a", &text);
        assert_eq!(number(&quick.json().await), expected);
    }
    assert_eq!(toy.state().rendered.load(Ordering::SeqCst), LAST as usize);

    let mut seen = 0;
    let reason = loop {
        match slow.hear().await {
            Heard::Json(message) => {
                assert_eq!(number(&message), seen + 1);
                seen += 1;
            }
            Heard::Closed { code, reason } => {
                assert_eq!(code, 4410);
                break reason;
            }
            Heard::Lost => panic!("closed without a word"),
        }
    };
    assert!(seen < LAST, "the client was not slow enough");
    assert_eq!(reason, format!("slow consumer; resume after {}", cursor(seen)));
    let mut again = SocketClient::signed_in(address, "alice").await;
    again.subscribe("1", BIG, json!({ "after": reason.rsplit(' ').next() })).await;
    for expected in seen + 1..=LAST {
        assert_eq!(number(&again.json().await), expected);
    }
    // and is with the others again, by the ring they share
    toy.tick("a", "");
    assert_eq!((number(&again.json().await), number(&quick.json().await)), (LAST + 1, LAST + 1));
    let rendered = toy.state().rendered.load(Ordering::SeqCst);
    toy.tick("a", "");
    assert_eq!((number(&again.json().await), number(&quick.json().await)), (LAST + 2, LAST + 2));
    assert_eq!(toy.state().rendered.load(Ordering::SeqCst), rendered + 1, "one rendering for both");
}

#[tokio::test]
async fn a_defect_in_a_shared_execution_is_told_to_its_members() {
    let (_, transport, address) = server().await;
    let mut client = SocketClient::signed_in(address, "alice").await;
    client.subscribe("1", "subscription { explodes }", json!({})).await;
    let message = client.json().await;
    assert_eq!((&message["type"], &message["payload"][0]["extensions"]["code"]), (&json!("error"), &json!("INTERNAL")));
    eventually("nothing is left of it", async || transport.shared_executions() == 0).await;
}

#[tokio::test]
async fn what_is_held_for_all_together_is_bounded() {
    let limits = Limits { live_user_bytes: 400_000, live_bytes: 600_000, ..Limits::default() };
    let (toy, transport, address) = server_with(limits).await;
    // with other rights, bob shares nothing with alice
    toy.change_role("bob", Role::Support);
    let mut clients = Vec::new();
    for name in ["alice", "bob"] {
        let mut client = SocketClient::signed_in(address, name).await;
        for at in 0..20 {
            // the same thing under another name is another thing to render
            let query = format!("subscription {{ ticks(topic: \"a\") {{ number cursor text{at}: text }} }}");
            client.subscribe(&format!("{name} {at}"), &query, json!({})).await;
        }
        running(&toy, 20 * (clients.len() + 1)).await;
        clients.push(client);
    }
    let text = "x".repeat(10_000);
    let mut most = 0;
    for tick in 0..30 {
        toy.tick("a", text.clone());
        for client in &mut clients {
            for _ in 0..20 {
                assert_eq!(number(&client.json().await), tick + 1);
            }
        }
        most = most.max(transport.shared_bytes());
    }
    assert!((500_000..=620_000).contains(&most), "{most}");
    // whoever comes back from before what is held is served from the log
    let mut late = SocketClient::signed_in(address, "alice").await;
    let query = "subscription($after: String) { ticks(topic: \"a\", after: $after) { number cursor text0: text } }";
    late.subscribe("1", query, after(1)).await;
    for tick in 2..=30 {
        assert_eq!(number(&late.json().await), tick);
    }
    drop((clients, late));
    eventually("nothing is held for nobody", async || transport.shared_bytes() == 0).await;
}
