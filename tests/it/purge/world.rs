//! A record of every kind with everything attached that a record can have, and living ones that lead to
//! them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{delete, made, text};
use crate::support::{client::Client, server::TestServer};

pub const KINDS: [&str; 6] = ["lead", "contact", "account", "deal", "product", "task"];

pub struct World {
    /// Those that are to be deleted, by their kind.
    doomed: BTreeMap<&'static str, String>,
    /// Those that stay: a contact, a deal, a lead, a list.
    living: Value,
}

impl World {
    pub async fn make(server: &TestServer, ada: &Client) -> Self {
        let field = "mutation { createCustomField(input: { kind: CONTACT, label: \"Tier\", key: \"tier\", type: TEXT,
            isIndexed: true }) { customField { id } } }";
        ada.data(field, json!({})).await;
        server.jobs_done().await;
        let account = made(ada, "account", json!({ "name": "Navy" })).await;
        let contact = made(
            ada,
            "contact",
            json!({ "lastName": "Hopper", "email": "grace@navy.test", "accountId": account,
            "customFields": { "tier": "gold" } }),
        )
        .await;
        let product = made(ada, "product", json!({ "name": "Compiler", "price": "9" })).await;
        let task = made(ada, "task", json!({ "title": "Done" })).await;

        // a conversion that goes with its lead, and one that leads to the others
        let convert = "mutation($id: ID!) { convertLead(input: { id: $id, account: { name: \"Navy\" }, deal: {} }) {
            contact { id } account { id } deal { id } } }";
        let lead = made(ada, "lead", json!({ "lastName": "Gone", "email": "gone@navy.test" })).await;
        ada.data(convert, json!({ "id": lead })).await;
        let lives = made(ada, "lead", json!({ "lastName": "Stays", "email": "grace@navy.test" })).await;
        let converted = ada.data(convert, json!({ "id": lives })).await["convertLead"].clone();
        assert_eq!((&converted["contact"]["id"], &converted["account"]["id"]), (&json!(contact), &json!(account)));
        let deal = text(&converted["deal"]["id"]);

        let other = made(ada, "contact", json!({ "lastName": "Lives", "accountId": account })).await;
        let fields = json!({ "name": "Lives", "accountId": account, "contactId": contact });
        let living_deal = made(ada, "deal", fields).await;
        let items = "mutation($deal: ID!, $product: ID!) { setDealLineItems(input: { dealId: $deal,
            set: [{ productId: $product, quantity: \"2\" }] }) { deal { id } } }";
        for deal in [&deal, &living_deal] {
            ada.data(items, json!({ "deal": deal, "product": product })).await;
        }
        for (link, id) in [("leadId", &lead), ("contactId", &contact), ("accountId", &account), ("dealId", &deal)] {
            made(ada, "task", json!({ "title": link, link: id })).await;
        }
        let add =
            "mutation($id: ID!) { addExtraAddress(input: { contactId: $id, kind: PHONE, address: \"030 1234567\" }) {
            contact { id } } }";
        ada.data(add, json!({ "id": contact })).await;
        let list = "mutation { createContactList(input: { name: \"L\" }) { contactList { id } } }";
        let list = text(&ada.data(list, json!({})).await["createContactList"]["contactList"]["id"]);
        let put = "mutation($id: ID!, $ids: [ID!]) {
            addContactsToList(input: { id: $id, contactIds: $ids }) { changedCount } }";
        ada.data(put, json!({ "id": list, "ids": [contact, other] })).await;

        // a merge, which moved a note, into the contact
        let merged = made(ada, "contact", json!({ "lastName": "Twin", "city": "Rome" })).await;
        note(ada, "contact", &merged).await;
        let merge = "mutation($into: ID!, $ids: [ID!]!) {
            mergeContacts(input: { intoId: $into, ids: $ids }) { merge { id } } }";
        ada.data(merge, json!({ "into": contact, "ids": [merged] })).await;

        let all = [lead, contact, account, deal, product, task];
        let doomed: BTreeMap<_, _> = KINDS.into_iter().zip(all).collect();
        for (kind, id) in &doomed {
            if *kind != "contact" {
                note(ada, kind, id).await;
            }
            let name = super::type_name(kind);
            let update = format!(
                "mutation($id: ID!) {{
                    update{name}(input: {{ id: $id, patch: {{ tags: [\"x\"] }} }}) {{ {kind} {{ id }} }} }}"
            );
            ada.data(&update, json!({ "id": id })).await;
        }
        // and a note that is deleted itself
        let gone = note(ada, "contact", &other).await;
        ada.data("mutation($id: ID!) { deleteNote(input: { id: $id }) { deletedId } }", json!({ "id": gone })).await;
        let living = json!({ "contact": other, "deal": living_deal, "lead": lives, "list": list });
        Self { doomed, living }
    }

    pub fn doomed(&self, kind: &str) -> &str {
        &self.doomed[kind]
    }

    /// Variables of a query: `contact`, `deal`, `lead`, `list`.
    pub fn living(&self) -> Value {
        self.living.clone()
    }

    pub async fn delete_all(&self, client: &Client) {
        for (kind, id) in &self.doomed {
            delete(client, kind, id).await;
        }
    }
}

/// A new note's id.
async fn note(client: &Client, kind: &str, id: &str) -> String {
    let new = "mutation($kind: RecordKind!, $id: ID!) {
        createNote(input: { recordKind: $kind, recordId: $id, body: \"N\" }) {
        note { id } } }";
    let made = client.data(new, json!({ "kind": kind.to_uppercase(), "id": id })).await;
    text(&made["createNote"]["note"]["id"])
}
