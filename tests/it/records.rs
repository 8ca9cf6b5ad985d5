//! Records by GraphQL, and by REST where a rule must hold by both: writing, pages,
//! repeated mutations, live changes, what a request may cost.

mod cost;
mod deleted;
mod fields;
mod kinds;
mod live;
mod pages;
mod repeats;
mod search;
mod tags;
mod writing;

use serde_json::{Value, json};

use crate::support::client::Client;

const CREATE: &str =
    "mutation($input: CreateContactInput!) { createContact(input: $input) { contact { id version email lastName } } }";
const UPDATE: &str = "mutation($input: UpdateContactInput!) { updateContact(input: $input) { contact { id version updatedAt city title email } } }";
const DELETE: &str = "mutation($input: DeleteRecordInput!) { deleteContact(input: $input) { deletedId } }";
const RESTORE: &str = "mutation($id: ID!) { restoreContact(input: { id: $id }) { contact { id version email } } }";

/// A new contact's id.
async fn contact(client: &Client, fields: Value) -> String {
    let made = client.data(CREATE, json!({ "input": { "contact": fields } })).await;
    text(&made["createContact"]["contact"]["id"])
}

/// A new account's id.
async fn account(client: &Client, fields: Value) -> String {
    let create = "mutation($input: CreateAccountInput!) { createAccount(input: $input) { account { id } } }";
    let made = client.data(create, json!({ "input": { "account": fields } })).await;
    text(&made["createAccount"]["account"]["id"])
}

/// The answer to an update with this patch.
async fn update(client: &Client, id: &str, expected: Option<i32>, patch: Value) -> Value {
    client.graphql(UPDATE, json!({ "input": { "id": id, "expectedVersion": expected, "patch": patch } })).await
}

/// The contact after an update that must succeed.
async fn updated(client: &Client, id: &str, expected: Option<i32>, patch: Value) -> Value {
    let mut answer = update(client, id, expected, patch).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"]["updateContact"]["contact"].take()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

/// The first error of a refused request.
fn refusal(answer: &Value) -> &Value {
    assert!(answer["errors"][0].is_object(), "not refused: {answer}");
    &answer["errors"][0]["extensions"]
}
