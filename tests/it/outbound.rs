//! Calls to other servers: nobody can use us to reach what is not public.

use axum::{
    Router,
    http::{HeaderMap, StatusCode, header::LOCATION},
    response::Redirect,
    routing::{get, post},
};
use bytes::Bytes;
use kontor::{
    base::Error,
    outbound::{Answer, Config, Outbound, Request},
};
use reqwest::Method;

use crate::support::database::install_crypto;

/// A server on loopback; returns its port.
async fn server() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let to_name = format!("http://localhost:{port}/");
    let router = Router::new()
        .route("/", get(|| async { "inside" }))
        .route("/echo", post(|headers: HeaderMap, body: Bytes| async move { (headers, body) }))
        .route("/to-name", get(move || async move { Redirect::temporary(&to_name) }))
        .route("/to-other", get(move || async move { Redirect::temporary(&format!("http://127.0.0.2:{port}/")) }))
        .route("/to-file", get(|| async { (StatusCode::FOUND, [(LOCATION, "file:///etc/passwd")]) }))
        .route("/headers", post(|headers: HeaderMap, body: Bytes| async move { (headers, body) }))
        .route("/stay", post(|| async { Redirect::temporary("/headers") }))
        .route("/leave", post(move || async move { Redirect::temporary(&format!("http://localhost:{port}/headers")) }))
        .route("/done", post(|| async { Redirect::to("/") }))
        .route("/round", get(|| async { Redirect::temporary("/round") }))
        .route("/large", get(|| async { vec![0; 2_000_000] }))
        .route("/silent", get(std::future::pending::<()>));
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

fn outbound(allow: &[&str]) -> Outbound {
    install_crypto();
    let allow = allow.iter().map(|network| network.parse().expect("a network")).collect();
    let config = Config { allow, connect_seconds: 2, request_seconds: 1, response_bytes: 1_000_000 };
    Outbound::new(&config).expect("a client")
}

async fn call(outbound: &Outbound, url: String) -> Result<Answer, Error> {
    let request = Request { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() };
    outbound.send(request).await
}

fn is_forbidden(result: Result<Answer, Error>) {
    assert!(matches!(result, Err(Error::Forbidden(_))), "{result:?}");
}

#[tokio::test]
async fn what_is_not_public_cannot_be_called() {
    let (port, nothing_allowed) = (server().await, outbound(&[]));
    for host in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"] {
        is_forbidden(call(&nothing_allowed, format!("http://{host}:{port}/")).await);
    }
    is_forbidden(call(&nothing_allowed, "file:///etc/passwd".to_owned()).await);
    let nonsense = call(&nothing_allowed, "what?".to_owned()).await;
    assert!(matches!(nonsense, Err(Error::Invalid(_))), "{nonsense:?}");
}

#[tokio::test]
async fn a_permitted_network_can_be_called_and_redirects_do_not_lead_out_of_it() {
    let (port, outbound) = (server().await, outbound(&["127.0.0.1/32"]));
    for path in ["http://127.0.0.1", "http://localhost"] {
        let answer = call(&outbound, format!("{path}:{port}/")).await.expect("answered");
        assert_eq!((answer.status, answer.body.as_ref()), (StatusCode::OK, b"inside".as_slice()));
    }
    assert_eq!(call(&outbound, format!("http://127.0.0.1:{port}/to-name")).await.expect("followed").body, "inside");
    is_forbidden(call(&outbound, format!("http://127.0.0.1:{port}/to-other")).await);
    let to_file = call(&outbound, format!("http://127.0.0.1:{port}/to-file")).await.expect("an answer, not a file");
    assert_eq!((to_file.status, to_file.body.as_ref()), (StatusCode::FOUND, b"".as_slice()));
    is_forbidden(call(&outbound, format!("http://127.0.0.1:{port}/round")).await);
    let missing = call(&outbound, format!("http://127.0.0.1:{port}/nothing")).await.expect("an answer all the same");
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_redirect_to_a_name_of_a_private_address_is_refused() {
    // 127.0.0.2 is the public internet here, and localhost the inside
    let listener = tokio::net::TcpListener::bind("127.0.0.2:0").await.expect("loopback has many addresses");
    let port = listener.local_addr().expect("bound").port();
    let inside = server().await;
    let target = format!("http://localhost:{inside}/");
    let router = Router::new().route("/", get(move || async move { Redirect::temporary(&target) }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    is_forbidden(call(&outbound(&["127.0.0.2/32"]), format!("http://127.0.0.2:{port}/")).await);
}

#[tokio::test]
async fn a_request_carries_its_headers_and_body() {
    let (port, outbound) = (server().await, outbound(&["127.0.0.0/8"]));
    let mut headers = HeaderMap::new();
    headers.insert("x-kontor-test", "yes".parse().expect("a value"));
    let url = format!("http://127.0.0.1:{port}/echo");
    let request = Request { method: Method::POST, url, headers, body: Bytes::from_static(b"hello") };
    let answer = outbound.send(request).await.expect("answered");
    assert_eq!(answer.body, "hello");
    assert_eq!(answer.headers["x-kontor-test"], "yes");
    assert!(answer.headers["user-agent"].to_str().expect("ASCII").starts_with("kontor/"));
}

#[tokio::test]
async fn a_redirect_takes_headers_along_to_the_same_server_only() {
    let (port, outbound) = (server().await, outbound(&["127.0.0.0/8", "::1"]));
    let send = async |path: &str| {
        let headers = [("x-signature", "secret"), ("authorization", "Bearer x"), ("content-type", "text/plain")];
        let headers = headers.map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
        let url = format!("http://127.0.0.1:{port}{path}");
        let request =
            Request { method: Method::POST, url, headers: HeaderMap::from_iter(headers), body: "hello".into() };
        outbound.send(request).await.expect("answered")
    };
    let stayed = send("/stay").await;
    assert_eq!(
        (stayed.headers["x-signature"].as_bytes(), stayed.body.as_ref()),
        (b"secret".as_slice(), b"hello".as_slice())
    );
    let left = send("/leave").await;
    assert!(!left.headers.contains_key("x-signature") && !left.headers.contains_key("authorization"));
    assert_eq!(
        (left.headers["content-type"].as_bytes(), left.body.as_ref()),
        (b"text/plain".as_slice(), b"hello".as_slice())
    );
    // 303: the answer is elsewhere, to be got
    assert_eq!(send("/done").await.body, "inside");
}

#[tokio::test]
async fn answers_that_are_too_large_or_too_late_are_given_up() {
    let (port, outbound) = (server().await, outbound(&["127.0.0.0/8"]));
    let large = call(&outbound, format!("http://127.0.0.1:{port}/large")).await;
    assert!(matches!(large, Err(Error::TooLarge(_))), "{large:?}");
    let silent = call(&outbound, format!("http://127.0.0.1:{port}/silent")).await;
    assert!(matches!(silent, Err(Error::Unavailable(_))), "{silent:?}");
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let nobody = call(&outbound, format!("http://127.0.0.1:{unused}/")).await;
    assert!(matches!(nobody, Err(Error::Unavailable(_))), "{nobody:?}");
}
