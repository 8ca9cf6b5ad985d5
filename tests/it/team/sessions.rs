//! Sessions: how long they live, how they are refreshed, listed and ended.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{CHANGES, SIGN_IN, WHO, change_something, is_out, signed_in, text};
use crate::support::{
    client::Client,
    eventually,
    server::{PASSWORD, TestServer},
    sql,
};

const REFRESH: &str =
    "mutation($token: String!) { refreshSession(input: { refreshToken: $token }) { token refreshToken } }";
const SESSIONS: &str = "{ sessions { id kind userAgent address isCurrent createdAt lastUsedAt } }";

async fn refresh(client: &Client, token: &Value) -> Value {
    client.data(REFRESH, json!({ "token": token })).await["refreshSession"].take()
}

#[tokio::test]
async fn a_spent_refresh_token_is_refused_and_half_a_minute_later_ends_the_session() {
    let server = TestServer::start().await;
    let (admin, stranger) = (server.admin().await, server.stranger());
    let first = signed_in(&server, "ada@first.test", PASSWORD).await;
    let second = refresh(&stranger, &first["refreshToken"]).await;
    // requests under way when the client refreshed still get their answer
    assert!(!is_out(&server.client(&text(&first["token"]))).await);

    // two requests of one client may race: that ends nothing
    server.advance(TimeDelta::seconds(29));
    stranger.refused(REFRESH, json!({ "token": first["refreshToken"] }), "UNAUTHENTICATED").await;
    let third = refresh(&stranger, &second["refreshToken"]).await;
    server.advance(TimeDelta::seconds(61));
    assert!(is_out(&server.client(&text(&first["token"]))).await, "the access token before the refresh");
    let now = server.client(&text(&third["token"]));
    let me = now.data(WHO, json!({})).await["viewer"]["user"]["id"].clone();
    assert_eq!(me, json!(admin.user()));

    // that late only a thief or the robbed can come with it: both are out, on every node
    let other = server.second_node().await;
    let there = other.client(&text(&third["token"]));
    assert!(!is_out(&there).await);
    let mut live = now.subscribe(CHANGES, json!({ "after": server.cursor().await })).await;
    let epoch = other.ctx.resolver.epoch();
    stranger.refused(REFRESH, json!({ "token": second["refreshToken"] }), "UNAUTHENTICATED").await;
    assert!(is_out(&now).await);
    eventually("the other node hears of it", async || other.ctx.resolver.epoch() > epoch).await;
    assert!(is_out(&there).await);
    stranger.refused(REFRESH, json!({ "token": third["refreshToken"] }), "UNAUTHENTICATED").await;
    change_something(&server, &admin).await;
    assert_eq!(live.hear().await, crate::support::live::Told::Closed(4401, "Signed out".to_owned()));
    assert!(!is_out(&admin).await, "other sessions go on");
    let log = admin.data("{ auditLog(first: 2) { nodes { action details } } }", json!({})).await;
    let ended =
        log["auditLog"]["nodes"].as_array().expect("nodes").iter().find(|entry| entry["action"] == "session.ended");
    assert_eq!(ended.expect("told")["details"]["reason"], "a spent refresh token was used again");
}

#[tokio::test]
async fn of_two_refreshes_at_once_one_succeeds_and_the_session_goes_on() {
    let server = TestServer::start().await;
    server.admin().await;
    let first = signed_in(&server, "ada@first.test", PASSWORD).await;
    let (stranger, token) = (server.stranger(), json!({ "token": first["refreshToken"] }));
    let (one, two) = tokio::join!(stranger.graphql(REFRESH, token.clone()), stranger.graphql(REFRESH, token));
    let good: Vec<_> = [one, two].into_iter().filter(|answer| answer.get("errors").is_none()).collect();
    assert_eq!(good.len(), 1);
    let token = &good[0]["data"]["refreshSession"]["token"];
    assert!(!is_out(&server.client(&text(token))).await);
}

#[tokio::test]
async fn sessions_live_as_long_as_configured() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let tokens = signed_in(&server, "ada@first.test", PASSWORD).await;
    let (client, browser) = (server.client(&text(&tokens["token"])), ada.in_browser().await);
    // a cookie's life begins anew with each use, an access token's does not
    for _ in 0..3 {
        server.advance(TimeDelta::days(6));
        assert!(!is_out(&browser).await);
    }
    assert!(is_out(&client).await);
    let fresh = refresh(&server.stranger(), &tokens["refreshToken"]).await;
    server.advance(TimeDelta::days(15));
    assert!(is_out(&browser).await);
    server.advance(TimeDelta::days(16));
    server.stranger().refused(REFRESH, json!({ "token": fresh["refreshToken"] }), "UNAUTHENTICATED").await;
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let rep = admin.invite_role(kontor::auth::Role::SalesRep).await;
    let query = format!("SELECT email AS value FROM users WHERE id = '{}'", rep.user());
    let email = sql::texts(&server.database.db, &query).await.remove(0);
    server.advance(TimeDelta::hours(1));
    let input = json!({ "input": { "email": email, "password": PASSWORD, "as": "COOKIE" } });
    let phone = |request: reqwest::RequestBuilder| {
        request.header("user-agent", "Phone 7").header("x-forwarded-for", "10.0.0.1, 192.0.2.7")
    };
    let answer = server.stranger().graphql_with(SIGN_IN, input, phone).await;
    let cookie = answer.headers["set-cookie"].to_str().expect("text").split(';').next().unwrap_or_default();
    let browser = server.stranger().with_cookie(cookie);
    assert!(!is_out(&browser).await);

    let sessions = rep.data(SESSIONS, json!({})).await["sessions"].take();
    let sessions = sessions.as_array().expect("a list");
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    let one = |kind: &str| sessions.iter().find(|session| session["kind"] == kind).expect("listed").clone();
    let (cookie, tokens) = (one("COOKIE"), one("TOKENS"));
    assert_eq!([&cookie["userAgent"], &cookie["address"]], ["Phone 7", "192.0.2.7"]);
    assert_eq!([&cookie["isCurrent"], &tokens["isCurrent"]], [false, true]);
    assert!(!format!("{sessions:?}").contains("kontor_"), "no secrets");

    let end = "mutation($id: ID!) { endSession(input: { id: $id }) { done } }";
    admin.refused(end, json!({ "id": cookie["id"] }), "NOT_FOUND").await;
    rep.data(end, json!({ "id": cookie["id"] })).await;
    assert!(is_out(&browser).await && !is_out(&rep).await);
    rep.refused(end, json!({ "id": cookie["id"] }), "NOT_FOUND").await;
    assert_eq!(rep.data(SESSIONS, json!({})).await["sessions"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn signing_out_ends_this_session_and_takes_the_cookie_back() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let browser = ada.in_browser().await;
    let answer = browser.graphql_with("mutation { signOut { done } }", json!({}), |request| request).await;
    assert_eq!(answer.body, json!({ "data": { "signOut": { "done": true } } }));
    let cookie = answer.headers["set-cookie"].to_str().expect("text");
    assert!(cookie.starts_with("kontor_session=;") && cookie.contains("Max-Age=0"), "{cookie}");
    assert!(is_out(&browser).await && !is_out(&ada).await);
    // a browser that still sends its old cookie can sign in again
    let input = json!({ "input": { "email": "ada@first.test", "password": PASSWORD, "as": "COOKIE" } });
    browser.data(SIGN_IN, input).await;
}
