//! Personal API tokens.

use chrono::TimeDelta;
use kontor::auth::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{CHANGES, change_something, code, is_out, text};
use crate::support::{client::Client, eventually, live::Told, server::TestServer, sql};

const CREATE: &str = "mutation($input: CreateApiTokenInput!) { createApiToken(input: $input) { secret apiToken { id hint scopes expiresAt } } }";
const REVOKE: &str = "mutation($id: ID!) { revokeApiToken(input: { id: $id }) { done } }";

/// Id and holder of a new token.
async fn token(server: &TestServer, client: &Client, input: Value) -> (String, Client) {
    let made = client.data(CREATE, json!({ "input": input })).await["createApiToken"].take();
    (text(&made["apiToken"]["id"]), server.client(&text(&made["secret"])))
}

#[tokio::test]
async fn a_tokens_secret_is_shown_once_and_kept_nowhere() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let made = ada.data(CREATE, json!({ "input": { "name": "CI" } })).await["createApiToken"].take();
    let robot = server.client(made["secret"].as_str().expect("a secret"));
    robot.refused(CREATE, json!({ "input": { "name": "its child" } }), "FORBIDDEN").await;
    let secret = text(&made["secret"]);
    assert!(secret.starts_with("kontor_t_") && secret.len() > 40, "{secret}");
    assert_eq!(made["apiToken"]["hint"], secret[..14]);
    assert!(!is_out(&server.client(&secret)).await);
    let list = ada.data("{ apiTokens { id name hint scopes createdAt expiresAt lastUsedAt } }", json!({})).await;
    let listed = &list["apiTokens"][0];
    assert_eq!([&listed["id"], &listed["name"]], [&made["apiToken"]["id"], &json!("CI")]);
    assert!(listed["lastUsedAt"].is_string());
    assert!(!list.to_string().contains(&secret[14..]));
    for table in ["tokens", "audit_log", "outbox", "events"] {
        let kept = format!("SELECT count(*) AS value FROM {table} AS row WHERE row::text LIKE '%{}%'", &secret[14..]);
        assert_eq!(sql::number(&server.database.db, &kept).await, 0, "{table}");
    }
}

#[tokio::test]
async fn scopes_narrow_and_never_widen() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (_, reader) = token(&server, &ada, json!({ "name": "R", "scopes": ["contacts:read", "contacts:read"] })).await;
    let viewer = reader.data("{ viewer { permissions } }", json!({})).await;
    assert_eq!(viewer["viewer"]["permissions"], json!(["contacts:read"]));
    reader.data("{ contacts { nodes { id } } }", json!({})).await;
    let create = "mutation { createContact(input: { contact: { lastName: \"N\" } }) { contact { id } } }";
    let refusal = reader.refused(create, json!({}), "FORBIDDEN").await;
    assert!(text(&refusal["message"]).contains("contacts:write"), "{refusal}");
    reader.get("/contacts").await.expect(StatusCode::OK);
    reader.post("/contacts", json!({})).await.refused(403);
    // nor does a narrow token make a wide one
    reader.refused(CREATE, json!({ "input": { "name": "W" } }), "FORBIDDEN").await;

    let rep = ada.invite_role(Role::SalesRep).await;
    let (_, wide) = token(&server, &rep, json!({ "name": "W", "scopes": ["users:manage", "jobs:read"] })).await;
    assert_eq!(
        wide.data("{ viewer { permissions } }", json!({})).await["viewer"]["permissions"],
        json!(["jobs:read:own"])
    );
    let unknown = ada.refused(CREATE, json!({ "input": { "name": "X", "scopes": ["all"] } }), "BAD_USER_INPUT").await;
    assert!(unknown["extensions"]["fields"]["scopes"].is_string(), "{unknown}");
}

#[tokio::test]
async fn a_token_ends_when_it_expires_in_the_middle_of_a_subscription_too() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let soon = server.clock.now() + TimeDelta::hours(1);
    for wrong in [server.clock.now() - TimeDelta::seconds(1), server.clock.now() + TimeDelta::days(4000)] {
        let refusal =
            ada.refused(CREATE, json!({ "input": { "name": "T", "expiresAt": wrong } }), "BAD_USER_INPUT").await;
        assert!(refusal["extensions"]["fields"]["expiresAt"].is_string(), "{refusal}");
    }
    let (_, guest) = token(&server, &ada, json!({ "name": "T", "expiresAt": soon })).await;
    let mut live = guest.subscribe(CHANGES, json!({ "after": server.cursor().await })).await;
    change_something(&server, &ada).await;
    live.next().await;
    server.clock.advance(TimeDelta::minutes(61));
    assert!(is_out(&guest).await);
    change_something(&server, &ada).await;
    assert_eq!(live.hear().await, Told::Closed(4401, "Signed out".to_owned()));
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_on_every_node() {
    let server = TestServer::start().await;
    let other = server.second_node().await;
    let ada = server.admin().await;
    let (id, here) = token(&server, &ada, json!({ "name": "T" })).await;
    let there = other.client(here.token.as_deref().expect("a token"));
    assert!(!is_out(&here).await && !is_out(&there).await);
    let mut live = there.subscribe(CHANGES, json!({ "after": server.cursor().await })).await;
    change_something(&server, &ada).await;
    live.next().await;
    let epoch = other.ctx.resolver.epoch();
    ada.data(REVOKE, json!({ "id": id })).await;
    assert!(is_out(&here).await);
    eventually("the other node hears of it", async || other.ctx.resolver.epoch() > epoch).await;
    assert!(is_out(&there).await);
    change_something(&server, &ada).await;
    assert_eq!(live.hear().await, Told::Closed(4401, "Signed out".to_owned()));
    assert_eq!(ada.data("{ apiTokens { id } }", json!({})).await, json!({ "apiTokens": [] }));
    let again = ada.graphql(REVOKE, json!({ "id": id })).await;
    assert_eq!(code(&again), "NOT_FOUND");
}

#[tokio::test]
async fn an_admin_revokes_anybodys_token() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (rep, manager) = (ada.invite_role(Role::SalesRep).await, ada.invite_role(Role::Manager).await);
    let (id, guest) = token(&server, &rep, json!({ "name": "T" })).await;
    manager.refused(REVOKE, json!({ "id": id }), "NOT_FOUND").await;
    assert!(!is_out(&guest).await);
    ada.data(REVOKE, json!({ "id": id })).await;
    assert!(is_out(&guest).await);
}
