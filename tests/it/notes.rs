//! Notes about records: writing, pinning, pages, and who may.

use chrono::TimeDelta;
use kontor::{
    auth::Role,
    crm::{Account, Contact, Lead, record::ops},
};
use serde_json::{Value, json};

use crate::support::{
    records::make_record,
    server::{Client, TestServer},
    sql, statements,
};

const CREATE: &str = "mutation($input: CreateNoteInput!) { createNote(input: $input) {
    note { id recordKind recordId body isPinned version createdById createdBy { fullName } createdAt updatedAt } } }";
const UPDATE: &str =
    "mutation($input: UpdateNoteInput!) { updateNote(input: $input) { note { id body isPinned version updatedAt } } }";
const DELETE: &str = "mutation($input: DeleteNoteInput!) { deleteNote(input: $input) { deletedId } }";
const OF_CONTACT: &str = "query($id: ID!, $first: Int, $after: String) { contact(id: $id) {
    noteEntries(first: $first, after: $after) { totalCount nodes { id body } pageInfo { hasNextPage endCursor } } } }";

async fn contact(server: &TestServer, maker: &Client) -> String {
    make_record::<Contact>(&server.ctx, &maker.caller(), json!({ "lastName": "Lovelace" })).await.id.to_string()
}

/// A new note's id.
async fn note(client: &Client, kind: &str, record: &str, body: &str) -> String {
    let input = json!({ "recordKind": kind, "recordId": record, "body": body });
    let made = client.data(CREATE, json!({ "input": input })).await;
    made["createNote"]["note"]["id"].as_str().expect("an id").to_owned()
}

/// The bodies of the contact's notes, in their order.
async fn bodies(client: &Client, contact: &str) -> Vec<String> {
    let page = client.data(OF_CONTACT, json!({ "id": contact })).await["contact"]["noteEntries"].clone();
    let nodes = page["nodes"].as_array().expect("a list").clone();
    assert_eq!(page["totalCount"], nodes.len());
    nodes.iter().map(|note| note["body"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn a_note_is_written_changed_pinned_and_deleted() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let contact = contact(&server, &ada).await;
    let input = json!({ "recordKind": "CONTACT", "recordId": contact, "body": "  Likes **tea**.\n- green\n" });
    let first = ada.data(CREATE, json!({ "input": input })).await["createNote"]["note"].clone();
    let made = [&first["recordKind"], &first["recordId"], &first["body"], &first["isPinned"], &first["version"]];
    let expected = [&json!("CONTACT"), &json!(contact), &json!("Likes **tea**.\n- green"), &json!(false), &json!(1)];
    assert_eq!(made, expected);
    assert_eq!(first["createdById"], json!(ada.user()));
    assert_eq!(first["createdBy"]["fullName"], "Ada of First");
    assert_eq!(first["createdAt"], first["updatedAt"]);
    let second = note(&ada, "CONTACT", &contact, "Second").await;
    assert_eq!(bodies(&ada, &contact).await, ["Second", "Likes **tea**.\n- green"]);

    server.advance(TimeDelta::seconds(5));
    let pinned = json!({ "id": first["id"], "isPinned": true, "expectedVersion": 1 });
    let pinned = ada.data(UPDATE, json!({ "input": pinned })).await["updateNote"]["note"].clone();
    assert_eq!([&pinned["isPinned"], &pinned["version"], &pinned["body"]], [&json!(true), &json!(2), &first["body"]]);
    assert_ne!(pinned["updatedAt"], first["updatedAt"]);
    assert_eq!(bodies(&ada, &contact).await, ["Likes **tea**.\n- green", "Second"], "pinned ones come first");
    // nothing changes, nothing is written
    let same = json!({ "id": first["id"], "isPinned": true, "body": first["body"] });
    assert_eq!(ada.data(UPDATE, json!({ "input": same })).await["updateNote"]["note"], pinned);
    let stale = json!({ "id": first["id"], "body": "Stale", "expectedVersion": 1 });
    ada.refused(UPDATE, json!({ "input": stale }), "CONFLICT").await;
    ada.refused(DELETE, json!({ "input": { "id": first["id"], "expectedVersion": 1 } }), "CONFLICT").await;

    let deleted = ada.data(DELETE, json!({ "input": { "id": first["id"] } })).await;
    assert_eq!(deleted["deleteNote"]["deletedId"], first["id"]);
    assert_eq!(bodies(&ada, &contact).await, ["Second"]);
    ada.refused(DELETE, json!({ "input": { "id": first["id"] } }), "NOT_FOUND").await;
    ada.refused(UPDATE, json!({ "input": { "id": first["id"], "body": "Back" } }), "NOT_FOUND").await;

    server.events_logged().await;
    let told = "SELECT concat_ws(' ', name, kind, payload ->> 'kind', payload ->> 'recordId' = '{}', record_ids[1]) \
                AS value FROM events WHERE name LIKE 'note.%' ORDER BY position";
    let told = sql::texts(&server.database.db, &told.replace("{}", &contact)).await;
    let first = first["id"].as_str().expect("an id");
    let expected = [
        format!("note.created note contact t {first}"),
        format!("note.created note contact t {second}"),
        format!("note.updated note contact t {first}"),
        format!("note.deleted note contact t {first}"),
    ];
    assert_eq!(told, expected);
    let audited = "SELECT count(*) AS value FROM audit_log WHERE action = 'note.deleted'";
    assert_eq!(sql::number(&server.database.db, audited).await, 1);
}

#[tokio::test]
async fn what_is_no_note_is_refused() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let there = contact(&server, &ada).await;
    let gone = contact(&server, &ada).await;
    ops::delete::<Contact>(&server.ctx, &ada.caller(), gone.parse().expect("an id"), None).await.expect("deleted");
    for body in [" \n ".to_owned(), "a\u{0}b".to_owned(), "x".repeat(65_537)] {
        let input = json!({ "recordKind": "CONTACT", "recordId": there, "body": body });
        let refused = ada.refused(CREATE, json!({ "input": input }), "BAD_USER_INPUT").await;
        assert!(refused["extensions"]["fields"]["body"].is_string(), "{refused}");
    }
    note(&ada, "CONTACT", &there, &"x".repeat(65_536)).await;
    let id = note(&ada, "CONTACT", &there, "N").await;
    ada.refused(UPDATE, json!({ "input": { "id": id, "body": "" } }), "BAD_USER_INPUT").await;
    // no record, one of another kind, a deleted one
    let nowhere = uuid::Uuid::now_v7().to_string();
    for (kind, record) in [("CONTACT", &nowhere), ("ACCOUNT", &there), ("CONTACT", &gone)] {
        let input = json!({ "recordKind": kind, "recordId": record, "body": "B" });
        ada.refused(CREATE, json!({ "input": input }), "NOT_FOUND").await;
    }
    ada.refused(OF_CONTACT, json!({ "id": there, "after": "nonsense" }), "BAD_USER_INPUT").await;
    ada.refused(OF_CONTACT, json!({ "id": there, "first": 501 }), "BAD_USER_INPUT").await;
}

#[tokio::test]
async fn notes_go_and_come_back_with_their_record() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let contact = contact(&server, &ada).await;
    let id = note(&ada, "CONTACT", &contact, "Kept").await;
    let (ctx, caller, record) = (&server.ctx, ada.caller(), contact.parse().expect("an id"));
    ops::delete::<Contact>(ctx, &caller, record, None).await.expect("deleted");
    ada.refused(UPDATE, json!({ "input": { "id": id, "body": "Changed" } }), "NOT_FOUND").await;
    ops::restore::<Contact>(ctx, &caller, record).await.expect("restored");
    assert_eq!(bodies(&ada, &contact).await, ["Kept"]);
    sql::run(&server.database.db, &format!("DELETE FROM contacts WHERE id = '{record}'")).await;
    assert_eq!(sql::number(&server.database.db, "SELECT count(*) AS value FROM notes").await, 0);
}

#[tokio::test]
async fn whoever_may_write_the_record_writes_notes_and_changes_their_own() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let manager = ada.invite_role(Role::Manager).await;
    let (rep, support) = (ada.invite_role(Role::SalesRep).await, ada.invite_role(Role::Support).await);
    let contact = contact(&server, &ada).await;
    let account = make_record::<Account>(&server.ctx, &ada.caller(), json!({ "name": "Navy" })).await.id.to_string();
    let others = note(&ada, "CONTACT", &contact, "Of Ada").await;
    for person in [&rep, &support] {
        let own = note(person, "CONTACT", &contact, "Own").await;
        person.data(UPDATE, json!({ "input": { "id": own, "body": "Own, changed" } })).await;
        person.refused(UPDATE, json!({ "input": { "id": others, "body": "Taken" } }), "FORBIDDEN").await;
        person.refused(DELETE, json!({ "input": { "id": others } }), "FORBIDDEN").await;
        manager.data(UPDATE, json!({ "input": { "id": own, "isPinned": true } })).await;
        manager.data(DELETE, json!({ "input": { "id": own } })).await;
    }
    assert_eq!(bodies(&support, &contact).await, ["Of Ada"]);
    // support reads accounts, and writes none
    let of_account = json!({ "recordKind": "ACCOUNT", "recordId": account, "body": "B" });
    support.refused(CREATE, json!({ "input": of_account }), "FORBIDDEN").await;
    let on_account = note(&ada, "ACCOUNT", &account, "Seen").await;
    let query = "query($id: ID!) { account(id: $id) { noteEntries { nodes { body } } } }";
    let seen = support.data(query, json!({ "id": account })).await;
    assert_eq!(seen["account"]["noteEntries"]["nodes"], json!([{ "body": "Seen" }]));
    support.refused(DELETE, json!({ "input": { "id": on_account } }), "FORBIDDEN").await;

    // of a lead out of sight there are no notes
    let fields = json!({ "lastName": "L", "ownerId": rep.user() });
    let lead = make_record::<Lead>(&server.ctx, &ada.caller(), fields).await.id.to_string();
    let on_lead = note(&rep, "LEAD", &lead, "Mine").await;
    let first = json!({ "recordKind": "LEAD", "recordId": lead, "body": "B", "clientMutationId": "k1" });
    let first = json!({ "input": first });
    rep.data(CREATE, first.clone()).await;
    ada.data(
        "mutation($id: ID!, $to: ID!) { updateLead(input: { id: $id, patch: { ownerId: $to } }) { lead { id } } }",
        json!({ "id": lead, "to": ada.user() }),
    )
    .await;
    rep.refused(UPDATE, json!({ "input": { "id": on_lead, "body": "Still mine" } }), "NOT_FOUND").await;
    // nor by sending again what one sent when it was in sight
    rep.refused(CREATE, first, "NOT_FOUND").await;
    let of_lead = json!({ "recordKind": "LEAD", "recordId": lead, "body": "B" });
    rep.refused(CREATE, json!({ "input": of_lead }), "NOT_FOUND").await;
    support.refused(CREATE, json!({ "input": of_lead }), "FORBIDDEN").await;
    let stranger = server.other_workspace().await;
    stranger.refused(DELETE, json!({ "input": { "id": others } }), "NOT_FOUND").await;
}

#[tokio::test]
async fn pages_walk_over_all_notes_once() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let contact = contact(&server, &ada).await;
    for number in 0..7 {
        let pinned = number % 3 == 0;
        let input =
            json!({ "recordKind": "CONTACT", "recordId": contact, "body": format!("{number}"), "isPinned": pinned });
        ada.data(CREATE, json!({ "input": input })).await;
    }
    let (mut walked, mut after) = (Vec::new(), Value::Null);
    loop {
        let variables = json!({ "id": contact, "first": 2, "after": after });
        let page = ada.data(OF_CONTACT, variables).await["contact"]["noteEntries"].clone();
        walked.extend(page["nodes"].as_array().expect("a list").iter().map(|note| note["body"].clone()));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(json!(walked), json!(["6", "3", "0", "5", "4", "2", "1"]));
}

#[tokio::test]
async fn the_notes_of_a_page_of_records_take_a_constant_number_of_statements() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    for number in 0..10 {
        let contact = contact(&server, &ada).await;
        for note_number in 0..number % 3 {
            note(&ada, "CONTACT", &contact, &format!("{number}.{note_number}")).await;
        }
    }
    let query = "query($first: Int!) { contacts(first: $first) {
        nodes { noteEntries(first: 5) { totalCount nodes { body createdBy { fullName } } } } } }";
    let ask =
        async |first: usize| statements::caused_by(ada.workspace(), ada.data(query, json!({ "first": first }))).await;
    let ((_, few), (page, many)) = (ask(3).await, ask(10).await);
    assert_eq!(few.len(), many.len(), "{many:#?}");
    let contacts = page["contacts"]["nodes"].as_array().expect("rows");
    for (row, number) in contacts.iter().zip((0..10).rev()) {
        let notes = row["noteEntries"]["nodes"].as_array().expect("a list");
        assert_eq!((notes.len(), &row["noteEntries"]["totalCount"]), (number % 3, &json!(number % 3)));
        assert!(
            notes.iter().all(|note| note["body"].as_str().is_some_and(|body| body.starts_with(&number.to_string())))
        );
    }
}
