//! Further addresses, duplicates, and records that become one and several again.

mod addresses;
mod duplicates;
mod merging;
mod undoing;

use serde_json::{Value, json};

use crate::support::{client::Client, server::TestServer, sql};

const MERGE: &str =
    "mutation($input: MergeInput!) { mergeContacts(input: $input) { contact { id version firstName lastName
    email phone city tags customFields extraAddresses { kind address } } merge { id kind recordId mergedIds } } }";
const UNDO: &str =
    "mutation($id: ID!) { undoMerge(input: { mergeId: $id }) { restoredIds keptFields movedBackCount keptCount
    merge { undoneAt } } }";
const ADD: &str = "mutation($contact: ID!, $kind: AddressKind!, $address: String!) { addExtraAddress(input: {
    contactId: $contact, kind: $kind, address: $address }) { contact { id version email extraAddresses { id kind address } } } }";

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// A new record's id.
async fn made(client: &Client, kind: &str, fields: Value) -> String {
    let type_name = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]);
    let create = format!(
        "mutation($of: {type_name}Input!) {{ create{type_name}(input: {{ {kind}: $of }}) {{ {kind} {{ id }} }} }}"
    );
    let made = client.data(&create, json!({ "of": fields })).await;
    text(&made[format!("create{type_name}")][kind]["id"])
}

async fn merge(client: &Client, into: &str, ids: &[&str]) -> Value {
    client.data(MERGE, json!({ "input": { "intoId": into, "ids": ids } })).await["mergeContacts"].take()
}

async fn undo(client: &Client, merge: &Value) -> Value {
    client.data(UNDO, json!({ "id": merge["merge"]["id"] })).await["undoMerge"].take()
}

/// Every row that a merge of contacts may touch, without what each change moves on.
async fn dump(server: &TestServer) -> Vec<String> {
    let of = |table: &str, but: &str| {
        format!("SELECT '{table} ' || (to_jsonb(t) - ARRAY[{but}])::text AS value FROM {table} t")
    };
    let moves_on = "'version', 'updated_at'";
    let parts = [
        of("contacts", moves_on),
        of("accounts", moves_on),
        of("leads", moves_on),
        of("deals", moves_on),
        of("tasks", moves_on),
        of("notes", moves_on),
        of("lead_conversions", "''"),
        of("contact_extra_addresses", "''"),
        of("custom_values", "''"),
        of("list_members", "''"),
        of("contact_lists", "'version', 'updated_at', 'counted_at'"),
    ];
    sql::texts(&server.database.db, &format!("{} ORDER BY value", parts.join(" UNION ALL "))).await
}
