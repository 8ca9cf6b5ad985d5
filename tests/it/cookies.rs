//! A browser's session: it lasts as long as it is used.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::server::{PASSWORD, TestServer};

#[tokio::test]
async fn a_session_that_is_used_outlives_its_first_term() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let email = ada.data("{ viewer { user { email } } }", json!({})).await["viewer"]["user"]["email"].clone();
    let sign_in = "mutation($email: String!, $password: String!) {
        signIn(input: { email: $email, password: $password, as: COOKIE }) { token expiresAt } }";
    let variables = json!({ "email": email, "password": PASSWORD });
    let answer = server.stranger().graphql_with(sign_in, variables, |request| request).await;
    let set = answer.headers["set-cookie"].to_str().expect("text").to_owned();
    let age = set.split("; ").find_map(|part| part.strip_prefix("Max-Age=")).expect("an age");
    let age = TimeDelta::seconds(age.parse().expect("a number"));
    let term = server.ctx.auth.cookie();
    assert!(age > term * 10, "the browser must not forget it while the server would not: {set}");

    let mut browser = server.stranger();
    browser.cookie = set.split(';').next().map(ToOwned::to_owned);
    for _ in 0..4 {
        server.advance(term * 3 / 4);
        browser.data("{ viewer { user { id } } }", json!({})).await;
    }
    server.advance(term + TimeDelta::hours(1));
    browser.refused("{ viewer { user { id } } }", json!({}), "UNAUTHENTICATED").await;
}
