//! Lists of contacts, by GraphQL and by REST: what they hold and for whom, exact counts, live
//! changes, and what becomes of them when contacts go and return.

mod building;
mod counts;
mod dynamic;
mod following;
mod freezing;
mod live;
mod old_form;
mod random;
mod rebuilding;
mod rest;
pub mod settled;
mod sharing;
mod slow;
mod writing;

use kontor::crm::Contact;
use serde_json::{Value, json};

use crate::support::{client::Client, records::make_record, server::TestServer};

const CREATE: &str = "mutation($input: CreateContactListInput!) { createContactList(input: $input) { contactList {
    id name listType contactCount isShared } } }";
const ADD: &str = "mutation($input: ListMembersInput!) { addContactsToList(input: $input) {
    contactList { contactCount } results { contactId outcome } changedCount alreadyCount missingCount } }";
const REMOVE: &str = "mutation($input: ListMembersInput!) { removeContactsFromList(input: $input) {
    contactList { contactCount } results { contactId outcome } changedCount alreadyCount missingCount } }";
const SHARE: &str = "mutation($input: ShareContactListInput!) { shareContactList(input: $input) { contactList { id
    sharing { level shares { userId teamId canEdit user { fullName } } } } } }";

/// New contacts of this person's, the oldest first.
async fn contacts(server: &TestServer, client: &Client, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let fields = json!({ "lastName": format!("N{number}") });
        ids.push(make_record::<Contact>(&server.ctx, &client.caller(), fields).await.id.to_string());
    }
    ids
}

/// A new list's id.
async fn list(client: &Client, input: Value) -> String {
    let made = client.data(CREATE, json!({ "input": input })).await;
    text(&made["createContactList"]["contactList"]["id"])
}

async fn add(client: &Client, list: &str, contacts: &[String]) -> Value {
    client.data(ADD, json!({ "input": { "id": list, "contactIds": contacts } })).await["addContactsToList"].take()
}

async fn remove(client: &Client, list: &str, contacts: &[String]) -> Value {
    client.data(REMOVE, json!({ "input": { "id": list, "contactIds": contacts } })).await["removeContactsFromList"]
        .take()
}

/// What the list holds, as this person sees it: the count, and the ids of all its contacts (at most
/// 500), the newest first.
async fn held(client: &Client, list: &str) -> (i64, Vec<String>) {
    let query = "query($id: ID!) { contactList(id: $id) { contactCount
        contacts(first: 500, orderBy: [{ field: CREATED_AT, direction: DESC }]) { nodes { id } totalCount } } }";
    let shown = client.data(query, json!({ "id": list })).await["contactList"].take();
    assert_eq!(shown["contactCount"], shown["contacts"]["totalCount"]);
    let ids = shown["contacts"]["nodes"].as_array().expect("rows").iter().map(|node| text(&node["id"])).collect();
    (shown["contactCount"].as_i64().expect("a count"), ids)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

fn reversed(ids: &[String]) -> Vec<String> {
    ids.iter().rev().cloned().collect()
}
