//! The criteria language from outside: filters of records, previews, explanations, members of lists, live
//! changes, and what it does to those who mean ill.

mod asking;
mod following;
mod gone;
mod hostile;
mod membership;

use kontor::crm::record::Record;
use serde_json::{Value, json};

use crate::support::{client::Client, records::make_record, server::TestServer};

/// A new record's id.
async fn made<R: Record>(server: &TestServer, client: &Client, fields: Value) -> String {
    make_record::<R>(&server.ctx, &client.caller(), fields).await.meta().id.to_string()
}

fn compare(field: &str, op: &str, value: &str) -> Value {
    json!({ "compare": { "field": field, "op": op, "value": value } })
}

fn ids(rows: &Value) -> Vec<String> {
    let rows = rows.as_array().unwrap_or_else(|| panic!("rows: {rows}"));
    rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
}

/// The contacts that these criteria mean, the newest first, and how many there are.
async fn meant(client: &Client, criteria: &Value) -> (Vec<String>, i64) {
    let query = "query($where: RecordCriteria) { contacts(first: 500, where: $where) { nodes { id } totalCount } }";
    let page = client.data(query, json!({ "where": criteria })).await["contacts"].take();
    (ids(&page["nodes"]), page["totalCount"].as_i64().expect("a count"))
}

async fn list(client: &Client, input: Value) -> String {
    let create =
        "mutation($input: CreateContactListInput!) { createContactList(input: $input) { contactList { id } } }";
    let made = client.data(create, json!({ "input": input })).await;
    made["createContactList"]["contactList"]["id"].as_str().expect("an id").to_owned()
}
