//! Records that became part of others: there as long as that can be undone, and remembered as long as
//! the others are there.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{delete, made, orphans, purge, restoring, rows, text};
use crate::support::{client::Client, server::TestServer};

const UNDO: &str = "mutation($id: ID!) { undoMerge(input: { mergeId: $id }) { restoredIds } }";
const LOOK: &str = "query($id: ID!) { mergedInto(kind: CONTACT, id: $id) { id } contact(id: $id) { id } }";

/// The merge's id.
async fn merge(client: &Client, into: &str, goes: &str) -> Value {
    let merge =
        "mutation($into: ID!, $ids: [ID!]!) { mergeContacts(input: { intoId: $into, ids: $ids }) { merge { id } } }";
    client.data(merge, json!({ "into": into, "ids": [goes] })).await["mergeContacts"]["merge"]["id"].take()
}

/// A contact that moved to another city once.
async fn contact(client: &Client, name: &str) -> String {
    let id = made(client, "contact", json!({ "lastName": name, "city": "Rome" })).await;
    let update =
        "mutation($id: ID!) { updateContact(input: { id: $id, patch: { city: \"Oslo\" } }) { contact { id } } }";
    client.data(update, json!({ "id": id })).await;
    id
}

/// Whose changes the history of this contact tells.
async fn cities(client: &Client, id: &str) -> usize {
    let history = "query($id: ID!) { contact(id: $id) { history(first: 100) { nodes { field } } } }";
    let history = client.data(history, json!({ "id": id })).await;
    let nodes = history["contact"]["history"]["nodes"].as_array().expect("a list").clone();
    nodes.iter().filter(|node| node["field"] == "city").count()
}

#[tokio::test]
async fn a_merged_record_stays_as_long_as_the_merge_can_be_undone() {
    let server = TestServer::start_with(|ctx| Arc::make_mut(&mut ctx.limits).deleted_records_days = 5).await;
    let ada = server.admin().await;
    let [stays, goes, deleted] = [contact(&ada, "S").await, contact(&ada, "G").await, contact(&ada, "D").await];
    let merged = merge(&ada, &stays, &goes).await;
    delete(&ada, "contact", &deleted).await;
    server.advance(TimeDelta::days(29));
    let ada = ada.again().await;
    purge(&server).await;
    assert_eq!(rows(&server, &format!("contacts WHERE id = '{deleted}'")).await, 0);
    let undone = ada.data(UNDO, json!({ "id": merged })).await;
    assert_eq!(undone["undoMerge"]["restoredIds"], json!([goes]));
    assert_eq!(ada.data(LOOK, json!({ "id": goes })).await["contact"]["id"], json!(goes));

    // what was taken back protects it no more
    delete(&ada, "contact", &goes).await;
    server.advance(TimeDelta::days(6));
    purge(&server).await;
    assert_eq!(rows(&server, "contacts").await, 1);
    orphans::assert_none(&server).await;
}

#[tokio::test]
async fn what_a_record_became_is_known_and_its_history_told_until_that_one_goes() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let [first, second, third] = [contact(&ada, "1").await, contact(&ada, "2").await, contact(&ada, "3").await];
    let merges = [merge(&ada, &second, &first).await, merge(&ada, &third, &second).await];
    assert_eq!(cities(&ada, &third).await, 3);
    server.advance(TimeDelta::days(31));
    let ada = ada.again().await;
    purge(&server).await;
    assert_eq!(rows(&server, "contacts").await, 1);
    for gone in [&first, &second] {
        let look = ada.data(LOOK, json!({ "id": gone })).await;
        assert_eq!((&look["mergedInto"]["id"], &look["contact"]), (&json!(third), &Value::Null));
        ada.refused(&restoring("contact"), json!({ "id": gone }), "NOT_FOUND").await;
    }
    assert_eq!(cities(&ada, &third).await, 3);
    for merge in &merges {
        ada.refused(UNDO, json!({ "id": merge }), if merge == &merges[1] { "CONFLICT" } else { "NOT_FOUND" }).await;
    }
    let listed = "query($id: ID!) { merges(kind: CONTACT, recordId: $id) { id mergedIds } }";
    let listed = ada.data(listed, json!({ "id": third })).await;
    assert_eq!(
        (text(&listed["merges"][0]["id"]), &listed["merges"][0]["mergedIds"]),
        (text(&merges[1]), &json!([second]))
    );
    orphans::assert_none(&server).await;

    delete(&ada, "contact", &third).await;
    server.advance(TimeDelta::days(31));
    purge(&server).await;
    for table in
        ["contacts", "record_changes", "timeline", "record_merges", "record_merge_losers", "record_merge_moves"]
    {
        assert_eq!(rows(&server, table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_merge_is_undone_although_what_a_field_led_to_is_gone() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let [old, new] =
        [made(&ada, "account", json!({ "name": "Old" })).await, made(&ada, "account", json!({ "name": "New" })).await];
    let stays = made(&ada, "contact", json!({ "lastName": "S", "accountId": old })).await;
    let goes = made(&ada, "contact", json!({ "lastName": "G", "accountId": new })).await;
    delete(&ada, "account", &old).await;
    server.advance(TimeDelta::days(20));
    let ada = ada.again().await;
    let merge = "mutation($into: ID!, $from: ID!) { mergeContacts(input: { intoId: $into, ids: [$from],
        fieldsFrom: [{ field: \"accountId\", recordId: $from }] }) { merge { id } } }";
    let merged = ada.data(merge, json!({ "into": stays, "from": goes })).await["mergeContacts"]["merge"]["id"].clone();
    server.advance(TimeDelta::days(20));
    let ada = ada.again().await;
    purge(&server).await;
    assert_eq!(rows(&server, "accounts").await, 1);
    ada.data(UNDO, json!({ "id": merged })).await;
    let look =
        "query($one: ID!, $two: ID!) { one: contact(id: $one) { accountId } two: contact(id: $two) { accountId } }";
    let look = ada.data(look, json!({ "one": stays, "two": goes })).await;
    assert_eq!((&look["one"]["accountId"], &look["two"]["accountId"]), (&Value::Null, &json!(new)));
}
