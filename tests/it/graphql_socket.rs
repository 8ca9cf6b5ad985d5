//! The websocket protocol rule by rule, with a client that breaks each.

use std::{net::SocketAddr, sync::atomic::Ordering, time::Duration};

use futures_util::{SinkExt, StreamExt};
use kontor::{
    auth::Role,
    base::Limits,
    graphql::{Timings, Transport},
};
use serde_json::{Value, json};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::support::{
    eventually,
    socket_client::{Heard, SocketClient},
    toy::{self, Toy},
};

const TICKS: &str = "subscription($after: String) { ticks(topic: \"a\", after: $after) { number role cursor } }";

async fn server() -> (Toy, Transport<Toy>, SocketAddr) {
    toy::serve(Limits::default(), Timings::default()).await
}

fn init() -> Value {
    json!({ "type": "connection_init" })
}

fn code(message: &Value) -> &str {
    assert_eq!(message["type"], "error", "{message}");
    message["payload"][0]["extensions"]["code"].as_str().expect("a code")
}

#[tokio::test]
async fn another_subprotocol_is_4406() {
    let (_, _, address) = server().await;
    for offered in [None, Some("graphql-ws")] {
        let mut request = format!("ws://{address}/graphql").into_client_request().expect("a URL");
        if let Some(offered) = offered {
            request.headers_mut().insert("sec-websocket-protocol", offered.parse().expect("a header value"));
        }
        // a strict client ends the handshake itself when its offer is not taken up
        let Ok((mut socket, _)) = connect_async(request).await else { continue };
        let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else { panic!("expected a close frame") };
        assert_eq!(u16::from(frame.code), 4406);
    }
}

#[tokio::test]
async fn messages_that_are_none_are_4400_with_a_reason_that_fits() {
    let (_, _, address) = server().await;
    let long = format!(r#"{{"type":"{}"}}"#, "ü".repeat(500));
    for message in [
        "",
        "nonsense",
        "[]",
        "{}",
        r#"{"type":1}"#,
        r#"{"type":"start"}"#,
        r#"{"type":"connection_init","payload":"x"}"#,
        r#"{"type":"ping","payload":1}"#,
        r#"{"type":"subscribe","payload":{"query":"{hello}"}}"#,
        r#"{"type":"subscribe","id":"","payload":{"query":"{hello}"}}"#,
        r#"{"type":"subscribe","id":1,"payload":{"query":"{hello}"}}"#,
        r#"{"type":"subscribe","id":"1"}"#,
        r#"{"type":"subscribe","id":"1","payload":{}}"#,
        r#"{"type":"complete"}"#,
        &long,
    ] {
        let mut client = SocketClient::open(address, &[]).await;
        client.say_text(message).await;
        let (code, reason) = client.closed().await;
        assert_eq!(code, 4400, "{message}");
        assert!(reason.starts_with("Invalid message: ") && reason.len() <= 123, "{reason}");
    }
    let mut client = SocketClient::open(address, &[]).await;
    client.socket.send(Message::binary(vec![1, 2, 3])).await.expect("sent");
    assert_eq!(client.closed().await.0, 4400);
}

#[tokio::test]
async fn a_message_larger_than_the_limit_is_1009() {
    let (_, _, address) =
        toy::serve(Limits { socket_message_bytes: 1_000, ..Limits::default() }, Timings::default()).await;
    let mut client = SocketClient::open(address, &[]).await;
    client.say(json!({ "type": "ping", "payload": { "a": "b".repeat(2_000) } })).await;
    assert_eq!(client.closed().await.0, 1009);
}

#[tokio::test]
async fn a_socket_begins_with_one_connection_init_in_time() {
    let timings = Timings { init: Duration::from_millis(50), ..Timings::default() };
    let (_, _, address) = toy::serve(Limits::default(), timings).await;
    let mut silent = SocketClient::open(address, &[]).await;
    assert_eq!(silent.closed().await, (4408, "Connection initialisation timeout".to_owned()));

    let (_, _, address) = server().await;
    let mut hasty = SocketClient::open(address, &[]).await;
    hasty.subscribe("1", "{ hello }", json!({})).await;
    assert_eq!(hasty.closed().await, (4401, "Unauthorized".to_owned()));

    let mut twice = SocketClient::signed_in(address, "alice").await;
    twice.say(init()).await;
    assert_eq!(twice.closed().await, (4429, "Too many initialisation requests".to_owned()));
}

#[tokio::test]
async fn the_caller_is_who_connection_init_or_the_upgrade_says() {
    let (_, _, address) = server().await;
    let host = address.to_string();
    let (ours, theirs) = (format!("http://{host}"), "https://evil.example".to_owned());
    let cookie = ("cookie", "session=alice");
    let authorization = |name: &str| json!({ "authorization": format!("Bearer {name}") });
    for (headers, payload, expected) in [
        (vec![], authorization("alice"), json!("manager")),
        (vec![("authorization", "Bearer alice")], Value::Null, json!("manager")),
        (vec![cookie], Value::Null, json!("manager")),
        (vec![cookie, ("origin", ours.as_str())], Value::Null, json!("manager")),
        (vec![cookie, ("sec-fetch-site", "same-origin")], Value::Null, json!("manager")),
        (vec![], Value::Null, Value::Null),
        (vec![("origin", theirs.as_str())], Value::Null, Value::Null),
        // the page says itself who it is, so where it comes from does not matter
        (vec![cookie, ("origin", theirs.as_str())], authorization("bob"), json!("manager")),
    ] {
        let mut client = SocketClient::open(address, &headers).await;
        client.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(client.json().await["type"], "connection_ack");
        client.subscribe("1", "{ role }", json!({})).await;
        assert_eq!(client.json().await["payload"], json!({ "data": { "role": expected } }), "{headers:?}");
    }
    for (headers, payload) in [
        (vec![], authorization("nobody")),
        (vec![], json!({ "authorization": "Bearer a\nb" })),
        (vec![cookie, ("origin", theirs.as_str())], Value::Null),
        (vec![cookie, ("origin", "null")], Value::Null),
        // what the browser itself says of the page counts for more
        (vec![cookie, ("origin", ours.as_str()), ("sec-fetch-site", "same-site")], Value::Null),
    ] {
        let mut client = SocketClient::open(address, &headers).await;
        client.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(client.closed().await.0, 4403, "{headers:?} {payload}");
    }
}

#[tokio::test]
async fn queries_and_mutations_are_answered_and_completed() {
    let (_, _, address) = server().await;
    let mut client = SocketClient::signed_in(address, "alice").await;
    client.subscribe("q", "query($n: String!) { hello(name: $n) }", json!({ "n": "you" })).await;
    let next = json!({ "id": "q", "type": "next", "payload": { "data": { "hello": "hello you" } } });
    assert_eq!(client.json().await, next);
    assert_eq!(client.json().await, json!({ "id": "q", "type": "complete" }));
    // a failed field is a result, and the id is free again
    client.subscribe("q", "{ failAll }", json!({})).await;
    let failed = client.json().await;
    assert_eq!((&failed["type"], &failed["payload"]["data"]), (&json!("next"), &Value::Null));
    assert_eq!(failed["payload"]["errors"][0]["extensions"]["code"], "NOT_FOUND");
    assert_eq!(client.json().await["type"], "complete");
    client.subscribe("m", "mutation { add(number: 4) }", json!({})).await;
    assert_eq!(client.json().await["payload"], json!({ "data": { "add": 4 } }));
}

#[tokio::test]
async fn a_slow_query_holds_up_nobody_and_can_be_cancelled() {
    let (toy, _, address) = server().await;
    let mut client = SocketClient::signed_in(address, "alice").await;
    client.subscribe("slow", "{ wait }", json!({})).await;
    client.subscribe("cancelled", "{ wait }", json!({})).await;
    client.say(json!({ "id": "cancelled", "type": "complete" })).await;
    client.subscribe("quick", "{ hello }", json!({})).await;
    assert_eq!(client.json().await["payload"], json!({ "data": { "hello": "hello world" } }));
    assert_eq!(client.json().await, json!({ "id": "quick", "type": "complete" }));
    toy.state().go.notify_waiters();
    assert_eq!(client.json().await, json!({ "id": "slow", "type": "next", "payload": { "data": { "wait": true } } }));
    assert_eq!(client.json().await, json!({ "id": "slow", "type": "complete" }));
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.json().await, json!({ "type": "pong" }), "of the cancelled one nothing is heard");
}

#[tokio::test]
async fn what_is_refused_is_an_error_and_ends_the_operation_only() {
    let (toy, _, address) = server().await;
    let mut client = SocketClient::signed_in(address, "alice").await;
    for (query, expected) in [
        ("{", "BAD_USER_INPUT"),
        ("{ nonsense }", "BAD_USER_INPUT"),
        ("subscription { nonsense }", "BAD_USER_INPUT"),
        ("query A { hello } query B { hello }", "BAD_USER_INPUT"),
        ("subscription { refused }", "FORBIDDEN"),
        ("subscription { ticks(topic: \"a\", after: \"nonsense\") { number } }", "BAD_USER_INPUT"),
    ] {
        client.subscribe("1", query, json!({})).await;
        assert_eq!(code(&client.json().await), expected, "{query}");
    }
    let expired = json!({ "after": toy::cursor(-5) });
    client.subscribe("1", TICKS, expired).await;
    assert_eq!(code(&client.json().await), "CURSOR_EXPIRED");
    let deep = format!("{{ {} }}", "{".repeat(100_000));
    client.subscribe("1", &deep, json!({})).await;
    assert_eq!(code(&client.json().await), "BAD_USER_INPUT");
    let dear = format!("{{ {} }}", (0..2_000).map(|at| format!("a{at}: hello ")).collect::<String>());
    client.subscribe("1", &dear, json!({})).await;
    let refused = client.json().await;
    assert!(refused["payload"][0]["message"].as_str().expect("text").contains("costs more than"), "{refused}");
    client.subscribe("1", "{ hello }", json!([1])).await;
    assert_eq!(code(&client.json().await), "BAD_USER_INPUT");

    // a broken event is one result among others
    client.subscribe("1", "subscription { ticks(topic: \"b\") { number whole } }", json!({})).await;
    eventually("it runs", async || toy.state().executed.load(Ordering::SeqCst) == 1).await;
    toy.tick("b", "broken");
    toy.tick("b", "fine");
    assert_eq!(client.json().await["payload"]["errors"][0]["extensions"]["code"], "NOT_FOUND");
    assert_eq!(client.json().await["payload"]["data"]["ticks"]["number"], 2);
}

#[tokio::test]
async fn an_id_names_one_operation_until_it_ends() {
    let (toy, _, address) = server().await;
    let mut client = SocketClient::signed_in(address, "alice").await;
    client.subscribe("1", "subscription { few(count: 2) { number } }", json!({})).await;
    for expected in [json!(1), json!(2)] {
        assert_eq!(client.json().await["payload"]["data"]["few"]["number"], expected);
    }
    assert_eq!(client.json().await, json!({ "id": "1", "type": "complete" }));
    client.subscribe("1", TICKS, json!({})).await;
    eventually("it runs", async || toy.state().alive.load(Ordering::SeqCst) == 1).await;
    client.say(json!({ "id": "1", "type": "complete" })).await;
    eventually("it is stopped", async || toy.state().alive.load(Ordering::SeqCst) == 0).await;
    client.say(json!({ "id": "1", "type": "complete" })).await;
    client.subscribe("1", TICKS, json!({})).await;
    client.subscribe("1", TICKS, json!({})).await;
    assert_eq!(client.closed().await, (4409, "Subscriber for 1 already exists".to_owned()));
    eventually("what ran on the socket is stopped", async || toy.state().alive.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn both_ends_ping_and_a_silent_one_is_dropped() {
    // so long a client that lives may be kept from answering
    let timings = Timings { ping: Duration::from_secs(2), ..Timings::default() };
    let (_, transport, address) = toy::serve(Limits::default(), timings).await;
    let mut client = SocketClient::open(address, &[]).await;
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.json().await, json!({ "type": "pong" }), "also before connection_init");
    client.say(init()).await;
    assert_eq!(client.json().await["type"], "connection_ack");
    client.say(json!({ "type": "ping", "payload": { "a": 1 } })).await;
    assert_eq!(client.json().await, json!({ "type": "pong", "payload": { "a": 1 } }));
    client.say(json!({ "type": "pong" })).await;
    // the second comes only where the first was answered
    for _ in 0..2 {
        // the library answers a ping when it is asked for what comes next
        let Some(Ok(Message::Ping(_))) = client.socket.next().await else { panic!("expected a ping") };
    }
    assert_eq!(transport.open_sockets(), 1);
    // from here on the client is not asked any more, so nothing answers
    eventually("the dead socket is dropped", async || transport.open_sockets() == 0).await;
}

#[tokio::test]
async fn limits_of_sockets_and_operations() {
    let limits = Limits { sockets_per_user: 2, subscriptions_per_socket: 2, ..Limits::default() };
    let (_, _, address) = toy::serve(limits, Timings::default()).await;
    let mut first = SocketClient::signed_in(address, "alice").await;
    let _second = SocketClient::signed_in(address, "alice").await;
    let mut third = SocketClient::open(address, &[("authorization", "Bearer alice")]).await;
    third.say(init()).await;
    let (code_of_close, reason) = third.closed().await;
    assert_eq!(code_of_close, 4429);
    assert!(reason.contains("No more than 2"), "{reason}");
    let _another_user = SocketClient::signed_in(address, "bob").await;

    for id in ["1", "2"] {
        first.subscribe(id, TICKS, json!({})).await;
    }
    first.subscribe("3", TICKS, json!({})).await;
    let refused = first.json().await;
    assert_eq!((code(&refused), &refused["id"]), ("TOO_LARGE", &json!("3")));
    first.say(json!({ "id": "1", "type": "complete" })).await;
    first.subscribe("3", "{ hello }", json!({})).await;
    assert_eq!(first.json().await["type"], "next");

    drop(first);
    let again = async || {
        let mut client = SocketClient::open(address, &[("authorization", "Bearer alice")]).await;
        client.say(init()).await;
        matches!(client.hear().await, Heard::Json(_))
    };
    let mut freed = again().await;
    for _ in 0..1_000 {
        if freed {
            break;
        }
        freed = again().await;
    }
    assert!(freed, "a closed socket's seat is free again");
}

#[tokio::test]
async fn a_busy_subscription_starves_nobody() {
    let (toy, _, address) = server().await;
    let mut client = SocketClient::signed_in(address, "alice").await;
    client.subscribe("busy", "subscription { busy }", json!({})).await;
    client.subscribe("ticks", TICKS, json!({})).await;
    client.subscribe("query", "{ hello }", json!({})).await;
    let (mut seen, mut busy, mut ticked) = (Vec::new(), 0, false);
    while seen.len() < 5 {
        let message = client.json().await;
        match message["id"].as_str() {
            Some("busy") => busy += 1,
            Some("query") => seen.push(message["type"].clone()),
            _ => seen.push(message["payload"]["data"]["ticks"]["number"].clone()),
        }
        if !ticked && busy > 100 && toy.state().executed.load(Ordering::SeqCst) == 2 {
            ticked = true;
            for _ in 0..3 {
                toy.tick("a", "");
            }
        }
        assert!(busy < 100_000, "the others were not heard: {seen:?}");
    }
    seen.sort_by_key(Value::to_string);
    assert_eq!(seen, [json!("complete"), json!("next"), json!(1), json!(2), json!(3)]);
    client.say(json!({ "type": "ping" })).await;
    for _ in 0..100_000 {
        if client.json().await["type"] == "pong" {
            return;
        }
    }
    panic!("the ping was not heard");
}

#[tokio::test]
async fn rights_take_effect_on_the_next_delivery() {
    let (toy, _, address) = server().await;
    let mut client = SocketClient::signed_in(address, "alice").await;
    client.subscribe("1", TICKS, json!({})).await;
    eventually("it runs", async || toy.state().executed.load(Ordering::SeqCst) == 1).await;
    toy.tick("a", "");
    assert_eq!(client.json().await["payload"]["data"]["ticks"]["role"], "manager");
    toy.change_role("alice", Role::Support);
    toy.tick("a", "");
    toy.tick("a", "");
    for number in [2, 3] {
        let shown = client.json().await["payload"]["data"]["ticks"].take();
        assert_eq!((&shown["number"], &shown["role"]), (&json!(number), &json!("support")));
    }
    toy.change_role("bob", Role::Admin);
    toy.tick("a", "");
    assert_eq!(client.json().await["payload"]["data"]["ticks"]["number"], 4);
    toy.sign_out("alice");
    toy.tick("a", "");
    assert_eq!(client.closed().await, (4401, "Signed out".to_owned()));
}

#[tokio::test]
async fn a_stopping_server_sends_its_sockets_away_to_come_back() {
    let (toy, transport, address) = server().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = SocketClient::signed_in(address, "alice").await;
        client.subscribe("1", TICKS, json!({})).await;
        clients.push(client);
    }
    eventually("they run", async || toy.state().alive.load(Ordering::SeqCst) == 1).await;
    let stopped = tokio::spawn(async move { transport.stop().await });
    for client in &mut clients {
        assert_eq!(client.closed().await.0, 1012);
    }
    stopped.await.expect("stopped");
}

#[tokio::test]
async fn garbage_never_brings_the_server_down() {
    let (_, _, address) = server().await;
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let good = json!({ "id": "1", "type": "subscribe", "payload": { "query": TICKS, "variables": { "after": "x" } } });
    let good = good.to_string().into_bytes();
    for _ in 0..200 {
        let mut bytes = good.clone();
        for _ in 0..=random(8) {
            let at = random(bytes.len() as u64) as usize;
            match random(3) {
                0 => bytes[at] = random(256) as u8,
                1 if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let mut client = SocketClient::open(address, &[("authorization", "Bearer alice")]).await;
        client.say(init()).await;
        let message = match String::from_utf8(bytes) {
            Ok(text) => Message::text(text),
            Err(broken) => Message::binary(broken.into_bytes()),
        };
        client.socket.send(message).await.expect("sent");
        client.socket.send(Message::text(r#"{"type":"ping"}"#)).await.ok();
        // whatever it was, it is answered or the socket is closed with a code
        loop {
            match client.hear().await {
                Heard::Json(message) if message["type"] == "pong" => break,
                Heard::Json(_) => {}
                Heard::Closed { code, .. } => {
                    assert!([4400, 4401, 4409].contains(&code), "{code}");
                    break;
                }
                Heard::Lost => panic!("the socket was dropped without a word"),
            }
        }
    }
    SocketClient::signed_in(address, "alice").await;
}
