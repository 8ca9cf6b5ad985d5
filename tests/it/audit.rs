//! What the audit log tells, and from where it was.

use kontor::auth::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::server::{PASSWORD, TestServer};

const LOG: &str = "{ auditLog(first: 50) { nodes { action subjectId requestId details } } }";

async fn entries(admin: &crate::support::server::Client, action: &str) -> Vec<Value> {
    let log = admin.data(LOG, json!({})).await;
    let nodes = log["auditLog"]["nodes"].as_array().expect("a list").clone();
    nodes.into_iter().filter(|entry| entry["action"] == action).collect()
}

#[tokio::test]
async fn a_sign_in_is_told_with_its_request() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (stranger, credentials) = (server.stranger(), json!({ "email": "ada@first.test", "password": PASSWORD }));
    let named = |request: reqwest::RequestBuilder, id: &str| request.header("x-request-id", id);
    let by_rest =
        stranger.send(Method::POST, "/auth/login", |request| named(request, "sign-in-0001").json(&credentials));
    by_rest.await.data();
    let query = "mutation S($input: SignInInput!) { signIn(input: $input) { user { id } } }";
    let input = json!({ "input": credentials });
    let by_graphql = stranger.graphql_with(query, input, |request| named(request, "sign-in-0002"));
    assert!(by_graphql.await.body["errors"].is_null());
    let told = entries(&admin, "session.started").await;
    let requests: Vec<_> = told.iter().map(|entry| entry["requestId"].as_str().unwrap_or("none")).collect();
    assert_eq!(requests, ["sign-in-0002", "sign-in-0001"]);
}

#[tokio::test]
async fn a_restored_record_is_told() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let made = admin.post("/contacts", json!({ "first_name": "A", "last_name": "B", "email": "a@x.de" })).await.data();
    admin.delete(&format!("/contacts/{}", made["id"].as_str().expect("an id"))).await.data();
    let restore = "mutation R($id: ID!) { restoreContact(input: { id: $id }) { contact { id } } }";
    admin.data(restore, json!({ "id": made["id"] })).await;
    for action in ["record.deleted", "record.restored"] {
        let told = entries(&admin, action).await;
        assert_eq!(told.iter().map(|entry| &entry["subjectId"]).collect::<Vec<_>>(), [&made["id"]], "{action}");
    }
}

#[tokio::test]
async fn what_an_admin_changes_of_others_is_told_and_ones_own_profile_is_not() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let rep = admin.invite_role(Role::SalesRep).await;
    let path = format!("/users/{}", rep.user());
    rep.put(&path, json!({ "phone": "+49 1" })).await.data();
    admin.put(&path, json!({ "phone": "+49 1" })).await.data();
    assert!(entries(&admin, "user.updated").await.is_empty());
    admin.put(&path, json!({ "phone": "+49 2", "department": "Sales" })).await.data();
    let told = entries(&admin, "user.updated").await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["subjectId"], &told[0]["details"]["changed"]),
        (&json!(rep.user()), &json!(["phone", "department"]))
    );
    assert!(!told[0].to_string().contains("+49"), "values are in the profile, not in the log");
}
