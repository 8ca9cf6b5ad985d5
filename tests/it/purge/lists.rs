//! Lists and the purge: memberships go, counts stay exact, and dynamic lists follow links that became
//! empty.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{delete, made, orphans, purge, text};
use crate::support::{client::Client, server::TestServer, sql};

async fn list(client: &Client, input: Value) -> String {
    let new = "mutation($input: CreateContactListInput!) { createContactList(input: $input) { contactList { id } } }";
    text(&client.data(new, json!({ "input": input })).await["createContactList"]["contactList"]["id"])
}

async fn held(client: &Client, list: &str) -> Value {
    let query = "query($id: ID!) { contactList(id: $id) { contactCount contacts { nodes { id } } } }";
    client.data(query, json!({ "id": list })).await["contactList"].take()
}

#[tokio::test]
async fn a_dynamic_list_follows_a_link_that_became_empty() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let account = made(&ada, "account", json!({ "name": "Navy" })).await;
    let contact = made(&ada, "contact", json!({ "lastName": "Hopper", "accountId": account })).await;
    let criteria = json!({ "compare": { "field": "accountId", "op": "IS_EMPTY" } });
    let id = list(&ada, json!({ "name": "D", "listType": "DYNAMIC", "criteria": criteria })).await;
    delete(&ada, "account", &account).await;
    server.events_logged().await;
    server.jobs_done().await;
    assert_eq!(held(&ada, &id).await["contactCount"], 0);
    server.advance(TimeDelta::days(31));
    let ada = ada.again().await;
    purge(&server).await;
    assert_eq!(held(&ada, &id).await, json!({ "contactCount": 1, "contacts": { "nodes": [{ "id": contact }] } }));
}

#[tokio::test]
async fn a_broken_list_does_not_keep_a_contact_that_is_removed() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (goes, stays) = (
        made(&ada, "contact", json!({ "lastName": "G" })).await,
        made(&ada, "contact", json!({ "lastName": "S" })).await,
    );
    let criteria = json!({ "compare": { "field": "lastName", "op": "IS_EMPTY" } });
    let id = list(&ada, json!({ "name": "D", "listType": "DYNAMIC", "criteria": { "not": criteria } })).await;
    server.jobs_done().await;
    assert_eq!(held(&ada, &id).await["contactCount"], 2);
    sql::run(&server.database.db, "UPDATE contact_lists SET broken = 'for some reason'").await;
    delete(&ada, "contact", &goes).await;
    server.events_logged().await;
    server.jobs_done().await;
    server.advance(TimeDelta::days(31));
    let ada = ada.again().await;
    purge(&server).await;
    assert_eq!(held(&ada, &id).await, json!({ "contactCount": 1, "contacts": { "nodes": [{ "id": stays }] } }));
    orphans::assert_none(&server).await;
}
