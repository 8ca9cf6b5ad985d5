//! GraphQL over plain HTTP and event streams, on a toy application.

use std::{net::SocketAddr, sync::atomic::Ordering, time::Duration};

use kontor::{
    auth::Role,
    base::Limits,
    graphql::{Timings, Transport},
};
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};

use crate::support::{
    database::install_crypto,
    eventually,
    toy::{self, Toy},
};

const JSON: &str = "application/json";
const RESPONSE: &str = "application/graphql-response+json";
const EVENTS: &str = "text/event-stream";

struct Site {
    toy: Toy,
    transport: Transport<Toy>,
    client: reqwest::Client,
    address: SocketAddr,
}

async fn site_with(limits: Limits) -> Site {
    install_crypto();
    let (toy, transport, address) = toy::serve(limits, Timings::default()).await;
    Site { toy, transport, client: reqwest::Client::new(), address }
}

async fn site() -> Site {
    site_with(Limits::default()).await
}

impl Site {
    fn request(&self, method: Method, accept: &str) -> RequestBuilder {
        let url = format!("http://{}/graphql", self.address);
        self.client.request(method, url).header(header::ACCEPT, accept).bearer_auth("alice")
    }

    async fn post(&self, accept: &str, body: Value) -> (StatusCode, Value) {
        told(self.request(Method::POST, accept).json(&body)).await
    }

    fn get(&self, accept: &str, parameters: &[(&str, &str)]) -> RequestBuilder {
        let mut url = reqwest::Url::parse(&format!("http://{}/graphql", self.address)).expect("a URL");
        url.query_pairs_mut().extend_pairs(parameters);
        self.client.get(url).header(header::ACCEPT, accept).bearer_auth("alice")
    }
}

async fn told(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.expect("answered");
    let status = response.status();
    let text = response.text().await.expect("text");
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text:?}")))
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no code: {answer}"))
}

fn message(answer: &Value) -> &str {
    answer["errors"][0]["message"].as_str().unwrap_or_else(|| panic!("no message: {answer}"))
}

#[tokio::test]
async fn the_status_tells_whether_anything_was_executed() {
    let site = site().await;
    let (executed, refused) = (json!({"query": "{ hello }"}), json!({"query": "{ nonsense }"}));
    for accept in [JSON, RESPONSE] {
        let (status, answer) = site.post(accept, executed.clone()).await;
        assert_eq!((status, answer), (StatusCode::OK, json!({"data": {"hello": "hello world"}})));
    }
    for (accept, expected) in [(JSON, StatusCode::OK), (RESPONSE, StatusCode::BAD_REQUEST)] {
        let (status, answer) = site.post(accept, refused.clone()).await;
        assert_eq!((status, code(&answer), answer.get("data")), (expected, "BAD_USER_INPUT", None));
    }
    // executed, and failed as a whole: there is a `data` entry, and it is null
    let (status, answer) = site.post(RESPONSE, json!({"query": "{ failAll }"})).await;
    assert_eq!((status, code(&answer), answer.get("data")), (StatusCode::OK, "NOT_FOUND", Some(&Value::Null)));
}

#[tokio::test]
async fn requests_that_are_none_are_refused_with_what_is_wrong() {
    let site = site().await;
    let post = |kind: &'static str, body: &'static str| {
        told(site.request(Method::POST, JSON).header(header::CONTENT_TYPE, kind).body(body))
    };
    let (status, answer) = post(JSON, "{\"query\": \n nonsense}").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(message(&answer).contains("line 2 column 3"), "{answer}");
    for body in [
        "",
        "[]",
        "1",
        "{}",
        r#"{"query":1}"#,
        r#"{"query":"{hello}","variables":"x"}"#,
        r#"{"query":"{hello}","operationName":[]}"#,
        r#"{"query":"{hello}","extensions":[]}"#,
    ] {
        let (status, answer) = post(JSON, body).await;
        assert_eq!((status, code(&answer)), (StatusCode::BAD_REQUEST, "BAD_USER_INPUT"), "{body}");
    }
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json; charset=latin1"]
    {
        let (status, answer) = post(kind, r#"{"query":"{hello}"}"#).await;
        assert_eq!((status, code(&answer)), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "BAD_USER_INPUT"), "{kind}");
    }
    let (status, _) = site.post("text/html", json!({"query": "{ hello }"})).await;
    assert_eq!(status, StatusCode::NOT_ACCEPTABLE);
    let put = site.request(Method::PUT, JSON).send().await.expect("answered");
    assert_eq!(
        (put.status(), &put.headers()[header::ALLOW]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET, POST".parse().expect(""))
    );
    let token = site.request(Method::POST, JSON).header(header::AUTHORIZATION, "Bearer nobody");
    let token = site
        .client
        .post(token.build().expect("built").url().clone())
        .bearer_auth("nobody")
        .json(&json!({"query": "{hello}"}));
    let (status, answer) = told(token).await;
    assert_eq!((status, code(&answer)), (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn get_reads_and_does_not_write() {
    let site = site().await;
    let (status, answer) = told(site.get(JSON, &[("query", "{ role }")])).await;
    assert_eq!((status, answer), (StatusCode::OK, json!({"data": {"role": "manager"}})));
    let with_variables = site.get(
        RESPONSE,
        &[
            ("query", "query A($n: String!) { hello(name: $n) } query B { role }"),
            ("operationName", "A"),
            ("variables", r#"{"n":"you"}"#),
        ],
    );
    assert_eq!(told(with_variables).await, (StatusCode::OK, json!({"data": {"hello": "hello you"}})));
    let mutation = site.get(JSON, &[("query", "mutation { add }")]);
    let response = mutation.send().await.expect("answered");
    assert_eq!(
        (response.status(), &response.headers()[header::ALLOW]),
        (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().expect(""))
    );
    let (_, answer) = site.post(JSON, json!({"query": "mutation { add }"})).await;
    assert_eq!(answer, json!({"data": {"add": 1}}), "the GET has added nothing");
    let (status, answer) = told(site.get(JSON, &[("query", "{hello}"), ("variables", "{")])).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(message(&answer).contains("column"), "{answer}");
}

#[tokio::test]
async fn errors_carry_code_fields_and_no_secrets() {
    let site = site().await;
    let ask = |how: &str| {
        site.post(JSON, json!({"query": "query($how: String!) { fail(how: $how) }", "variables": {"how": how}}))
    };
    let (_, answer) = ask("input").await;
    assert_eq!(answer["errors"][0]["extensions"], json!({"code": "BAD_USER_INPUT", "fields": {"name": "is too long"}}));
    assert_eq!(answer["errors"][0]["path"], json!(["fail"]));
    let (_, answer) = ask("internal").await;
    assert_eq!(code(&answer), "INTERNAL");
    assert!(!answer.to_string().contains("secret"));
}

#[tokio::test]
async fn bombs_are_refused_and_the_server_lives() {
    let site = site_with(Limits {
        graphql_depth: 5,
        graphql_cost: 1_000,
        graphql_batch: 3,
        body_bytes: 500_000,
        ..Limits::default()
    })
    .await;
    let nested = |levels: usize| format!("{}hello{}", "{ again ".repeat(levels) + "{", "}".repeat(levels + 1));
    for (query, expected) in [
        (nested(10), "deeper than 5 levels"),
        (format!("{{ {} }}", (0..60).map(|at| format!("a{at}: hello ")).collect::<String>()), "costs more than 1000"),
        (nested(70), "deeper than 5 levels"),
        // would overflow the stack of the library's parser
        (nested(50_000), "nested deeper"),
        (format!("{{ hello(name: {}", "[".repeat(200_000)), "nested deeper"),
    ] {
        let (_, answer) = site.post(RESPONSE, json!({"query": query})).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT");
        assert!(message(&answer).contains(expected), "{answer}");
    }
    // each fragment spreads the next one twice: a few hundred bytes, and more fields than atoms
    let fragments = (0..90).map(|at| format!(" fragment F{at} on Query {{ ...F{0} ...F{0} }}", at + 1));
    let query = format!("{{ ...F0 }}{} fragment F90 on Query {{ hello }}", fragments.collect::<String>());
    let (_, answer) = site.post(RESPONSE, json!({"query": query})).await;
    assert!(message(&answer).contains("costs more than 1000"), "{answer}");
    // each is cheap enough, all together are not
    let query = format!("{{ {} }}", (0..20).map(|at| format!("a{at}: hello ")).collect::<String>());
    let (status, answer) = site.post(RESPONSE, json!(vec![json!({"query": query}); 3])).await;
    assert_eq!((status, code(&answer)), (StatusCode::BAD_REQUEST, "BAD_USER_INPUT"));
    assert!(message(&answer).contains("batch costs more than 1000"), "{answer}");
    let (_, answer) = site.post(RESPONSE, json!(vec![json!({"query": query}); 2])).await;
    assert_eq!(answer[1]["data"]["a19"], "hello world");
    let json_bomb =
        told(site.request(Method::POST, JSON).header(header::CONTENT_TYPE, JSON).body("[".repeat(100_000))).await;
    assert_eq!(json_bomb.0, StatusCode::BAD_REQUEST);
    let (status, answer) = site.post(JSON, json!(vec![json!({"query": "{hello}"}); 4])).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(message(&answer).contains("1 to 3"), "{answer}");
    let (status, answer) = site.post(JSON, json!({"query": " ".repeat(600_000)})).await;
    assert_eq!((status, code(&answer)), (StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE"));
    assert_eq!(site.post(JSON, json!({"query": "{hello}"})).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_batch_is_answered_in_order_and_keeps_every_cookie() {
    let site = site().await;
    let batch =
        json!([{"query": "mutation { add }"}, {"query": "{ nonsense }"}, {"query": "mutation { add(number: 2) }"}]);
    let response = site.request(Method::POST, RESPONSE).json(&batch).send().await.expect("answered");
    assert_eq!(response.status(), StatusCode::OK);
    let cookies: Vec<_> = response.headers().get_all(header::SET_COOKIE).iter().cloned().collect();
    assert_eq!(cookies, ["added=1", "added=2"]);
    let answers: Value = response.json().await.expect("JSON");
    assert_eq!((&answers[0], &answers[2]), (&json!({"data": {"add": 1}}), &json!({"data": {"add": 3}})));
    assert_eq!(answers[1]["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
}

#[tokio::test]
async fn the_request_id_is_in_the_errors() {
    install_crypto();
    let toy = Toy::new(Limits::default());
    let app =
        kontor::graphql::router(Transport::new(toy)).layer(axum::middleware::from_fn(kontor::http::request_id::layer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/graphql", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    for body in [r#"{"query":"{ nonsense }"}"#, r#"{"query":1}"#] {
        let request =
            reqwest::Client::new().post(&url).header("x-request-id", "request-1").header(header::CONTENT_TYPE, JSON);
        let (_, answer) = told(request.body(body)).await;
        assert_eq!(answer["errors"][0]["extensions"]["requestId"], "request-1");
    }
}

/// Reads an event stream, event by event.
struct EventReader {
    response: reqwest::Response,
    text: String,
}

impl EventReader {
    fn new(response: reqwest::Response) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.headers()[header::CONTENT_TYPE].to_str().expect("text").starts_with(EVENTS));
        Self { response, text: String::new() }
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(event);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.response.chunk()).await;
            let chunk = chunk.expect("something comes").expect("whole")?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }
}

/// The first events of a stream, up to its end or this many.
async fn events(response: reqwest::Response, most: usize) -> Vec<String> {
    let mut reader = EventReader::new(response);
    let mut events = Vec::new();
    while events.len() < most
        && let Some(event) = reader.next().await
    {
        events.push(event);
    }
    events
}

#[tokio::test]
async fn an_event_stream_carries_any_operation() {
    let site = site().await;
    let ask = |query: &str| site.request(Method::POST, EVENTS).json(&json!({"query": query})).send();
    let once = events(ask("{ hello }").await.expect("answered"), 9).await;
    assert_eq!(once, ["event: next\ndata: {\"data\":{\"hello\":\"hello world\"}}", "event: complete\ndata: "]);
    let few = events(ask("subscription { few(count: 2) { number } }").await.expect("answered"), 9).await;
    assert_eq!(few[1], "event: next\ndata: {\"data\":{\"few\":{\"number\":2}}}");
    assert_eq!((few.len(), few[2].as_str()), (3, "event: complete\ndata: "));
    for (query, code) in [("subscription { refused }", "FORBIDDEN"), ("subscription { nonsense }", "BAD_USER_INPUT")] {
        let refused = events(ask(query).await.expect("answered"), 9).await;
        assert!(refused[0].contains("\"errors\"") && refused[0].contains(code), "{refused:?}");
        assert_eq!(refused.len(), 2);
    }
    let (status, _) = site.post(JSON, json!({"query": "subscription { few(count: 1) { number } }"})).await;
    assert_eq!(status, StatusCode::NOT_ACCEPTABLE);
    // a client that takes both is sent events only for what has them
    let (_, answer) =
        site.post("application/graphql-response+json, text/event-stream", json!({"query": "{ hello }"})).await;
    assert_eq!(answer, json!({"data": {"hello": "hello world"}}));
    let mutation = site.get(EVENTS, &[("query", "mutation { add }")]).send().await.expect("answered");
    assert_eq!(mutation.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn an_event_source_resumes_by_its_last_event_id() {
    let site = site().await;
    for number in 1..=5 {
        site.toy.tick("a", format!("tick {number}"));
    }
    let query = format!("subscription {{ ticks(topic: \"a\", after: \"{}\") {{ number }} }}", toy::cursor(0));
    let request = || site.get(EVENTS, &[("query", query.as_str())]);
    let first = events(request().send().await.expect("answered"), 2).await;
    let id = first[1].lines().find_map(|line| line.strip_prefix("id: ")).expect("an id").to_owned();
    let rest = events(request().header("last-event-id", id).send().await.expect("answered"), 3).await;
    assert!(rest[0].contains("{\"number\":3}"), "{rest:?}");
    eventually("the streams of the readers that left end", async || site.transport.shared_executions() == 0).await;
}

#[tokio::test]
async fn event_streams_show_life_end_with_the_session_and_count_as_sockets() {
    install_crypto();
    let timings = Timings { ping: Duration::from_millis(50), ..Timings::default() };
    let (toy, transport, address) = toy::serve(Limits { sockets_per_user: 1, ..Limits::default() }, timings).await;
    let site = Site { toy, transport, client: reqwest::Client::new(), address };
    let subscribe = || {
        let body = json!({"query": "subscription { ticks(topic: \"a\") { number role } }"});
        site.request(Method::POST, EVENTS).json(&body).send()
    };
    let one = subscribe().await.expect("answered");
    let (status, _) = told(site.request(Method::POST, EVENTS).json(&json!({"query": "subscription { busy }"}))).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(events(one, 2).await, [":", ":"]);
    eventually("the seat is free again", async || site.transport.shared_executions() == 0).await;
    let one = subscribe().await.expect("answered");
    eventually("it runs", async || site.toy.state().executed.load(Ordering::SeqCst) == 2).await;
    site.toy.change_role("alice", Role::Support);
    site.toy.tick("a", "");
    let mut reader = EventReader::new(one);
    let shown = async |reader: &mut EventReader| {
        loop {
            let event = reader.next().await.expect("an event");
            if event != ":" {
                return event;
            }
        }
    };
    assert!(shown(&mut reader).await.contains("\"role\":\"support\""));
    site.toy.sign_out("alice");
    assert!(shown(&mut reader).await.contains("UNAUTHENTICATED"));
    assert_eq!(reader.next().await.as_deref(), Some("event: complete\ndata: "));
    assert_eq!(reader.next().await, None);
}
