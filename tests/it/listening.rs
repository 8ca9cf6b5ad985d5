//! Connections: those that ask for nothing do not stay, and there is a most of them. And when the
//! server is ready for them.

use std::sync::Arc;

use kontor::base::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{server::TestServer, sql};

async fn server(connections: usize, idle_seconds: u64) -> TestServer {
    TestServer::start_with(|ctx| {
        ctx.limits = Arc::new(Limits { connections, idle_seconds, ..(*ctx.limits).clone() });
    })
    .await
}

async fn connect(server: &TestServer) -> TcpStream {
    TcpStream::connect(server.url.trim_start_matches("http://")).await.expect("connected")
}

/// All that comes until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await.expect("closed in order");
    String::from_utf8(text).expect("text")
}

const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nhost: kontor.test\r\n\r\n";

#[tokio::test]
async fn a_connection_that_asks_for_nothing_is_closed() {
    let server = server(10, 1).await;
    // nothing at all, half a preface of HTTP/2, half a request
    for begun in [&b""[..], b"PRI * HT", b"GET /health HTTP/1.1\r\nhost: kon"] {
        let mut stream = connect(&server).await;
        stream.write_all(begun).await.expect("sent");
        let told = rest(&mut stream).await;
        assert!(!told.contains("200"), "{told}");
    }
    // one that was used
    let mut stream = connect(&server).await;
    stream.write_all(REQUEST).await.expect("sent");
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn past_the_most_connections_the_next_one_waits() {
    let server = server(1, 1).await;
    let mut idle = connect(&server).await;
    let mut next = connect(&server).await;
    next.write_all(REQUEST).await.expect("sent");
    let (first, second) = tokio::join!(rest(&mut idle), rest(&mut next));
    assert!(!first.contains("200"), "{first}");
    assert!(second.starts_with("HTTP/1.1 200"), "{second}");
}

#[tokio::test]
async fn websockets_may_come_over_http2() {
    let server = server(10, 75).await;
    let mut stream = connect(&server).await;
    // the preface, and settings that change nothing
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("sent");
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.expect("a frame");
    assert_eq!(head[3], 4, "settings come first");
    let mut settings = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    stream.read_exact(&mut settings).await.expect("the frame's body");
    // RFC 8441: SETTINGS_ENABLE_CONNECT_PROTOCOL
    assert!(settings.chunks(6).any(|setting| setting == [0, 8, 0, 0, 0, 1]), "{settings:?}");
}

#[tokio::test]
async fn a_server_is_ready_once_the_database_has_its_schema() {
    let server = server(100, 75).await;
    let ready = async || {
        let response = reqwest::get(format!("{}/ready", server.url)).await.expect("an answer");
        (response.status().as_u16(), response.json::<serde_json::Value>().await.expect("JSON"))
    };
    let db = &server.database.db;
    sql::run(db, "UPDATE __diesel_schema_migrations SET version = 'x' WHERE version = '0002'").await;
    let (status, told) = ready().await;
    assert_eq!((status, &told["database"], &told["schema"]), (503, &"ok".into(), &"unavailable".into()), "{told}");
    sql::run(db, "UPDATE __diesel_schema_migrations SET version = '0002' WHERE version = 'x'").await;
    let (status, told) = ready().await;
    assert_eq!((status, &told["schema"]), (200, &"ok".into()), "{told}");
}
