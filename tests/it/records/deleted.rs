//! What was deleted and can be restored.

use chrono::{DateTime, TimeDelta, Utc};
use kontor::{
    auth::Role,
    crm::{Lead, record::ops},
};
use serde_json::{Value, json};

use super::{DELETE, RESTORE, contact};
use crate::support::{client::Client, records::make_record, server::TestServer};

const DELETED: &str = "query($kind: RecordKind!, $first: Int, $after: String) {
    deletedRecords(kind: $kind, first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor }
        nodes { id kind displayName createdAt deletedAt restorableUntil deletedBy { kind userId } } } }";

async fn deleted(client: &Client, kind: &str) -> Value {
    client.data(DELETED, json!({ "kind": kind })).await["deletedRecords"].take()
}

fn names(page: &Value) -> Vec<&str> {
    let nodes = page["nodes"].as_array().expect("a list").iter();
    nodes.map(|node| node["displayName"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn what_was_deleted_is_found_and_can_be_restored_until_it_is_gone_for_good() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let manager = ada.invite_role(Role::Manager).await;
    let mut ids = Vec::new();
    for name in ["Adams", "Brown", "Clark", "Dixon"] {
        ids.push(contact(&ada, json!({ "lastName": name })).await);
    }
    for (client, id) in [(&ada, &ids[1]), (&manager, &ids[0]), (&ada, &ids[2])] {
        client.data(DELETE, json!({ "input": { "id": id } })).await;
        server.advance(TimeDelta::days(1));
    }
    let ada = ada.again().await;

    let page = deleted(&ada, "CONTACT").await;
    assert_eq!((names(&page), &page["totalCount"]), (vec!["Clark", "Adams", "Brown"], &json!(3)));
    let second = &page["nodes"][1];
    assert_eq!((&second["id"], &second["kind"]), (&json!(ids[0]), &json!("CONTACT")));
    assert_eq!(second["deletedBy"], json!({ "kind": "user", "userId": manager.user() }));
    let at = |name: &str| -> DateTime<Utc> { second[name].as_str().expect("a time").parse().expect("a time") };
    assert_eq!(at("restorableUntil") - at("deletedAt"), TimeDelta::days(30));
    assert!(at("createdAt") < at("deletedAt"));

    // page by page
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let asked = json!({ "kind": "CONTACT", "first": 1, "after": after });
        let page = ada.data(DELETED, asked).await["deletedRecords"].take();
        seen.extend(names(&page).into_iter().map(str::to_owned));
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(seen, ["Clark", "Adams", "Brown"]);
    let backward = "query($before: String) { deletedRecords(kind: CONTACT, last: 1, before: $before) {
        pageInfo { hasPreviousPage } nodes { displayName } } }";
    let page = ada.data(backward, json!({ "before": after })).await["deletedRecords"].take();
    assert_eq!((names(&page), &page["pageInfo"]["hasPreviousPage"]), (vec!["Clark"], &json!(false)));
    for cursor in ["x", "WyIrOTk5OTktMDEtMDFUMDA6MDA6MDBaIiwiMDE5MjZiM2MtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAwIl0"] {
        ada.refused(DELETED, json!({ "kind": "CONTACT", "after": cursor }), "BAD_USER_INPUT").await;
    }

    // restored, it is none of them any more
    ada.data(RESTORE, json!({ "id": ids[0] })).await;
    assert_eq!(names(&deleted(&ada, "CONTACT").await), ["Clark", "Brown"]);
    // and what can be restored no more is not shown, removed or not
    server.advance(TimeDelta::days(28));
    let ada = ada.again().await;
    let page = deleted(&ada, "CONTACT").await;
    assert_eq!((names(&page), &page["totalCount"]), (vec!["Clark"], &json!(1)));
    ada.refused(RESTORE, json!({ "id": ids[1] }), "NOT_FOUND").await;
    assert_eq!(deleted(&ada, "DEAL").await["totalCount"], 0);
    assert_eq!(deleted(&server.other_workspace().await, "CONTACT").await["totalCount"], 0);
}

#[tokio::test]
async fn merged_records_and_others_leads_are_not_among_them() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let (stays, goes) =
        (contact(&ada, json!({ "lastName": "S" })).await, contact(&ada, json!({ "lastName": "G" })).await);
    let merge =
        "mutation($into: ID!, $ids: [ID!]!) { mergeContacts(input: { intoId: $into, ids: $ids }) { merge { id } } }";
    let merge = ada.data(merge, json!({ "into": stays, "ids": [goes] })).await["mergeContacts"]["merge"]["id"].take();
    assert_eq!(deleted(&ada, "CONTACT").await["totalCount"], 0);
    let undo = "mutation($id: ID!) { undoMerge(input: { mergeId: $id }) { restoredIds } }";
    ada.data(undo, json!({ "id": merge })).await;
    ada.data(DELETE, json!({ "input": { "id": goes } })).await;
    assert_eq!(names(&deleted(&ada, "CONTACT").await), ["G"]);

    let (ctx, maker) = (&server.ctx, ada.caller());
    for (owner, name) in [(json!(ada.user()), "Hers"), (json!(rep.user()), "His"), (Value::Null, "Nobody's")] {
        let lead = make_record::<Lead>(ctx, &maker, json!({ "lastName": name, "ownerId": owner })).await;
        ops::delete::<Lead>(ctx, &maker, lead.id.0, None).await.expect("deleted");
        server.advance(TimeDelta::seconds(1));
    }
    assert_eq!(names(&deleted(&ada, "LEAD").await), ["Nobody's", "His", "Hers"]);
    let seen = deleted(&rep, "LEAD").await;
    assert_eq!((names(&seen), &seen["totalCount"]), (vec!["Nobody's", "His"], &json!(2)));
}
