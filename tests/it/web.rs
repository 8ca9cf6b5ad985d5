//! The pages: that each loads all it needs from this server and nothing from elsewhere, and what
//! browsers are told about it.

use axum::{body::Body, http::Request};
use http_body_util::BodyExt;
use kontor::web::{self, SignIn};
use reqwest::{StatusCode, header};
use tower::ServiceExt;

use crate::support::server::TestServer;

const PAGES: [&str; 2] = ["/", "/graphiql"];

async fn get(server: &TestServer, path: &str) -> reqwest::Response {
    reqwest::get(format!("{}{path}", server.url)).await.expect("an answer")
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("ASCII"))
}

/// What stands between these two in the text, each time.
fn between<'a>(text: &'a str, before: &'a str, after: char) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).map(move |rest| rest.split(after).next().unwrap_or_default())
}

/// What a page, style or module loads, as paths.
fn loaded(path: &str, text: &str) -> Vec<String> {
    let absolute = ["href=\"", "src=\"", "url(\""].into_iter().flat_map(|before| between(text, before, '"'));
    let absolute = absolute.filter(|path| path.starts_with("/assets/")).map(ToOwned::to_owned);
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    absolute.chain(between(text, "from \"./", '"').map(|name| format!("{folder}/{name}"))).collect()
}

#[tokio::test]
async fn pages_are_asked_for_anew_and_answer_304_when_unchanged() {
    let server = TestServer::start().await;
    for path in PAGES {
        let page = get(&server, path).await;
        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
        assert_eq!(header(&page, "cache-control"), "no-cache");
        let tag = header(&page, "etag").to_owned();

        let url = format!("{}{path}", server.url);
        let ask = |tag: String| reqwest::Client::new().get(&url).header(header::IF_NONE_MATCH, tag).send();
        let same = ask(format!("\"other\", {tag}")).await.expect("an answer");
        assert_eq!((same.status(), header(&same, "etag")), (StatusCode::NOT_MODIFIED, tag.as_str()));
        assert!(header(&same, "content-security-policy").contains("frame-ancestors 'none'"));
        assert!(same.bytes().await.expect("a body").is_empty());
        let other = ask("\"other\"".to_owned()).await.expect("an answer");
        assert_eq!(other.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_page_may_run_nothing_but_our_own_files() {
    let server = TestServer::start().await;
    for path in PAGES {
        let page = get(&server, path).await;
        let policy = header(&page, "content-security-policy").to_owned();
        let rules: Vec<_> = policy.split(';').map(str::trim).collect();
        for rule in ["default-src 'none'", "script-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(rules.contains(&rule), "{path}: {rule} in {policy}");
        }
        assert_eq!(policy.contains("unsafe-inline"), path == "/graphiql", "{policy}");
        assert!(!policy.contains("unsafe-eval"), "{policy}");
        assert_eq!(header(&page, "x-content-type-options"), "nosniff");
        assert_eq!(header(&page, "referrer-policy"), "same-origin");

        // what the policy would refuse is not there
        let html = page.text().await.expect("text");
        for tag in between(&html, "<script", '>') {
            assert!(tag.contains(" src=\"/assets/"), "{path}: {tag}");
        }
        for refused in ["<style", " style=", " onclick=", " onload=", "javascript:", "{{"] {
            assert!(!html.contains(refused), "{path}: {refused}");
        }
    }
}

#[tokio::test]
async fn all_that_a_page_loads_is_here_and_kept_for_good() {
    let server = TestServer::start().await;
    let mut wanted: Vec<String> = PAGES.map(ToOwned::to_owned).into();
    let mut seen = Vec::new();
    while let Some(path) = wanted.pop() {
        if seen.contains(&path) {
            continue;
        }
        let response = get(&server, &path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff", "{path}");
        let media = header(&response, "content-type").to_owned();
        if path.starts_with("/assets/") {
            assert_eq!(header(&response, "cache-control"), "public, max-age=31536000, immutable", "{path}");
            let expected = match path.rsplit_once('.').expect("an extension").1 {
                "js" => "text/javascript; charset=utf-8",
                "css" => "text/css; charset=utf-8",
                "svg" => "image/svg+xml",
                "woff2" => "font/woff2",
                other => panic!("{path}: {other}"),
            };
            assert_eq!(media, expected, "{path}");
        }
        if media.contains("charset=utf-8") && !path.contains("/vendor/") {
            let text = response.text().await.expect("text");
            let elsewhere = text.contains("https://") || text.contains("http://");
            assert!(!elsewhere, "{path} names another server");
            wanted.extend(loaded(&path, &text));
        }
        seen.push(path);
    }
    let vendored = seen.iter().filter(|path| path.contains("/vendor/")).count();
    assert!(vendored >= 7 && seen.iter().any(|path| path.ends_with("/import.js")), "{seen:?}");
}

#[tokio::test]
async fn what_is_not_there_is_a_404_and_never_a_page() {
    let server = TestServer::start().await;
    let html = get(&server, "/").await.text().await.expect("text");
    let style = between(&html, "href=\"", '"').find(|path| path.ends_with("/style.css")).expect("a style").to_owned();
    let folder = style.trim_end_matches("/style.css");
    for path in [
        "/assets/000000000000/style.css".to_owned(),
        format!("{folder}/missing.js"),
        format!("{folder}/index.html"),
        format!("{folder}/../index.html"),
        "/assets/vendor/README.md".to_owned(),
        "/assets/vendor/update".to_owned(),
        "/assets/vendor/..%2f..%2f..%2fCargo.toml".to_owned(),
        "/assets/".to_owned(),
        "/index.html".to_owned(),
        "/contacts/1".to_owned(),
    ] {
        let response = get(&server, &path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(header(&response, "content-type"), "application/json", "{path}");
    }
    let posted = reqwest::Client::new().post(&server.url).send().await.expect("an answer");
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_demo_shows_its_sign_in_and_nobody_else_does() {
    let page = async |demo| {
        let request = Request::get("/").body(Body::empty()).expect("a request");
        let response = web::routes(demo).oneshot(request).await.expect("an answer");
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    };
    let demo = page(Some(SignIn { email: "demo@kontor.example", password: "a\"b<c&d" })).await;
    assert!(demo.contains(r#"<meta name="demo" content="demo@kontor.example" data-password="a&quot;b&lt;c&amp;d">"#));
    let usual = page(None).await;
    assert!(usual.contains(r#"<meta name="demo" content="" data-password="">"#));
}
