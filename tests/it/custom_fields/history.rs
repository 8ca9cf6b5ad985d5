//! Each custom field has its own changes: in the history, in what is told live, and where an update
//! is stale.

use serde_json::{Value, json};

use super::{UPDATE, after_setting, contact, defined, refusal};
use crate::support::server::TestServer;

const LIVE: &str = "subscription($after: String) { recordChanged(kind: CONTACT, after: $after) { action changes { field before after } } }";
const HISTORY: &str =
    "query($id: ID!, $first: Int, $after: String) { contact(id: $id) { history(first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } nodes { field before after version } } } }";

#[tokio::test]
async fn a_change_names_each_custom_field() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    defined(&ada, json!({ "key": "plan", "type": "CHOICE", "choices": ["gold", "silver"] })).await;
    defined(&ada, json!({ "key": "seats", "type": "NUMBER" })).await;
    let id = contact(&ada, json!({ "plan": "gold", "free": { "a": 1 } })).await;
    let mut live = ada.subscribe(LIVE, json!({ "after": server.cursor().await })).await;
    after_setting(&ada, &id, json!({ "plan": "silver", "seats": "5", "free": { "a": 1 } })).await;
    ada.put(&format!("/contacts/{id}"), json!({ "city": "Rome", "custom_fields": { "free": null, "plan": "silver" } }))
        .await
        .data();
    // nothing is different, so nothing is told
    after_setting(&ada, &id, json!({ "plan": "silver" })).await;
    after_setting(&ada, &id, json!({ "seats": null })).await;

    let change = |field: &str, before: Value, after: Value| json!({ "field": field, "before": before, "after": after });
    let first = [change("custom.plan", json!("gold"), json!("silver")), change("custom.seats", Value::Null, json!(5))];
    let second = [change("city", Value::Null, json!("Rome")), change("custom.free", json!({ "a": 1 }), Value::Null)];
    let third = [change("custom.seats", json!(5), Value::Null)];
    for expected in [json!(first), json!(second), json!(third)] {
        assert_eq!(live.next().await["recordChanged"]["changes"], expected);
    }

    let mut walked = Vec::new();
    let mut after = Value::Null;
    loop {
        let page = ada.data(HISTORY, json!({ "id": id, "first": 2, "after": after })).await;
        let history = &page["contact"]["history"];
        assert_eq!(history["totalCount"], 5);
        for node in history["nodes"].as_array().expect("a list") {
            walked.push((
                node["version"].as_i64().expect("a number"),
                node["field"].as_str().expect("a name").to_owned(),
            ));
        }
        if history["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = history["pageInfo"]["endCursor"].clone();
    }
    let expected = [(4, "custom.seats"), (3, "city"), (3, "custom.free"), (2, "custom.plan"), (2, "custom.seats")];
    assert_eq!(walked, expected.map(|(version, field)| (version, field.to_owned())));
}

#[tokio::test]
async fn a_stale_update_is_refused_only_where_the_same_custom_field_has_changed() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let id = contact(&ada, json!({ "a": 1, "b": 1 })).await;
    after_setting(&ada, &id, json!({ "a": 2 })).await;
    let stale = async |fields: Value| ada.graphql(UPDATE, json!({ "id": id, "version": 1, "fields": fields })).await;
    let beside = stale(json!({ "b": 2 })).await;
    assert_eq!(beside["data"]["updateContact"]["contact"]["customFields"], json!({ "a": 2, "b": 2 }), "{beside}");
    for fields in [json!({ "a": 3 }), json!({ "a": null, "c": 1 })] {
        let answer = stale(fields).await;
        assert_eq!(
            refusal(&answer),
            (&json!("CONFLICT"), &json!({ "customFields.a": "has changed since you read it" }))
        );
        let details = &answer["errors"][0]["extensions"]["details"];
        assert_eq!(details, &json!({ "version": 3, "present": { "customFields.a": 2 } }));
    }
    // clearing all is about each of them
    let answer = stale(Value::Null).await;
    assert_eq!(refusal(&answer).1.as_object().map(serde_json::Map::len), Some(2), "{answer}");
}
