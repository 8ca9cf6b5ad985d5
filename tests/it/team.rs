//! People and how they get in: signing in, sessions, tokens, letters, roles, teams, the audit log.

mod access;
mod letters;
mod people;
mod sessions;
mod teams;
mod tokens;

use serde_json::{Value, json};

use crate::support::{
    client::{Answer, Client},
    records::make_record,
    server::TestServer,
};

const SIGN_IN: &str =
    "mutation($input: SignInInput!) { signIn(input: $input) { token refreshToken expiresAt user { id email } } }";
const WHO: &str = "{ viewer { user { id email role } workspace { id name } permissions } }";
/// Contacts from a cursor on.
const CHANGES: &str = "subscription($after: String) { recordChanged(kind: CONTACT, after: $after) { recordId } }";

/// A sign-in from this address.
async fn sign_in_from(server: &TestServer, address: &str, email: &str, password: &str) -> Answer {
    let input = json!({ "input": { "email": email, "password": password } });
    server.stranger().graphql_with(SIGN_IN, input, |request| request.header("x-forwarded-for", address)).await
}

/// A sign-in with tokens that must succeed: the payload.
async fn signed_in(server: &TestServer, email: &str, password: &str) -> Value {
    let input = json!({ "input": { "email": email, "password": password } });
    server.stranger().data(SIGN_IN, input).await["signIn"].take()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

/// The code of the first error.
fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("a refusal: {answer}"))
}

/// Whether this client is refused as nobody, by both APIs.
async fn is_out(client: &Client) -> bool {
    let graphql = client.graphql(WHO, json!({})).await;
    let rest = client.get("/auth/me").await.status == reqwest::StatusCode::UNAUTHORIZED;
    let graphql = graphql["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED";
    assert_eq!(graphql, rest, "the two APIs disagree");
    graphql
}

/// Something happens that subscribers to contacts are told.
async fn change_something(server: &TestServer, client: &Client) {
    let fields = json!({ "lastName": "Hopper" });
    make_record::<kontor::crm::Contact>(&server.ctx, &client.caller(), fields).await;
}
