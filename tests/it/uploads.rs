//! Bytes in and out: uploads in pieces that may break off, and downloads by signed links.

use bytes::Bytes;
use chrono::TimeDelta;
use futures_util::stream;
use kontor::{
    auth::Caller,
    base::ids::FileId,
    files::{
        FileName,
        write::{NewFile, write_new},
    },
};
use reqwest::{Method, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::{
    eventually,
    server::{Client, TestServer},
    sql,
};

/// A server and somebody who sends files.
struct Sender {
    server: TestServer,
    client: Client,
    caller: Caller,
}

impl Sender {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let client = server.sign_up("sender@doors.test").await;
        let token = client.token.clone().expect("signed in");
        let caller = (*server.ctx.resolver.resolve(&token).await.expect("signed in")).clone();
        Self { server, client, caller }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let token = self.client.token.as_deref().expect("signed in");
        self.client.http.request(method, format!("{}{path}", self.server.url)).bearer_auth(token)
    }

    async fn announce(&self, body: Value) -> String {
        let response = self.request(Method::POST, "/api/uploads").json(&body).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::CREATED);
        let location = header_of(&response, "location").to_owned();
        let answer: Value = response.json().await.expect("JSON");
        assert_eq!(answer["url"], location);
        assert_eq!((&answer["received"], &answer["complete"]), (&json!(0), &json!(false)));
        location
    }

    async fn put(&self, url: &str, range: Option<&str>, body: impl Into<reqwest::Body>) -> Response {
        let mut request = self.request(Method::PUT, url).body(body);
        if let Some(range) = range {
            request = request.header(header::CONTENT_RANGE, range);
        }
        request.send().await.expect("an answer")
    }

    async fn offset(&self, url: &str) -> u64 {
        let response = self.request(Method::HEAD, url).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        header_of(&response, "upload-offset").parse().expect("a number")
    }

    /// A link to the file, valid for so long.
    fn link(&self, file: FileId, valid: TimeDelta) -> String {
        let ctx = &self.server.ctx;
        ctx.files.signer().sign(self.caller.workspace, file, ctx.clock.now() + valid)
    }

    async fn download(&self, link: &str, range: Option<&str>) -> Response {
        let mut request = reqwest::Client::new().get(format!("{}{link}", self.server.url));
        if let Some(range) = range {
            request = request.header(header::RANGE, range);
        }
        request.send().await.expect("an answer")
    }

    /// What arrived, as a download shows it.
    async fn content(&self, url: &str) -> Bytes {
        let response = self.download(&self.link(id(url), TimeDelta::hours(1)), None).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.bytes().await.expect("a body")
    }
}

fn id(url: &str) -> FileId {
    url.rsplit('/').next().expect("a path").parse().expect("an id")
}

fn header_of<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("ASCII"))
}

/// Bytes that differ everywhere, so that a piece in the wrong place is seen.
fn numbers(length: u32) -> Vec<u8> {
    (0..length.div_ceil(4)).flat_map(u32::to_be_bytes).take(length as usize).collect()
}

#[tokio::test]
async fn a_whole_file_goes_up_in_one_request_whatever_its_size() {
    let sender = Sender::new().await;
    // past the size of API bodies and past one piece of the store
    let bytes = numbers(9 * 1024 * 1024 + 1);
    let url = sender.announce(json!({ "name": "C:\\people.csv", "size": bytes.len(), "mediaType": "text/csv" })).await;
    let response = sender.put(&url, None, bytes.clone()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header_of(&response, "upload-complete"), "?1");
    let answer: Value = response.json().await.expect("JSON");
    assert_eq!((&answer["received"], &answer["complete"]), (&json!(bytes.len()), &json!(true)));
    assert!(sender.content(&url).await == bytes);

    let again = sender.put(&url, None, bytes).await;
    assert_eq!(again.status(), StatusCode::CONFLICT);
}

#[tokio::test]
async fn pieces_are_told_where_to_go_on() {
    let sender = Sender::new().await;
    let bytes = numbers(1000);
    let url = sender.announce(json!({ "name": "a.bin", "size": 1000 })).await;

    let first = sender.put(&url, Some("bytes 0-399/1000"), bytes[..400].to_vec()).await;
    assert_eq!(first.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!((header_of(&first, "upload-offset"), header_of(&first, "range")), ("400", "bytes=0-399"));
    assert_eq!((header_of(&first, "upload-length"), header_of(&first, "upload-complete")), ("1000", "?0"));

    for wrong in ["bytes 0-399/1000", "bytes 401-999/1000"] {
        let length = if wrong.contains("399") { 400 } else { 599 };
        let elsewhere = sender.put(&url, Some(wrong), vec![0; length]).await;
        assert_eq!(elsewhere.status(), StatusCode::CONFLICT, "{wrong}");
        assert_eq!(header_of(&elsewhere, "upload-offset"), "400", "{wrong}");
        let body: Value = elsewhere.json().await.expect("JSON");
        assert_eq!((&body["code"], &body["details"]["received"]), (&json!("CONFLICT"), &json!(400)), "{wrong}");
    }
    assert_eq!(sender.offset(&url).await, 400);

    let last = sender.put(&url, Some("bytes 400-999/1000"), bytes[400..].to_vec()).await;
    assert_eq!(last.status(), StatusCode::OK);
    assert_eq!(sender.content(&url).await, bytes);
}

#[tokio::test]
async fn the_size_may_become_known_with_the_last_piece() {
    let sender = Sender::new().await;
    let bytes = numbers(300);
    let url = sender.announce(json!({ "name": "a.bin" })).await;
    let first = sender.put(&url, Some("bytes 0-199/*"), bytes[..200].to_vec()).await;
    assert_eq!((first.status(), header_of(&first, "upload-length")), (StatusCode::PERMANENT_REDIRECT, ""));
    let last = sender.put(&url, Some("bytes 200-299/300"), bytes[200..].to_vec()).await;
    assert_eq!(last.status(), StatusCode::OK);
    assert_eq!(sender.content(&url).await, bytes);

    // a whole body tells its size by its length, and one without a length must be announced
    let url = sender.announce(json!({ "name": "b.bin" })).await;
    let chunks = || reqwest::Body::wrap_stream(stream::iter([Ok::<_, std::io::Error>(numbers(300))]));
    assert_eq!(sender.put(&url, None, chunks()).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(sender.put(&url, None, numbers(300)).await.status(), StatusCode::OK);
    let url = sender.announce(json!({ "name": "c.bin", "size": 300 })).await;
    assert_eq!(sender.put(&url, None, chunks()).await.status(), StatusCode::OK);
    let url = sender.announce(json!({ "name": "empty.csv", "size": 0 })).await;
    assert_eq!(sender.put(&url, None, "").await.status(), StatusCode::OK);
    assert_eq!(sender.content(&url).await, "");
}

#[tokio::test]
async fn a_request_that_breaks_off_loses_nothing_that_arrived() {
    let sender = Sender::new().await;
    let bytes = numbers(500_000);
    let url = sender.announce(json!({ "name": "a.bin", "size": bytes.len() })).await;
    let address = sender.server.url.trim_start_matches("http://");
    let token = sender.client.token.as_deref().expect("signed in");
    let mut connection = TcpStream::connect(address).await.expect("connected");
    let head = format!(
        "PUT {url} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Length: 500000\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.expect("sent");
    connection.write_all(&bytes[..200_000]).await.expect("sent");
    connection.shutdown().await.expect("closed");

    eventually("what arrived is kept", async || sender.offset(&url).await == 200_000).await;
    let range = "bytes 200000-499999/500000";
    let rest = sender.put(&url, Some(range), bytes[200_000..].to_vec()).await;
    assert_eq!(rest.status(), StatusCode::OK);
    assert!(sender.content(&url).await == bytes);
}

#[tokio::test]
async fn only_so_much_as_the_range_says_is_taken() {
    let sender = Sender::new().await;
    let url = sender.announce(json!({ "name": "a.bin", "size": 10 })).await;
    let chunks = reqwest::Body::wrap_stream(stream::iter([Ok::<_, std::io::Error>(numbers(8))]));
    let response = sender.put(&url, Some("bytes 0-3/10"), chunks).await;
    assert_eq!((response.status(), header_of(&response, "upload-offset")), (StatusCode::PERMANENT_REDIRECT, "4"));
}

#[tokio::test]
async fn an_announcement_with_a_key_is_one_upload_however_often_it_is_sent() {
    let sender = Sender::new().await;
    let announce = async |key: &str, size: u32| {
        let request = sender.request(Method::POST, "/api/uploads").header("Idempotency-Key", key);
        request.json(&json!({ "name": "a.bin", "size": size })).send().await.expect("an answer")
    };
    let first = announce("k", 1000).await;
    assert_eq!(first.status(), StatusCode::CREATED);
    let url = header_of(&first, "location").to_owned();
    sender.put(&url, Some("bytes 0-399/1000"), numbers(400)).await;

    let again = announce("k", 1000).await;
    assert_eq!((again.status(), header_of(&again, "location")), (StatusCode::CREATED, url.as_str()));
    let answer: Value = again.json().await.expect("JSON");
    assert_eq!((&answer["received"], &answer["size"], &answer["complete"]), (&json!(400), &json!(1000), &json!(false)));

    assert_eq!(announce("k", 1001).await.status(), StatusCode::CONFLICT, "another request");
    assert_eq!(announce("", 1000).await.status(), StatusCode::BAD_REQUEST, "no key");
    let another = announce("l", 1000).await;
    assert_eq!(another.status(), StatusCode::CREATED);
    assert_ne!(header_of(&another, "location"), url);
    assert_eq!(sql::number(&sender.server.database.db, "SELECT count(*) AS value FROM files").await, 2);
}

#[tokio::test]
async fn wrong_requests_are_told_what_is_wrong() {
    let sender = Sender::new().await;
    let announce = async |body: &str| {
        let request = sender.request(Method::POST, "/api/uploads").header(header::CONTENT_TYPE, "application/json");
        request.body(body.to_owned()).send().await.expect("an answer").status().as_u16()
    };
    for (body, status) in [
        ("", 400),
        ("{}", 400),
        ("{\"name\": \"a\", \"size\": -1}", 400),
        ("{\"name\": \"..\"}", 400),
        ("{\"name\": \"a\", \"mediaType\": \"csv\"}", 400),
        ("{\"name\": \"a\", \"size\": 9007199254740991}", 413),
    ] {
        assert_eq!(announce(body).await, status, "{body}");
    }

    let url = sender.announce(json!({ "name": "a.bin", "size": 10 })).await;
    for (range, body) in [
        ("bytes 0-9", 10),
        ("bytes */10", 0),
        ("bytes 0-9/9", 10),
        ("rows 0-9/10", 10),
        ("bytes 0-9/10", 9),
        ("bytes 0-9/20", 10),
    ] {
        let response = sender.put(&url, Some(range), numbers(body)).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{range}");
        assert_eq!(response.json::<Value>().await.expect("JSON")["code"], "BAD_USER_INPUT", "{range}");
    }
    assert_eq!(sender.put(&url, None, numbers(11)).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(sender.offset(&url).await, 0);
}

#[tokio::test]
async fn an_upload_is_its_makers_alone() {
    let sender = Sender::new().await;
    let url = sender.announce(json!({ "name": "a.bin", "size": 3 })).await;
    let other = sender.server.sign_up("other@doors.test").await;
    let colleague = sender.server.colleague(&sender.client, "sales_rep").await;
    let stranger = sender.server.stranger();
    let at = format!("{}{url}", sender.server.url);
    for (who, status) in [(&other, 404), (&colleague, 404), (&stranger, 401)] {
        for request in [who.http.put(&at).body("abc"), who.http.head(&at)] {
            let request = match &who.token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            assert_eq!(request.send().await.expect("an answer").status().as_u16(), status);
        }
    }
    let announced = stranger.http.post(format!("{}/api/uploads", sender.server.url)).json(&json!({ "name": "a" }));
    assert_eq!(announced.send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    for missing in ["/api/uploads/0190aaaa-0000-7000-8000-000000000000", "/api/uploads/none"] {
        assert_eq!(sender.put(missing, None, "abc").await.status(), StatusCode::NOT_FOUND, "{missing}");
    }
    assert_eq!(sender.offset(&url).await, 0);
}

#[tokio::test]
async fn another_sites_page_cannot_upload_by_the_cookie() {
    let sender = Sender::new().await;
    let post = |origin: Option<&'static str>| {
        let token = sender.client.token.clone().expect("signed in");
        let request = sender.client.http.post(format!("{}/api/uploads", sender.server.url));
        let request = request.header(header::COOKIE, format!("kontor_session={token}")).json(&json!({ "name": "a" }));
        let request = match origin {
            Some(origin) => request.header(header::ORIGIN, origin),
            None => request,
        };
        request.send()
    };
    assert_eq!(post(Some("https://evil.example")).await.expect("an answer").status(), StatusCode::FORBIDDEN);
    assert_eq!(post(None).await.expect("an answer").status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_download_is_kept_and_never_shown() {
    let sender = Sender::new().await;
    let page = "<script>alert(1)</script>";
    let url =
        sender.announce(json!({ "name": "Über \"uns\".html", "size": page.len(), "mediaType": "text/html" })).await;
    let link = sender.link(id(&url), TimeDelta::hours(1));
    assert_eq!(sender.download(&link, None).await.status(), StatusCode::CONFLICT, "not complete yet");
    assert_eq!(sender.put(&url, None, page).await.status(), StatusCode::OK);

    let response = sender.download(&link, None).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header_of(&response, "content-length"), page.len().to_string());
    assert_eq!(
        header_of(&response, "content-disposition"),
        "attachment; filename=\"_ber _uns_.html\"; filename*=UTF-8''%C3%9Cber%20%22uns%22.html"
    );
    assert_eq!(header_of(&response, "x-content-type-options"), "nosniff");
    assert!(header_of(&response, "content-security-policy").contains("sandbox"));
    assert_eq!(header_of(&response, "cache-control"), "private, no-store");
    assert_eq!(response.text().await.expect("text"), page);
}

#[tokio::test]
async fn a_link_opens_its_file_until_it_expires() {
    let sender = Sender::new().await;
    let url = sender.announce(json!({ "name": "a.csv", "size": 3 })).await;
    sender.put(&url, None, "abc").await;
    let file = id(&url);
    let late = sender.download(&sender.link(file, TimeDelta::seconds(-2)), None).await;
    assert_eq!(late.status(), StatusCode::GONE);
    let good = sender.link(file, TimeDelta::hours(1));
    let missing = sender.link(FileId::new(), TimeDelta::hours(1));
    for wrong in [format!("{good}A"), good[..good.len() - 1].to_owned(), missing, "/files/x".to_owned()] {
        assert_eq!(sender.download(&wrong, None).await.status(), StatusCode::NOT_FOUND, "{wrong}");
    }
}

#[tokio::test]
async fn ranges_of_a_file_can_be_asked_for() {
    let sender = Sender::new().await;
    let ctx = &sender.server.ctx;
    let bytes = numbers(8 * 1024 * 1024 + 100);
    let new = NewFile {
        name: FileName::parse("report.csv").expect("a name"),
        media_type: "text/csv",
        created_by: sender.caller.user,
        expires_at: ctx.clock.now() + TimeDelta::days(1),
    };
    let mut writer = write_new(&ctx.files, sender.caller.workspace, new).await.expect("begun");
    writer.write(&bytes).await.expect("written");
    let info = writer.finish().await.expect("finished");
    let link = sender.link(info.id, TimeDelta::hours(1));
    let (size, edge) = (bytes.len(), 8 * 1024 * 1024);
    for (range, first, last) in [
        ("bytes=0-0".to_owned(), 0, 0),
        (format!("bytes={}-{}", edge - 2, edge + 1), edge - 2, edge + 1),
        (format!("bytes={edge}-"), edge, size - 1),
        ("bytes=-10".to_owned(), size - 10, size - 1),
        (format!("bytes=5-{}", size * 2), 5, size - 1),
    ] {
        let response = sender.download(&link, Some(&range)).await;
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(header_of(&response, "content-range"), format!("bytes {first}-{last}/{size}"));
        assert_eq!(header_of(&response, "content-length"), (last - first + 1).to_string());
        assert!(response.bytes().await.expect("a body") == bytes[first..=last], "{range}");
    }
    let behind = sender.download(&link, Some(&format!("bytes={size}-"))).await;
    assert_eq!(behind.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header_of(&behind, "content-range"), format!("bytes */{size}"));
    let several = sender.download(&link, Some("bytes=0-1,4-5")).await;
    assert_eq!(several.status(), StatusCode::OK, "one range at a time; more is the whole file");

    // a range of another state of the file would not fit
    let tag = header_of(&several, "etag").to_owned();
    for (known, status) in [(tag.as_str(), StatusCode::PARTIAL_CONTENT), ("\"other\"", StatusCode::OK)] {
        let request = reqwest::Client::new().get(format!("{}{link}", sender.server.url));
        let request = request.header(header::RANGE, "bytes=0-1").header(header::IF_RANGE, known);
        assert_eq!(request.send().await.expect("an answer").status(), status);
    }
}

#[tokio::test]
async fn a_token_without_the_scope_sends_nothing() {
    let sender = Sender::new().await;
    let url = sender.announce(json!({ "name": "a.bin", "size": 1 })).await;
    let query = "mutation { createApiToken(input: { name: \"reader\", scopes: [\"contacts:read\"] }) { secret } }";
    let made = sender.client.data(query, json!({})).await;
    let reader = sender.server.client(made["createApiToken"]["secret"].as_str().expect("a token"));
    let token = reader.token.as_deref().expect("a token");
    let announce = reader.http.post(format!("{}/api/uploads", reader.url)).json(&json!({ "name": "a", "size": 1 }));
    let put = reader.http.put(format!("{}{url}", reader.url)).body("1");
    for request in [announce, put] {
        let refused = request.bearer_auth(token).send().await.expect("an answer");
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    }
}
