//! Connections: those that ask for nothing do not stay, and there is a most of them. And when the
//! server is ready for them.

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use axum::{Router, routing::get};
use kontor::{
    base::Limits,
    http::listen::{self, Allowance},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use crate::support::{eventually, server::TestServer, sql};

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

/// This machine's address in its network; none where it has no network.
fn own_address() -> Option<IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // sends nothing: it only asks which way that would go
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_loopback())
}

#[tokio::test]
async fn past_the_most_of_one_address_connections_are_closed_at_once() {
    let Some(own) = own_address() else {
        // not eprintln, which the test runner swallows
        let _ = writeln!(std::io::stderr(), "skipped: this machine has no address but the loopback one");
        return;
    };
    let listener = TcpListener::bind("0.0.0.0:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let allowance = Allowance { connections: 10, per_address: 1, idle: Duration::from_secs(75) };
    let router = Router::new().route("/health", get(|| async { "well" }));
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(listen::serve(listener, router, allowance, stop));
    let ask = async |address: IpAddr| {
        let mut stream = TcpStream::connect((address, port)).await.expect("connected");
        let _ = stream.write_all(REQUEST).await;
        // nothing, or a broken connection, where it is closed
        let mut told = [0; 12];
        let answered = stream.read_exact(&mut told).await.is_ok_and(|_| told == *b"HTTP/1.1 200");
        (stream, answered)
    };
    let (first, answered) = ask(own).await;
    assert!(answered);
    assert!(!ask(own).await.1);
    // what is on this machine is not counted
    let here = [ask(Ipv4Addr::LOCALHOST.into()).await, ask(Ipv4Addr::LOCALHOST.into()).await];
    assert!(here.iter().all(|(_, answered)| *answered));
    drop(first);
    eventually("the place is free again", async || ask(own).await.1).await;
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
