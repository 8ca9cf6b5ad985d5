//! Requests that no honest client sends: a clear refusal each, never a fault of ours.

use std::sync::Arc;

use reqwest::{Method, StatusCode, header::CONTENT_TYPE};
use serde_json::json;

use crate::support::{
    server::{Client, TestServer, with_query},
    sql,
};

async fn raw(
    client: &Client,
    media: Option<&'static str>,
    body: impl Into<reqwest::Body>,
) -> crate::support::server::Answer {
    let body = body.into();
    let with = |request: reqwest::RequestBuilder| {
        let request = request.body(body);
        media
            .map_or_else(|| request.try_clone(), |media| Some(request.try_clone()?.header(CONTENT_TYPE, media)))
            .expect("a plain body")
    };
    client.send(Method::POST, "/accounts", with).await
}

const GOOD: &str = r#"{"account_name": "X"}"#;

#[tokio::test]
async fn bodies_that_are_no_json_objects_are_refused_with_the_place() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let json = Some("application/json");
    let deep = format!("{{\"account_name\": {}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let wide = format!("{{\"account_name\": \"X\"{}}}", ", \"a\": 1".repeat(100_000));
    for (body, says) in [
        (r#"{"account_name": "X""#, "line 1 column 20"),
        ("{\n  \"account_name\": nope\n}", "line 2 column"),
        ("{'account_name': 'X'}", "not valid JSON"),
        ("account_name=X", "not valid JSON"),
        (r#"{"account_name": "X"} trailing"#, "not valid JSON"),
        (r#"{"account_name": "\ud800"}"#, "not valid JSON"),
        (r#"{"employees": 1e999}"#, "not valid JSON"),
        (&deep, "recursion limit"),
        ("[]", "an array"),
        ("null", "not null"),
        ("5", "a number"),
        ("\"x\"", "a text"),
        ("true", "true or false"),
    ] {
        let refusal = raw(&ada, json, body.to_owned()).await.refused(400);
        assert!(refusal["message"].as_str().is_some_and(|message| message.contains(says)), "{says}: {refusal}");
    }
    raw(&ada, json, vec![0xff, 0xfe, 0x00]).await.refused(400);
    raw(&ada, json, wide).await.data();
}

#[tokio::test]
async fn only_json_is_read_and_its_absence_is_an_empty_object() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    for media in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        ";",
        "json",
    ] {
        let refusal = raw(&ada, Some(media), GOOD).await.refused(400);
        assert!(refusal["message"].as_str().is_some_and(|message| message.contains("application/json")), "{refusal}");
    }
    for media in
        [None, Some("application/json"), Some("Application/JSON; charset=utf-8"), Some("application/vnd.api+json")]
    {
        raw(&ada, media, GOOD).await.data();
    }
    let refusal = raw(&ada, None, "").await.refused(400);
    assert_eq!(refusal["fields"], json!({ "account_name": "is needed" }));
}

#[tokio::test]
async fn large_bodies_are_refused_and_the_client_lives_to_read_it() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let large = format!(r#"{{"account_name": "{}"}}"#, "x".repeat(10 * 1024 * 1024));
    for _ in 0..3 {
        assert_eq!(raw(&ada, Some("application/json"), large.clone()).await.refused(413)["code"], "TOO_LARGE");
    }
    // just below the limit the field's own rule speaks
    let field = format!(r#"{{"account_name": "{}"}}"#, "x".repeat(server.ctx.limits.body_bytes - 100));
    let refusal = raw(&ada, Some("application/json"), field).await.refused(400);
    assert!(refusal["fields"]["account_name"].is_string());
}

#[tokio::test]
async fn values_of_the_wrong_shape_name_their_field() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    for (field, value) in [
        ("account_name", json!({})),
        ("account_name", json!([])),
        ("account_name", json!("nul\0")),
        ("account_name", json!("bell\u{7}")),
        ("account_name", json!("x".repeat(256))),
        ("description", json!("x".repeat(70_000))),
        ("employees", json!(-1)),
        ("employees", json!(1.5)),
        ("employees", json!(99_999_999_999_i64)),
        ("employees", json!("many")),
        ("type", json!(3)),
        ("type", json!(["prospect"])),
        ("website", json!("javascript:alert(1)")),
        ("website", json!("java\u{0}script:alert(1)")),
        ("phone", json!("call me")),
        ("assigned_to", json!(1)),
        ("tags", json!("a".repeat(61))),
        ("tags", json!([1])),
        ("tags", json!(vec!["x".repeat(61)])),
        ("tags", json!((0..101).map(|number| number.to_string()).collect::<Vec<_>>())),
        ("custom_fields", json!("{}")),
        ("custom_fields", json!([])),
        ("custom_fields", json!({ "nul": ["\0"] })),
        ("custom_fields", json!({ "nul\0": 1 })),
        ("custom_fields", json!({ "long": "x".repeat(70_000) })),
    ] {
        let mut body = json!({ "account_name": "X" });
        body[field] = value;
        let refusal = ada.post("/accounts", body).await.refused(400);
        assert!(refusal["fields"][field].is_string(), "{field}: {refusal}");
    }
    let spelled = json!({ "account_name": "X", "custom_fields": { "a": "\\u0000" } });
    assert_eq!(ada.post("/accounts", spelled).await.data()["custom_fields"]["a"], "\\u0000");
}

#[tokio::test]
async fn sql_in_any_place_is_but_text() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let name = "'; DROP TABLE accounts; --";
    ada.post("/accounts", json!({ "account_name": name, "industry": "$1" })).await.data();
    let query = async |name: &str, value: &str| ada.get(&with_query("/accounts", &[(name, value)])).await;
    assert_eq!(query("account_name", name).await.data()[0]["account_name"], name);
    assert_eq!(query("industry", "$1").await.data().as_array().map(Vec::len), Some(1));
    assert_eq!(query("search", "drop table").await.data().as_array().map(Vec::len), Some(1));
    for text in ["' OR '1'='1", "%' OR 1=1 --", "\\", "\\'", "1); SELECT pg_sleep(10); --", "\u{202e}", "\u{fffd}"] {
        for parameter in ["search", "account_name", "industry", "billing_city"] {
            assert_eq!(query(parameter, text).await.data(), json!([]), "{parameter} {text}");
        }
        for parameter in ["type", "employees", "id", "assigned_to", "created_at", "sort", "page", "limit"] {
            query(parameter, text).await.refused(400);
        }
    }
    for parameter in ["search", "account_name", "tags"] {
        query(parameter, "nul\0").await.refused(400);
    }
    query("search", &"x".repeat(1000)).await.refused(400);
    assert_eq!(sql::number(&server.database.db, "SELECT count(*) AS value FROM accounts").await, 1);
}

#[tokio::test]
async fn unknown_routes_and_methods_are_told_in_json() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    for path in ["", "/", "/nonsense", "/contacts/a/b", "/auth", "/auth/nonsense", "/%ff", "/Contacts"] {
        for client in [&ada, &server.stranger()] {
            assert_eq!(client.get(path).await.refused(404)["code"], "NOT_FOUND", "{path}");
        }
    }
    for (method, path, allowed) in [
        (Method::PATCH, "/contacts", "GET,HEAD,POST"),
        (Method::DELETE, "/accounts", "GET,HEAD,POST"),
        (Method::POST, "/contacts/x", "DELETE,GET,HEAD,PUT"),
        (Method::GET, "/auth/login", "POST"),
        (Method::PUT, "/auth/me", "GET,HEAD"),
        (Method::OPTIONS, "/users", "GET,HEAD,POST"),
    ] {
        let answer = ada.send(method.clone(), path, |request| request).await;
        let mut allow: Vec<_> = answer.headers["allow"].to_str().expect("text").split(',').map(str::to_owned).collect();
        allow.sort_unstable();
        assert_eq!(allow.join(","), allowed, "{method} {path}");
        answer.refused(405);
    }
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_ended() {
    let server = TestServer::start_with(|ctx| {
        ctx.auth.open_registration = true;
        let limits = Arc::make_mut(&mut ctx.limits);
        limits.request_seconds = 1;
    })
    .await;
    let ada = server.sign_up("ada@example.com").await;
    let mut tx = server.database.db.system().await.expect("a transaction");
    sql::run_in(&mut tx, "LOCK TABLE accounts").await;
    assert_eq!(ada.get("/accounts").await.refused(503)["code"], "TIMED_OUT");
    drop(tx);
    let answer = ada.get("/accounts").await;
    assert_eq!(answer.status, StatusCode::OK);
}
