//! Requests that take too long are ended, at every face; those that are meant to last go on.

use std::sync::Arc;

use kontor::base::Limits;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    live::{Live, Told},
    server::TestServer,
    sql,
};

async fn impatient_server() -> TestServer {
    let limits = Limits { request_seconds: 1, requests_per_minute: 0, ..Limits::default() };
    TestServer::start_with(|ctx| ctx.limits = Arc::new(limits)).await
}

#[tokio::test]
async fn work_that_takes_too_long_is_ended_at_every_face() {
    const QUERY: &str = "{ contacts { nodes { id } } }";
    let server = impatient_server().await;
    let admin = server.admin().await;
    let mut locked = server.database.db.system().await.expect("a transaction");
    sql::run_in(&mut locked, "LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE").await;

    let rest = admin.get("/contacts");
    let plain = admin.graphql(QUERY, json!({}));
    let strict =
        admin.graphql_with(QUERY, json!({}), |request| request.header("accept", "application/graphql-response+json"));
    let socket = async { Live::begin(&admin, QUERY, json!({})).await.refused().await };
    let (rest, plain, strict, socket) = tokio::join!(rest, plain, strict, socket);
    assert_eq!((rest.status, &rest.body["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("TIMED_OUT")));
    assert_eq!(plain["errors"][0]["extensions"]["code"], "TIMED_OUT", "{plain}");
    assert_eq!(strict.status, StatusCode::SERVICE_UNAVAILABLE, "{}", strict.body);
    assert_eq!(socket, "TIMED_OUT");

    drop(locked);
    admin.data(QUERY, json!({})).await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let server = impatient_server().await;
    let admin = server.admin().await;
    let token = admin.token.as_deref().expect("signed in");
    let address = server.url.trim_start_matches("http://");
    for path in ["/graphql", "/api/v1/contacts", "/api/uploads"] {
        let mut connection = TcpStream::connect(address).await.expect("connected");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{{"
        );
        connection.write_all(head.as_bytes()).await.expect("sent");
        let mut answer = vec![0; 12];
        connection.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(answer, b"HTTP/1.1 503", "{path}");
    }
}

#[tokio::test]
async fn a_subscription_outlives_the_limit() {
    let server = impatient_server().await;
    let admin = server.admin().await;
    let query = "subscription { recordChanged(kind: CONTACT) { recordId } }";
    let mut live = admin.subscribe(query, json!({})).await;
    // ends when the limit has surely passed: a request that began later has run into it
    let mut locked = server.database.db.system().await.expect("a transaction");
    sql::run_in(&mut locked, "LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE").await;
    for _ in 0..2 {
        let late = admin.graphql("{ accounts { nodes { id } } }", json!({})).await;
        assert_eq!(late["errors"][0]["extensions"]["code"], "TIMED_OUT", "{late}");
    }
    drop(locked);
    let made = admin.post("/contacts", json!({ "first_name": "A", "last_name": "B", "email": "a@b.test" })).await;
    assert!(made.status.is_success(), "{}", made.body);
    match live.hear().await {
        Told::Data(Value::Object(_)) => {}
        other => panic!("{other:?}"),
    }
}
