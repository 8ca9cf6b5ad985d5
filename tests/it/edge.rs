//! The edge: how many requests may come from where, in which shape refusals of the edge itself
//! come, pages of other origins, and the figures.

use std::sync::Arc;

use axum::{Router, middleware, routing::any};
use kontor::{
    config::Config,
    graphql,
    http::{
        bounds::Rates,
        guard::{self, Guard, Refuse},
        request_id,
    },
    rest,
    server::Server,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use crate::support::{
    eventually,
    live::open,
    server::{Client, TestServer},
    sql,
};

/// Another node over the same tools, with settings of its own.
async fn node(server: &TestServer, change: impl FnOnce(&mut Config)) -> Client {
    let mut config = Config { limits: (*server.ctx.limits).clone(), ..Config::default() };
    change(&mut config);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let node = Server::new(&config, server.ctx.clone(), server.events.clone()).expect("put together");
    tokio::spawn(node.run(listener, CancellationToken::new()));
    Client::new(&url, &server.ctx)
}

/// One request a minute for each, as proxies tell them apart.
async fn strict(server: &TestServer) -> Client {
    node(server, |config| {
        config.limits.requests_per_minute = 1;
        config.trusted_proxies = 1;
    })
    .await
}

async fn send(
    node: &Client,
    method: Method,
    path: &str,
    with: impl FnOnce(RequestBuilder) -> RequestBuilder,
) -> Response {
    with(node.http.request(method, format!("{}{path}", node.url))).send().await.expect("an answer")
}

/// Reads contacts from this address, with this token.
async fn read(node: &Client, from: &str, token: Option<&str>) -> StatusCode {
    let with = |request: RequestBuilder| match token {
        Some(token) => request.header("x-forwarded-for", from).bearer_auth(token),
        None => request.header("x-forwarded-for", from),
    };
    send(node, Method::GET, "/api/v1/contacts", with).await.status()
}

const REFUSED: StatusCode = StatusCode::UNAUTHORIZED;
const LIMITED: StatusCode = StatusCode::TOO_MANY_REQUESTS;

#[tokio::test]
async fn wrong_tokens_count_for_the_address_that_tries_them() {
    let server = TestServer::start().await;
    let node = strict(&server).await;
    assert_eq!(read(&node, "203.0.113.1", Some("wrong-1")).await, REFUSED);
    assert_eq!(read(&node, "203.0.113.1", Some("wrong-2")).await, LIMITED);
    assert_eq!(read(&node, "203.0.113.1", None).await, LIMITED);
    assert_eq!(read(&node, "203.0.113.2", Some("wrong-1")).await, REFUSED);
    assert_eq!(read(&node, "203.0.113.3", None).await, REFUSED);
    assert_eq!(read(&node, "203.0.113.3", Some("wrong-3")).await, LIMITED);
}

#[tokio::test]
async fn neighbours_in_an_ipv6_network_share_an_allowance() {
    let server = TestServer::start().await;
    let node = strict(&server).await;
    assert_eq!(read(&node, "2001:db8::1", None).await, REFUSED);
    assert_eq!(read(&node, "2001:db8::ffff:1", Some("wrong")).await, LIMITED);
    assert_eq!(read(&node, "2001:db8:0:1::1", None).await, REFUSED);
    // one address, however it is written
    assert_eq!(read(&node, "::ffff:203.0.113.9", None).await, REFUSED);
    assert_eq!(read(&node, "203.0.113.9", None).await, LIMITED);
}

#[tokio::test]
async fn a_valid_token_has_an_allowance_of_its_own() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (token, other) = (ada.token.clone().expect("a token"), ada.again().await.token.expect("a token"));
    let node = strict(&server).await;
    let at = "203.0.113.1";
    // its first request tells that it is valid
    assert_eq!(read(&node, at, Some(&token)).await, StatusCode::OK);
    assert_eq!(read(&node, at, Some("wrong")).await, LIMITED);
    assert_eq!(read(&node, at, Some(&token)).await, StatusCode::OK);
    assert_eq!(read(&node, "203.0.113.2", Some(&token)).await, LIMITED);
    assert_eq!(read(&node, "203.0.113.2", Some(&other)).await, StatusCode::OK);
}

#[tokio::test]
async fn a_refusal_of_the_limiter_looks_as_its_face_does() {
    let server = TestServer::start().await;
    let node = strict(&server).await;
    read(&node, "203.0.113.1", None).await;
    let limited = async |method: Method, path: &str, accept: &str| {
        let with = |request: RequestBuilder| request.header("x-forwarded-for", "203.0.113.1").header("accept", accept);
        let answer = send(&node, method, path, with).await;
        assert_eq!(answer.status(), LIMITED, "{path}");
        let after: u64 = answer.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
        assert!((1..=60).contains(&after), "{path}: {after}");
        let (id, media) = (text(answer.headers(), "x-request-id"), text(answer.headers(), "content-type"));
        (answer.json::<Value>().await.expect("JSON"), id, media)
    };
    let (wrapped, id, _) = limited(Method::GET, "/api/v1/contacts", "*/*").await;
    assert_eq!((&wrapped["success"], &wrapped["code"]), (&json!(false), &json!("RATE_LIMITED")), "{wrapped}");
    assert_eq!(wrapped["requestId"], id);
    for path in ["/api/v1/import", "/api/v1/import/x"] {
        let (bare, ..) = limited(Method::POST, path, "*/*").await;
        assert_eq!((bare.get("success"), &bare["code"]), (None, &json!("RATE_LIMITED")), "{bare}");
    }
    let (graphql, id, media) = limited(Method::POST, "/graphql", "application/graphql-response+json").await;
    let error = &graphql["errors"][0];
    assert_eq!(error["extensions"]["code"], "RATE_LIMITED", "{graphql}");
    assert_eq!(
        (&error["extensions"]["requestId"], media.as_str()),
        (&json!(id), "application/graphql-response+json; charset=utf-8")
    );
    assert!(error["extensions"]["retryAfter"].is_u64() && error["message"].is_string(), "{graphql}");
    let (_, _, media) = limited(Method::POST, "/graphql", "text/event-stream").await;
    assert_eq!(media, "application/json; charset=utf-8");
    let (door, ..) = limited(Method::POST, "/api/uploads", "*/*").await;
    assert_eq!((door.get("success"), &door["code"]), (None, &json!("RATE_LIMITED")), "{door}");
}

/// All that the server says to a request of which every byte is sent before anything is heard.
async fn sent_whole(server: &TestServer, head: &str, size: usize) -> String {
    let address = server.url.trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).await.expect("connected");
    let head = format!("{head}\r\nhost: {address}\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n");
    connection.write_all(head.as_bytes()).await.expect("sent");
    let chunk = vec![b' '; 1_000_000];
    for _ in 0..size / chunk.len() {
        connection.write_all(&chunk).await.expect("the server takes it all");
    }
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.expect("closed in order");
    String::from_utf8(answer).expect("text")
}

/// Whatever it is refused for: the caller, the body itself, a path or a method that there is not.
#[tokio::test]
async fn a_refusal_is_heard_by_whoever_sends_all_of_a_large_body_first() {
    let server = TestServer::start().await;
    let upload = uuid::Uuid::now_v7();
    let wrong = "authorization: Bearer wrong";
    let json = "content-type: application/json";
    for (head, status, size) in [
        (format!("POST /api/v1/contacts HTTP/1.1\r\n{wrong}\r\n{json}"), 401, 100_000_000),
        (
            format!("PUT /api/v1/contacts/{upload} HTTP/1.1\r\n{wrong}\r\n{json}\r\nidempotency-key: k"),
            401,
            100_000_000,
        ),
        (format!("PUT /api/uploads/{upload} HTTP/1.1\r\n{wrong}"), 401, 100_000_000),
        (format!("POST /graphql HTTP/1.1\r\n{wrong}\r\n{json}"), 401, 100_000_000),
        (format!("POST /graphql HTTP/1.1\r\n{json}"), 413, 20_000_000),
        (format!("PATCH /api/v1/contacts HTTP/1.1\r\n{wrong}"), 405, 20_000_000),
        ("POST /nowhere HTTP/1.1".to_owned(), 404, 20_000_000),
    ] {
        let answer = sent_whole(&server, &head, size).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let told: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{head}: {error} in {answer}"));
        assert!(told.is_object(), "{head}: {told}");
    }
}

#[tokio::test]
async fn who_asks_before_sending_is_refused_and_not_waited_for() {
    let server = TestServer::start().await;
    let head = "POST /graphql HTTP/1.1\r\nauthorization: Bearer wrong\r\ncontent-type: application/json\r\n\
                expect: 100-continue";
    let address = server.url.trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).await.expect("connected");
    let head = format!("{head}\r\nhost: {address}\r\ncontent-length: 100000000\r\nconnection: close\r\n\r\n");
    connection.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.expect("closed in order");
    let answer = String::from_utf8(answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 401 ") && !answer.contains("100 Continue"), "{answer}");
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers[name].to_str().expect("text").to_owned()
}

async fn broken() -> StatusCode {
    panic!("a defect of the test's own")
}

#[tokio::test]
async fn a_handler_that_panics_is_refused_as_its_face_does() {
    let face = |paths: &[&str], refuse: Refuse| {
        let guard = Guard { face: "test", rates: Rates::unlimited(), within: None, refuse };
        let router = paths.iter().fold(Router::new(), |router, path| router.route(path, any(broken)));
        router.layer(middleware::from_fn_with_state(guard, guard::layer))
    };
    let app = face(&["/api/v1/contacts", "/api/v1/import"], rest::refuse)
        .merge(face(&["/graphql"], graphql::refuse))
        .merge(face(&["/api/uploads"], guard::refuse))
        .layer(middleware::from_fn(request_id::layer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    crate::support::database::install_crypto();
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let ask = async |path: &str| {
        let answer = http.post(format!("{url}{path}")).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        let id = text(answer.headers(), "x-request-id");
        (answer.json::<Value>().await.expect("JSON"), id)
    };
    let (wrapped, id) = ask("/api/v1/contacts").await;
    assert_eq!((&wrapped["success"], &wrapped["code"]), (&json!(false), &json!("INTERNAL")), "{wrapped}");
    assert_eq!(wrapped["requestId"], id);
    for path in ["/api/v1/import", "/api/uploads"] {
        let (bare, _) = ask(path).await;
        assert_eq!((bare.get("success"), &bare["code"]), (None, &json!("INTERNAL")), "{bare}");
    }
    let (graphql, id) = ask("/graphql").await;
    let extensions = &graphql["errors"][0]["extensions"];
    assert_eq!((&extensions["code"], &extensions["requestId"]), (&json!("INTERNAL"), &json!(id)), "{graphql}");
    assert!(!wrapped.to_string().contains("defect") && !graphql.to_string().contains("defect"));
}

#[tokio::test]
async fn a_graphql_request_that_takes_too_long_is_ended() {
    let server = TestServer::start_with(|ctx| {
        ctx.auth.open_registration = true;
        Arc::make_mut(&mut ctx.limits).request_seconds = 1;
    })
    .await;
    let ada = server.admin().await;
    let mut tx = server.database.db.system().await.expect("a transaction");
    sql::run_in(&mut tx, "LOCK TABLE accounts").await;
    let query = "{ accounts { nodes { id } } }";
    let answer = ada.graphql_with(query, json!({}), |request| request).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.body["errors"][0]["extensions"]["code"], "TIMED_OUT", "{}", answer.body);
    drop(tx);
    ada.data(query, json!({})).await;
}

#[tokio::test]
async fn operations_on_a_socket_count_too() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let node = node(&server, |config| config.limits.requests_per_minute = 1).await;
    let mut there = ada.clone();
    there.url = node.url;
    let mut socket = open(&there).await;
    let viewer = "{ viewer { user { id } } }";
    socket.subscribe("1", viewer, json!({})).await;
    let first = socket.json().await;
    assert_eq!(first["payload"]["data"]["viewer"]["user"]["id"], json!(ada.user()), "{first}");
    assert_eq!(socket.json().await["type"], "complete");
    socket.subscribe("2", viewer, json!({})).await;
    let second = socket.json().await;
    assert_eq!((&second["type"], &second["id"]), (&json!("error"), &json!("2")), "{second}");
    assert_eq!(second["payload"][0]["extensions"]["code"], "RATE_LIMITED", "{second}");
}

#[tokio::test]
async fn operations_of_a_batch_count_one_by_one() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let node = node(&server, |config| config.limits.requests_per_minute = 1).await;
    let batch = json!(vec![json!({ "query": "{ viewer { permissions } }" }); 3]);
    let with = |request: RequestBuilder| request.bearer_auth(ada.token.as_deref().expect("a token")).json(&batch);
    let answer: Value = send(&node, Method::POST, "/graphql", with).await.json().await.expect("JSON");
    // the request itself, one more, and no more
    assert!(answer[0]["data"].is_object() && answer[1]["data"].is_object(), "{answer}");
    let refused = &answer[2]["errors"][0]["extensions"];
    assert_eq!(refused["code"], "RATE_LIMITED", "{answer}");
    assert!(refused["retryAfter"].as_u64().is_some_and(|wait| wait > 0), "{answer}");
}

const APP: &str = "https://app.example.com";

async fn preflight(node: &Client, path: &str, origin: &str) -> Response {
    let with = |request: RequestBuilder| {
        request
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,idempotency-key")
    };
    send(node, Method::OPTIONS, path, with).await
}

fn allowed(answer: &Response) -> Option<&str> {
    answer.headers().get("access-control-allow-origin").map(|origin| origin.to_str().expect("text"))
}

#[tokio::test]
async fn pages_of_the_configured_origins_may_call_the_apis() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let node =
        node(&server, |config| config.cors_origins = vec![APP.to_owned(), "http://localhost:5173".to_owned()]).await;
    for path in ["/graphql", "/api/v1/contacts", "/api/v1/nonsense", "/api/uploads"] {
        let answer = preflight(&node, path, APP).await;
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        assert_eq!(allowed(&answer), Some(APP), "{path}");
        let headers = text(answer.headers(), "access-control-allow-headers").to_lowercase();
        for sent in ["authorization", "content-type", "idempotency-key", "last-event-id", "content-range"] {
            assert!(headers.contains(sent), "{path}: {headers}");
        }
        let methods = text(answer.headers(), "access-control-allow-methods");
        for method in ["GET", "POST", "PUT", "DELETE"] {
            assert!(methods.contains(method), "{path}: {methods}");
        }
        assert!(answer.headers().contains_key("access-control-max-age"), "{path}");
        assert_eq!(answer.headers().get("access-control-allow-credentials"), None, "{path}");
        assert_eq!(allowed(&preflight(&node, path, "https://evil.example.com").await), None, "{path}");
    }
    assert_eq!(allowed(&preflight(&node, "/graphql", "http://localhost:5173").await), Some("http://localhost:5173"));

    // an answer and a refusal can be read, with what a client wants to know of them
    for (token, status) in [(ada.token.as_deref(), StatusCode::OK), (Some("wrong"), REFUSED)] {
        let with = |request: RequestBuilder| request.header("origin", APP).bearer_auth(token.unwrap_or_default());
        let answer = send(&node, Method::GET, "/api/v1/contacts", with).await;
        assert_eq!((answer.status(), allowed(&answer)), (status, Some(APP)));
        let exposed = text(answer.headers(), "access-control-expose-headers").to_lowercase();
        for name in ["x-request-id", "retry-after", "upload-offset", "content-disposition"] {
            assert!(exposed.contains(name), "{exposed}");
        }
        assert!(text(answer.headers(), "vary").to_lowercase().contains("origin"));
        assert_eq!(answer.headers().get("access-control-allow-credentials"), None);
    }
    let answer = send(&node, Method::GET, "/", |request| request.header("origin", APP)).await;
    assert_eq!(allowed(&answer), None, "our own pages are for our own origin");
}

#[tokio::test]
async fn a_cookie_never_counts_from_another_origin() {
    let server = TestServer::start().await;
    let cookie = server.admin().await.in_browser().await.cookie.expect("a cookie");
    let node = node(&server, |config| config.cors_origins = vec![APP.to_owned()]).await;
    let query = json!({ "query": "{ viewer { user { id } } }" });
    for (path, body) in [("/graphql", &query), ("/api/v1/accounts", &json!({ "account_name": "X" }))] {
        let with = |request: RequestBuilder| request.header("origin", APP).header("cookie", &cookie).json(body);
        let answer = send(&node, Method::POST, path, with).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn without_configured_origins_no_other_page_may_call() {
    let server = TestServer::start().await;
    let stranger = server.stranger();
    for path in ["/graphql", "/api/v1/contacts", "/api/uploads"] {
        let answer = preflight(&stranger, path, APP).await;
        assert_eq!((answer.status(), allowed(&answer)), (StatusCode::METHOD_NOT_ALLOWED, None), "{path}");
    }
    let any = node(&server, |config| config.cors_origins = vec!["*".to_owned()]).await;
    assert_eq!(allowed(&preflight(&any, "/graphql", APP).await), Some("*"));
}

#[tokio::test]
async fn the_figures_tell_what_an_operator_asks_and_name_nobody() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let contact = json!({ "first_name": "Zacharias", "last_name": "Quux", "email": "zq@example.com" });
    ada.post("/contacts", contact).await.data();
    ada.data("{ contacts { totalCount } }", json!({})).await;
    server.stranger().get("/contacts").await.refused(401);
    let live = ada.subscribe("subscription { recordChanged(kind: CONTACT) { cursor } }", json!({})).await;
    let answer = send(&ada, Method::GET, "/metrics", |request| request).await;
    assert_eq!(text(answer.headers(), "content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let figures = answer.text().await.expect("text");
    drop(live);
    for figure in [
        "kontor_http_requests_total{face=\"rest\",status=\"201\"}",
        "kontor_http_requests_total{face=\"rest\",status=\"401\"}",
        "kontor_http_requests_total{face=\"graphql\",status=\"200\"}",
        "kontor_http_request_seconds_bucket{face=\"rest\",le=\"0.1\"}",
        "kontor_db_connections{pool=\"requests\",state=\"used\"}",
        "kontor_db_connections{pool=\"chores\",state=\"waiting\"}",
        "kontor_sockets ",
        "kontor_shared_subscriptions ",
        "kontor_shared_bytes ",
        "kontor_outbox_oldest_seconds ",
        "kontor_relay_leading ",
        "# HELP kontor_http_requests_total",
    ] {
        assert!(figures.contains(figure), "{figure} is missing in\n{figures}");
    }
    let me = ada.me();
    for private in ["Zacharias", "example.com", "first.test", &me.user.to_string(), &me.workspace.to_string()] {
        assert!(!figures.contains(private), "{private}");
    }
}

#[tokio::test]
async fn readiness_tells_strangers_no_more_than_that() {
    let server = TestServer::start().await;
    let stranger = server.stranger();
    let ready = json!({ "status": "ready", "database": "ok", "schema": "ok", "events": "ok" });
    eventually("the server is ready", async || {
        let answer = send(&stranger, Method::GET, "/ready", |request| request).await;
        answer.json::<Value>().await.expect("JSON") == ready
    })
    .await;
}
