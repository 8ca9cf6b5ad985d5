//! Custom fields: defining them, what their values may be, what a record's history says of them, and
//! that no value slips in beside a definition.

mod definitions;
mod history;
mod races;
mod values;

use serde_json::{Value, json};

use crate::support::{client::Client, server::TestServer, sql};

const DEFINE: &str = "mutation($input: CreateCustomFieldInput!) { createCustomField(input: $input) { jobId
    customField { id kind key label description type choices recordKind isRequired isUnique isIndexed position } } }";
const CHANGE: &str = "mutation($input: UpdateCustomFieldInput!) { updateCustomField(input: $input) { jobId
    customField { id key label description choices isRequired isUnique isIndexed } } }";
const REMOVE: &str =
    "mutation($input: DeleteCustomFieldInput!) { deleteCustomField(input: $input) { deletedId jobId } }";
const CREATE: &str =
    "mutation($contact: ContactInput!) { createContact(input: { contact: $contact }) { contact { id customFields } } }";
const UPDATE: &str = "mutation($id: ID!, $version: Int, $fields: JSON) {
    updateContact(input: { id: $id, expectedVersion: $version, patch: { customFields: $fields } }) { contact { version customFields } } }";

/// A new field of contacts with the key `x` unless the input says otherwise; the whole payload.
async fn defined(client: &Client, more: Value) -> Value {
    let mut answer = client.data(DEFINE, json!({ "input": input(more) })).await;
    answer["createCustomField"].take()
}

fn input(more: Value) -> Value {
    let mut input = json!({ "kind": "CONTACT", "key": "x", "label": "X", "type": "TEXT" });
    let more = more.as_object().expect("an object").clone();
    input.as_object_mut().expect("an object").extend(more);
    input
}

/// Changes a field; the whole payload.
async fn changed(client: &Client, id: &Value, more: Value) -> Value {
    let mut answer = client.data(CHANGE, json!({ "input": patch(id, more) })).await;
    answer["updateCustomField"].take()
}

fn patch(id: &Value, more: Value) -> Value {
    let mut patch = json!({ "id": id });
    let more = more.as_object().expect("an object").clone();
    patch.as_object_mut().expect("an object").extend(more);
    patch
}

/// A new contact with these values; its id.
async fn contact(client: &Client, fields: Value) -> String {
    let made = client.data(CREATE, json!({ "contact": { "lastName": "N", "customFields": fields } })).await;
    made["createContact"]["contact"]["id"].as_str().expect("an id").to_owned()
}

/// The answer to setting these.
async fn set(client: &Client, id: &str, fields: Value) -> Value {
    client.graphql(UPDATE, json!({ "id": id, "version": null, "fields": fields })).await
}

/// All values of a contact after setting these, which must succeed.
async fn after_setting(client: &Client, id: &str, fields: Value) -> Value {
    let mut answer = set(client, id, fields).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"]["updateContact"]["contact"]["customFields"].take()
}

/// The values of a contact.
async fn values_of(client: &Client, id: &str) -> Value {
    let answer = client.data("query($id: ID!) { contact(id: $id) { customFields } }", json!({ "id": id })).await;
    answer["contact"]["customFields"].clone()
}

/// The code and the fields of a refusal.
fn refusal(answer: &Value) -> (&Value, &Value) {
    let extensions = &answer["errors"][0]["extensions"];
    assert!(extensions.is_object(), "not refused: {answer}");
    (&extensions["code"], &extensions["fields"])
}

/// How many rows the index of custom values has for this field.
async fn rows(server: &TestServer, field: &Value) -> i64 {
    let id = field.as_str().expect("an id");
    sql::number(&server.database.db, &format!("SELECT count(*) AS value FROM custom_values WHERE field_id = '{id}'"))
        .await
}
