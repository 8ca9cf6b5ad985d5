//! Signing in, by tokens and by cookie, and what slows down those who guess.

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{SIGN_IN, WHO, code, is_out, sign_in_from, signed_in, text};
use crate::support::{
    server::{PASSWORD, TestServer},
    socket_client::{Heard, SocketClient},
};

const PROFILE: &str = "mutation { updateUser(input: { department: \"Navy\" }) { user { department } } }";

/// Signs in for a cookie; the answer as it came.
async fn cookie_sign_in(server: &TestServer) -> crate::support::client::Answer {
    let input = json!({ "input": { "email": "ada@first.test", "password": PASSWORD, "as": "COOKIE" } });
    server.stranger().graphql_with(SIGN_IN, input, |request| request).await
}

#[tokio::test]
async fn signing_in_gives_tokens_or_a_cookie_and_never_both() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let input = json!({ "input": { "email": " ADA@first.test", "password": PASSWORD } });
    let answer = server.stranger().graphql_with(SIGN_IN, input, |request| request).await;
    assert!(answer.headers.get("set-cookie").is_none());
    let payload = &answer.body["data"]["signIn"];
    assert_eq!(payload["user"]["email"], "ada@first.test");
    assert!(text(&payload["refreshToken"]).starts_with("kontor_r_"));
    let by_token = server.client(&text(&payload["token"]));
    assert_eq!(by_token.data(WHO, json!({})).await["viewer"]["user"]["id"], json!(ada.user()));

    let answer = cookie_sign_in(&server).await;
    let payload = &answer.body["data"]["signIn"];
    assert_eq!([&payload["token"], &payload["refreshToken"]], [&Value::Null, &Value::Null]);
    let cookie = answer.headers["set-cookie"].to_str().expect("text").to_owned();
    let (pair, attributes) = cookie.split_once("; ").expect("attributes");
    assert!(pair.starts_with("kontor_session=kontor_c_"), "{cookie}");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax; Max-Age=34560000");
    let browser = server.stranger().with_cookie(pair);
    assert_eq!(browser.data(WHO, json!({})).await["viewer"]["user"]["id"], json!(ada.user()));
    browser.get("/auth/me").await.expect(StatusCode::OK);
    // a cookie's secret is no token for refreshing
    let secret = pair.trim_start_matches("kontor_session=");
    let refresh = "mutation($token: String!) { refreshSession(input: { refreshToken: $token }) { token } }";
    server.stranger().refused(refresh, json!({ "token": secret }), "UNAUTHENTICATED").await;
}

#[tokio::test]
async fn behind_https_the_cookie_is_for_https_only() {
    let server = TestServer::start_with(|ctx| ctx.public_url = "https://kontor.test".into()).await;
    server.admin().await;
    let answer = cookie_sign_in(&server).await;
    assert!(answer.headers["set-cookie"].to_str().is_ok_and(|cookie| cookie.ends_with("; Secure")));
}

#[tokio::test]
async fn a_cookie_is_obeyed_only_from_our_own_pages() {
    let server = TestServer::start().await;
    let browser = server.admin().await.in_browser().await;
    let foreign = [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")];
    for (name, value) in foreign {
        let answer = browser.graphql_with(PROFILE, json!({}), |request| request.header(name, value)).await;
        assert_eq!((answer.status, code(&answer.body)), (StatusCode::FORBIDDEN, "FORBIDDEN"), "{name}: {value}");
        let change = json!({ "department": "Navy" });
        let put = |request: reqwest::RequestBuilder| request.json(&change).header(name, value);
        browser.send(Method::PUT, "/auth/update-profile", put).await.refused(403);
    }
    let untouched = browser.data("{ viewer { user { department } } }", json!({})).await;
    assert_eq!(untouched["viewer"]["user"]["department"], Value::Null);
    for (name, value) in [("origin", server.url.as_str()), ("sec-fetch-site", "same-origin")] {
        let answer = browser.graphql_with(PROFILE, json!({}), |request| request.header(name, value)).await;
        assert_eq!(answer.body["data"]["updateUser"]["user"]["department"], "Navy", "{name}: {value}");
    }
    // a token is not sent by browsers on their own
    let client = server.admin().await;
    let answer = client.graphql_with(PROFILE, json!({}), |request| request.header("origin", foreign[0].1)).await;
    assert!(answer.body.get("errors").is_none(), "{}", answer.body);
}

#[tokio::test]
async fn a_socket_takes_no_cookie_from_another_sites_page() {
    let server = TestServer::start().await;
    let browser = server.admin().await.in_browser().await;
    let cookie = browser.cookie.as_deref().expect("a browser");
    let address = server.url.trim_start_matches("http://").parse().expect("an address");
    let headers = [("cookie", cookie), ("origin", "https://evil.example")];
    let mut socket = SocketClient::open(address, &headers).await;
    socket.say(json!({ "type": "connection_init" })).await;
    assert!(matches!(socket.hear().await, Heard::Closed { code: 4403, .. }));
    let mut socket = SocketClient::open(address, &[("cookie", cookie), ("origin", &server.url)]).await;
    socket.say(json!({ "type": "connection_init" })).await;
    assert_eq!(socket.json().await["type"], "connection_ack");
}

#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    let server = TestServer::start().await;
    server.admin().await;
    let known = sign_in_from(&server, "192.0.2.1", "ada@first.test", "wrong horse battery").await;
    let unknown = sign_in_from(&server, "192.0.2.1", "nobody@first.test", "wrong horse battery").await;
    let told = |answer: &Value| {
        let mut error = answer["errors"][0].clone();
        error["extensions"]["requestId"] = Value::Null;
        error
    };
    assert_eq!(code(&known.body), "UNAUTHENTICATED");
    assert_eq!((known.status, told(&known.body)), (unknown.status, told(&unknown.body)));
    let ask = "mutation($email: String!) { requestPasswordReset(input: { email: $email }) { done } }";
    for email in ["ada@first.test", "nobody@first.test", "no address"] {
        let answer = server.stranger().data(ask, json!({ "email": email })).await;
        assert_eq!(answer, json!({ "requestPasswordReset": { "done": true } }), "{email}");
    }
}

#[tokio::test]
async fn who_fails_too_often_waits_whatever_the_password() {
    let few = |ctx: &mut kontor::ctx::Ctx| {
        let limits = kontor::base::Limits { sign_in_attempts: 3, ..(*ctx.limits).clone() };
        ctx.limits = std::sync::Arc::new(limits);
    };
    let server = TestServer::start_with(few).await;
    server.admin().await;
    let attempt = async |address: &str, email: &str, password: &str| {
        let answer = sign_in_from(&server, address, email, password).await;
        answer.body["errors"][0]["extensions"]["code"].as_str().unwrap_or("GOOD").to_owned()
    };
    let (wrong, here, there) = ("wrong horse battery", "192.0.2.1", "192.0.2.2");
    // a good sign-in forgives the failures before it
    for _ in 0..2 {
        assert_eq!(attempt(here, "ada@first.test", wrong).await, "UNAUTHENTICATED");
    }
    assert_eq!(attempt(here, "ada@first.test", PASSWORD).await, "GOOD");
    for _ in 0..3 {
        assert_eq!(attempt(here, "ada@first.test", wrong).await, "UNAUTHENTICATED");
    }
    // the right password helps nobody who comes from where it was guessed
    assert_eq!(attempt(here, "ADA@first.test", PASSWORD).await, "RATE_LIMITED");
    assert_eq!(attempt(there, "ADA@first.test", PASSWORD).await, "GOOD");
    let answer = sign_in_from(&server, here, "ada@first.test", PASSWORD).await.body;
    let wait = answer["errors"][0]["extensions"]["retryAfter"].as_i64().expect("seconds");
    assert!((1..=900).contains(&wait), "{wait}");
    server.advance(TimeDelta::minutes(16));
    assert_eq!(attempt(here, "ada@first.test", PASSWORD).await, "GOOD");

    // one address that tries many accounts waits as well, and nobody else does
    for number in 0..15 {
        assert_eq!(attempt(here, &format!("u{number}@first.test"), wrong).await, "UNAUTHENTICATED", "{number}");
    }
    assert_eq!(attempt(here, "ada@first.test", PASSWORD).await, "RATE_LIMITED");
    assert_eq!(attempt(there, "ada@first.test", PASSWORD).await, "GOOD");
}

#[tokio::test]
async fn changing_the_password_ends_the_other_sessions() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (other, browser) = (ada.again().await, ada.in_browser().await);
    let change = "mutation($input: ChangePasswordInput!) { changePassword(input: $input) { done } }";
    let input = |current: &str, new: &str| json!({ "input": { "currentPassword": current, "newPassword": new } });
    ada.refused(change, input("wrong horse battery", "a whole new password"), "UNAUTHENTICATED").await;
    let short = ada.refused(change, input(PASSWORD, "short"), "BAD_USER_INPUT").await;
    assert!(short["extensions"]["fields"]["newPassword"].is_string(), "{short}");
    assert!(!is_out(&other).await);
    ada.data(change, input(PASSWORD, "a whole new password")).await;
    assert!(!is_out(&ada).await);
    assert!(is_out(&other).await && is_out(&browser).await);
    signed_in(&server, "ada@first.test", "a whole new password").await;
}
