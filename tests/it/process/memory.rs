//! Input that no honest client sends, to the real server: a clear refusal each, and its memory
//! stays flat.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reqwest::{Body, StatusCode};
use serde_json::{Value, json};

use super::{importing, is_long};
use crate::{
    import::lab::UPDATE,
    support::{
        client::{Answer, Client},
        eventually,
        process::{Installation, Process},
        sql,
    },
};

const MEGABYTE: u64 = 1024 * 1024;

/// A gigabyte in the long run.
fn large() -> u64 {
    if is_long() { 1024 * MEGABYTE } else { 96 * MEGABYTE }
}

/// The peak may rise by so much, whatever comes: buffers of some connections and the allocator's
/// slack, and far less than what is sent.
const SLACK: u64 = 40 * MEGABYTE;

/// Runs this, and checks that the server's memory stayed flat.
async fn flat<T>(server: &Process, what: &str, work: impl Future<Output = T>) -> T {
    server.forget_peak();
    let before = server.peak_memory();
    let done = work.await;
    let grown = server.peak_memory().saturating_sub(before);
    assert!(grown < SLACK, "{what}: grew by {} MiB from {} MiB", grown / MEGABYTE, before / MEGABYTE);
    done
}

/// A stream of so many bytes: lines of a CSV that make bad rows.
fn lines(bytes: u64) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    let chunk = Bytes::from("not an address,\"cell\",\n".repeat(3_000));
    let chunks = bytes / chunk.len() as u64;
    stream::iter((0..chunks).map(move |_| Ok(chunk.clone())))
}

const BOUNDARY: &str = "--------------------------a1b2c3";

async fn post_form(client: &Client, bytes: u64) -> Answer {
    let part = |name: &str, file: &str| {
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").into_bytes()
    };
    let kind = [part("entity_type", ""), b"contacts\r\n".into()].concat();
    let file = [part("file", "; filename=\"a.csv\""), b"email,city,notes\n".into()].concat();
    let head = stream::iter([Ok(Bytes::from([kind, file].concat()))]);
    let tail = stream::iter([Ok(Bytes::from(format!("\r\n--{BOUNDARY}--\r\n")))]);
    let body = Body::wrap_stream(head.chain(lines(bytes)).chain(tail));
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    client.send(reqwest::Method::POST, "/import", |request| request.header("content-type", kind).body(body)).await
}

async fn announce(client: &Client, size: Option<u64>) -> reqwest::Response {
    let body = json!({ "name": "large.csv", "size": size });
    let post = client.http.post(format!("{}/api/uploads", client.url)).json(&body);
    post.bearer_auth(client.token.as_deref().expect("signed in")).send().await.expect("answered")
}

async fn put(client: &Client, url: &Value, length: u64, bytes: u64) -> reqwest::Response {
    let put = client.http.put(format!("{}{}", client.url, url.as_str().expect("a path")));
    let put = put.bearer_auth(client.token.as_deref().expect("signed in")).header("content-length", length);
    put.body(Body::wrap_stream(lines(bytes))).send().await.expect("answered")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_uploads_go_through_and_too_large_ones_are_refused_in_flat_memory() {
    let limit = large() + MEGABYTE;
    let installation = Installation::external().await.set("KONTOR_LIMITS__UPLOAD_BYTES", limit.to_string());
    let server = installation.serve_with(&["--no-work"]).await;
    let (admin, db) = (installation.admin(&server).await, installation.db());

    let exact = large() / 69_000 * 69_000;
    let url = async |answer: reqwest::Response| {
        assert_eq!(answer.status(), StatusCode::CREATED);
        answer.json::<Value>().await.expect("JSON")["url"].take()
    };
    let upload = url(announce(&admin, Some(exact)).await).await;
    let answer = flat(&server, "an upload", put(&admin, &upload, exact, exact)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let answer = flat(&server, "a form", post_form(&admin, large())).await;
    let size = answer.expect(StatusCode::CREATED)["file_size"].as_u64().expect("a size");
    assert!(size > exact && size < large(), "{size}");

    // what is too large is told at once where it is announced, and else as soon as it is
    assert_eq!(announce(&admin, Some(limit + 1)).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let upload = url(announce(&admin, None).await).await;
    let answer = flat(&server, "a body that says so", put(&admin, &upload, 2 * exact, 2 * exact)).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let refused = flat(&server, "a form over the limit", post_form(&admin, large() + 80 * MEGABYTE)).await;
    assert!(refused.expect(StatusCode::PAYLOAD_TOO_LARGE)["message"].to_string().contains("upload_bytes"));
    let files = "SELECT count(*) AS value FROM files WHERE status = 'ready'";
    assert_eq!(sql::number(&db, files).await, 2);
    assert_eq!(sql::number(&db, "SELECT count(*) AS value FROM imports").await, 1);
    admin.data("{ viewer { user { id } } }", json!({})).await;
}

/// NULs, broken UTF-8, ragged rows, cells of ten megabytes, between good rows.
fn rubbish() -> (Vec<u8>, i64, i64) {
    let mut text = b"email,city,notes\n".to_vec();
    let (mut good, mut bad) = (0, 0);
    let cell = vec![b'x'; 10 * 1024 * 1024];
    let rows: [&[u8]; 7] = [
        b"a@x.de,B\0nn,\n",
        b"a@x.de,B\xff\xfenn,\n",
        b"a@x.de\n",
        b"a@x.de,Bonn,,,,,\n",
        &[b"a@x.de,".as_slice(), &cell, b",\n"].concat(),
        &[b"\"".as_slice(), &cell, b"\",,\n"].concat(),
        b"\0\0\0\0,\0,\0\n",
    ];
    for round in 0..6 {
        for row in rows {
            text.extend_from_slice(format!("good{good}@x.de,Bonn,\n").as_bytes());
            good += 1;
            if round < 5 || row.len() < 100 {
                text.extend_from_slice(row);
                bad += 1;
            }
        }
    }
    (text, good, bad)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_in_a_file_costs_its_rows_and_no_memory() {
    let installation = Installation::external().await;
    let server = installation.serve().await;
    let (admin, db) = (installation.admin(&server).await, installation.db());
    let (text, good, bad) = rubbish();
    let import = flat(&server, "an import of rubbish", async {
        let import = importing::start(&admin, text, UPDATE).await;
        eventually("it ends", async || import.status(&db).await == "completed").await;
        import
    })
    .await;
    let query = "query($id: ID!) { importJob(id: $id) { createdRows failedRows totalRows
                   errors(first: 500) { totalCount nodes { code message cells } } } }";
    let mut answer = admin.data(query, json!({ "id": import.id })).await;
    let job = answer["importJob"].take();
    let told = (job["createdRows"].as_i64(), job["failedRows"].as_i64(), job["totalRows"].as_i64());
    assert_eq!(told, (Some(good), Some(bad), Some(good + bad)), "{}", job["errors"]);
    let errors = job["errors"]["nodes"].as_array().expect("a list");
    assert_eq!(errors.len() as i64, bad);
    assert!(errors.iter().all(|error| error["message"].as_str().is_some_and(|message| message.len() > 10)));
    assert!(job["errors"].to_string().len() < 200_000, "long cells are cut");
}

/// Documents that cost a careless server its memory or its stack.
fn bombs() -> Vec<(&'static str, Value)> {
    let query = |text: String| json!({ "query": text });
    let chain: String = (0..2_000).map(|at| format!("fragment F{at} on Query {{ ...F{} ...F{0} }} ", at + 1)).collect();
    let doubling: String =
        (0..60).map(|at| format!("fragment F{at} on Query {{ ...F{0} ...F{0} }} ", at + 1)).collect();
    let nested = "{ contacts { nodes { account { owner { id } } } } }";
    let many = (0..20_000).map(|at| format!("a{at}: viewer {{ user {{ id }} }} ")).collect::<String>();
    let pages = (0..50).map(|at| format!("a{at}: contacts(first: 500) {{ nodes {{ id }} }} ")).collect::<String>();
    let deep = format!("{}id{}", "{ viewer ".repeat(40), "}".repeat(40));
    vec![
        ("depth", query(deep)),
        ("brackets", query("{a".repeat(300_000))),
        ("aliases", query(format!("{{ {many} }}"))),
        ("pages", query(format!("{{ {pages} }}"))),
        ("a cycle", query("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }".to_owned())),
        ("a cycle of itself", query("{ ...A } fragment A on Query { viewer { user { id } } ...A }".to_owned())),
        ("a chain of fragments", query(format!("{{ ...F0 }} {chain} fragment F2000 on Query {{ __typename }}"))),
        ("doubling fragments", query(format!("{{ ...F0 }} {doubling} fragment F60 on Query {{ __typename }}"))),
        ("directives", query(format!("{{ viewer {} {{ user {{ id }} }} }}", "@skip(if: false) ".repeat(50_000)))),
        ("unknown fields", query(format!("{{ {} }}", "nonsense ".repeat(9_000)))),
        ("long unknown fields", query(format!("{{ {} }}", format!("{} ", "x".repeat(120)).repeat(9_000)))),
        ("a long name", query(format!("{{ {} }}", "x".repeat(1_000_000)))),
        ("a long string", query(format!("{{ contacts(search: \"{}\") {{ nodes {{ id }} }} }}", "x".repeat(300_000)))),
        (
            "variables",
            json!({
                "query": "query($a: String) { contacts(search: $a) { nodes { id } } }",
                "variables": { "a": "x".repeat(1_500_000) },
            }),
        ),
        (
            "unknown variables",
            json!({
                "query": "query($a: Int!) { contacts(first: $a) { nodes { id } } }",
                "variables": (0..50_000).map(|at| (format!("v{at}"), json!(at))).collect::<serde_json::Map<_, _>>(),
            }),
        ),
        (
            "a number",
            json!({
                "query": "mutation($n: Decimal) { createAccount(input: { account: { name: \"d\", annualRevenue: $n } }) \
                          { account { id } } }",
                "variables": { "n": "1e999999999999" },
            }),
        ),
        (
            "tags",
            json!({
                "query": "mutation($tags: [String!]) { createContact(input: { contact: { lastName: \"t\", tags: $tags } }) \
                          { contact { id } } }",
                "variables": { "tags": (0..30_000).map(|at| format!("t{at}")).collect::<Vec<_>>() },
            }),
        ),
        (
            "long texts by many names",
            query(format!(
                "{{ contacts(first: 60) {{ nodes {{ {} }} }} }}",
                (0..100).map(|at| format!("a{at}: notes ")).collect::<String>()
            )),
        ),
        (
            "passwords",
            query(format!(
                "mutation {{ {} }}",
                (0..100)
                    .map(|at| format!("a{at}: signIn(input: {{ email: \"a@b.de\", password: \"{at}\" }}) {{ token }} "))
                    .collect::<String>()
            )),
        ),
        ("a batch", json!(vec![query(nested.to_owned()); 1_000])),
        ("operations", query("query A { viewer { user { id } } } ".repeat(20_000))),
        ("definitions", query((0..20_000).map(|at| format!("query A{at} {{ __typename }} ")).collect())),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_are_refused_in_flat_memory() {
    let installation = Installation::external().await;
    let server = installation.serve_with(&["--no-work"]).await;
    let admin = installation.admin(&server).await;
    for (name, bomb) in bombs() {
        let body = bomb.to_string();
        let answers = flat(&server, name, async {
            let asked = (0..4).map(|_| {
                let (client, body) = (admin.clone(), body.clone());
                async move {
                    let began = std::time::Instant::now();
                    let post = client.http.post(format!("{}/graphql", client.url)).body(body);
                    let post = post
                        .header("content-type", "application/json")
                        .bearer_auth(client.token.as_deref().expect("signed in"));
                    let answer = post.send().await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
                    (answer.status(), answer.text().await.expect("text"), began.elapsed())
                }
            });
            futures_util::future::join_all(asked).await
        })
        .await;
        for (status, text, took) in answers {
            assert!(!status.is_server_error(), "{name}: {status} {}", &text[..text.len().min(500)]);
            let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{name}: no JSON: {text}"));
            let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("none");
            assert!(matches!(code, "BAD_USER_INPUT" | "TOO_LARGE"), "{name}: {code} {}", &text[..text.len().min(500)]);
            assert!(text.len() < 100_000, "{name}: an answer of {} bytes", text.len());
            assert!(took.as_secs() < 20, "{name}: {took:?}");
        }
    }
    for body in ["", "{", "[", "nul", "\"", "{\"query\":", "[[[[", "{\"query\":\"{a\u{0}}\"}", "\u{feff}{}"] {
        let post = admin.http.post(format!("{}/graphql", admin.url)).header("content-type", "application/json");
        let answer = post.body(body.to_owned()).send().await.expect("answered");
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{body}");
        let answer: Value = answer.json().await.expect("JSON");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{body}");
    }
    // of those who are not signed in not even a large body is held
    for path in ["/graphql", "/api/v1/auth/login"] {
        let post = admin.http.post(format!("{}{path}", admin.url)).header("content-type", "application/json");
        let answer = post.body(format!("{{\"query\":\"{{ a }}{}\"}}", " ".repeat(100_000))).send().await;
        assert_eq!(answer.expect("answered").status(), StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
    admin.data("{ viewer { user { id } } }", json!({})).await;
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}
