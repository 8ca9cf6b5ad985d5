//! `clientMutationId` of records: what counts as other input, and how long a key is kept. (That each
//! mutation is done once is in `repeat`.)

use chrono::TimeDelta;
use kontor::{
    auth::Role,
    ctx::Ctx,
    jobs::{Enqueued, enqueue},
    upkeep::PurgeSecrets,
};
use serde_json::{Value, json};

use super::{CREATE, DELETE, UPDATE, refusal};
use crate::support::server::TestServer;

fn creation(key: &str, fields: Value) -> Value {
    json!({ "input": { "clientMutationId": key, "contact": fields } })
}

#[tokio::test]
async fn a_key_that_was_used_for_something_else_is_a_conflict() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let made = ada.data(CREATE, creation("k1", json!({ "lastName": "Hopper" }))).await;
    let id = made["createContact"]["contact"]["id"].clone();
    ada.refused(CREATE, creation("k1", json!({ "lastName": "Other" })), "CONFLICT").await;
    ada.refused(CREATE, creation("k1", json!({ "lastName": "Hopper", "city": null })), "CONFLICT").await;
    let change = |key: &str, expected: Option<i32>, city: &str| json!({ "input": { "clientMutationId": key, "id": id, "expectedVersion": expected, "patch": { "city": city } } });
    ada.refused(UPDATE, change("k1", None, "X"), "CONFLICT").await;
    ada.data(UPDATE, change("k2", Some(1), "X")).await;
    for other in [change("k2", Some(1), "Y"), change("k2", Some(2), "X"), change("k2", None, "X")] {
        ada.refused(UPDATE, other, "CONFLICT").await;
    }
    ada.refused(DELETE, json!({ "input": { "clientMutationId": "k2", "id": id } }), "CONFLICT").await;
    for wrong in [String::new(), "k".repeat(201), "a\nb".to_owned()] {
        let refused = ada.refused(CREATE, creation(&wrong, json!({ "lastName": "N" })), "BAD_USER_INPUT").await;
        assert!(refused["extensions"]["fields"]["clientMutationId"].is_string(), "{refused}");
    }
    let version = "query($id: ID!) { contact(id: $id) { version } }";
    assert_eq!(ada.data(version, json!({ "id": id })).await["contact"]["version"], 2);
}

#[tokio::test]
async fn what_is_somebody_elses_by_now_is_not_shown_again() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let create = "mutation($input: CreateLeadInput!) { createLead(input: $input) { lead { id email } } }";
    let lead = json!({ "firstName": "A", "lastName": "B", "email": "a@example.com", "ownerId": rep.user() });
    let input = json!({ "input": { "clientMutationId": "k1", "lead": lead } });
    let made = rep.data(create, input.clone()).await;
    assert_eq!(rep.data(create, input.clone()).await, made);
    let give =
        "mutation($id: ID!, $to: ID!) { updateLead(input: { id: $id, patch: { ownerId: $to } }) { lead { id } } }";
    ada.data(give, json!({ "id": made["createLead"]["lead"]["id"], "to": ada.user() })).await;
    rep.refused(create, input, "NOT_FOUND").await;
}

#[tokio::test]
async fn keys_are_forgotten_after_a_day() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    ada.data(CREATE, creation("k1", json!({ "lastName": "Hopper" }))).await;
    let tidy = async || {
        let mut tx = server.ctx.db.system().await.expect("a transaction");
        let now = server.clock.now();
        enqueue::<Ctx, _>(&mut tx, now, &PurgeSecrets {}, Enqueued::default()).await.expect("enqueued");
        tx.commit().await.expect("committed");
        server.jobs_done().await;
    };
    server.advance(TimeDelta::hours(23));
    tidy().await;
    let other = creation("k1", json!({ "lastName": "Other" }));
    assert_eq!(refusal(&ada.graphql(CREATE, other.clone()).await)["code"], "CONFLICT");
    server.advance(TimeDelta::hours(2));
    tidy().await;
    ada.data(CREATE, other).await;
}
