//! Criteria that name a list which was deleted: refused wherever they are asked, with the path to the name,
//! whether anything of the list is left or not; and what becomes of those that were asked before.

use kontor::{config::Config, crm::Contact, worker::Worker};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{compare, list, made};
use crate::support::{
    client::Client,
    live::{Live, Told},
    server::TestServer,
    sql,
};

const LISTEN: &str = "subscription($where: RecordCriteria, $after: String) {
    recordChanged(kind: CONTACT, where: $where, after: $after) { recordId } }";
const DELETE: &str = "mutation($id: ID!) { deleteContactList(input: { id: $id, force: true }) { deletedId } }";

/// Names it at some depth, beside other things.
fn naming(list: &str) -> Value {
    json!({ "all": [compare("city", "EQ", "Riga"), { "not": { "any": [{ "all": [] }, { "inList": list }] } }] })
}

const PATH: &str = "all[1].not.any[1].inList";

/// The refusal names the one place that is wrong, and no list but the one that was named.
#[track_caller]
fn names_the_path(refusal: &Value, field: &str) {
    let fields = &refusal["extensions"]["fields"];
    assert_eq!(refusal["extensions"]["code"], "BAD_USER_INPUT", "{refusal}");
    assert_eq!(fields.as_object().map(serde_json::Map::len), Some(1), "{refusal}");
    assert!(fields[format!("{field}.{PATH}")].is_string(), "{field}: {refusal}");
    assert!(!refusal.to_string().contains("Layoffs"), "{refusal}");
}

async fn refusal(live: &mut Live) -> Value {
    match live.hear().await {
        Told::Refused(error) => error,
        other => panic!("not refused: {other:?}"),
    }
}

/// Every face that takes criteria.
async fn all_refuse(client: &Client, dynamic: &str, fixed: &str, gone: &str) {
    let criteria = naming(gone);
    let create = json!({ "input": { "name": "D", "listType": "DYNAMIC", "criteria": criteria } });
    let update = json!({ "input": { "id": dynamic, "criteria": criteria } });
    let bulk = |more: Value| {
        let mut input = json!({ "kind": "CONTACT", "where": criteria });
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json!({ "input": input })
    };
    for (query, variables, field) in [
        (
            "mutation($input: CreateContactListInput!) { createContactList(input: $input) { contactList { id } } }",
            create,
            "criteria",
        ),
        (
            "mutation($input: UpdateContactListInput!) { updateContactList(input: $input) { contactList { id } } }",
            update,
            "criteria",
        ),
        (
            "query($where: RecordCriteria) { contacts(where: $where) { nodes { id } } }",
            json!({ "where": criteria }),
            "where",
        ),
        (
            "query($where: RecordCriteria) { contacts(where: $where) { totalCount } }",
            json!({ "where": criteria }),
            "where",
        ),
        (
            "query($where: RecordCriteria!) { criteriaPreview(kind: CONTACT, where: $where) { count } }",
            json!({ "where": criteria }),
            "where",
        ),
        (
            "mutation($input: ListMembersInput!) { addContactsToList(input: $input) { changedCount } }",
            json!({ "input": { "id": fixed, "where": criteria } }),
            "where",
        ),
        (
            "mutation($input: ListMembersInput!) { removeContactsFromList(input: $input) { changedCount } }",
            json!({ "input": { "id": fixed, "where": criteria } }),
            "where",
        ),
        (
            "mutation($input: BulkUpdateInput!) { bulkUpdate(input: $input) { matched } }",
            bulk(json!({ "addTags": ["a"] })),
            "where",
        ),
        ("mutation($input: BulkDeleteInput!) { bulkDelete(input: $input) { matched } }", bulk(json!({})), "where"),
    ] {
        let refusal = client.refused(query, variables, "BAD_USER_INPUT").await;
        names_the_path(&refusal, field);
    }
    let mut live = client.subscribe(LISTEN, json!({ "where": criteria })).await;
    names_the_path(&refusal(&mut live).await, "where");
    let create = json!({ "name": "D", "list_type": "dynamic", "criteria": criteria });
    let update = json!({ "criteria": criteria });
    for answer in
        [client.post("/contact-lists", create).await, client.put(&format!("/contact-lists/{dynamic}"), update).await]
    {
        let refused = answer.expect(StatusCode::BAD_REQUEST);
        assert_eq!(refused["fields"].as_object().map(serde_json::Map::len), Some(1), "{refused}");
        assert!(refused["fields"][format!("criteria.{PATH}")].is_string(), "{refused}");
    }
}

#[tokio::test]
async fn criteria_that_name_a_deleted_list_are_refused_with_the_path() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    made::<Contact>(&server, &ada, json!({ "lastName": "N", "city": "Riga" })).await;
    let gone = list(&ada, json!({ "name": "Layoffs" })).await;
    let fixed = list(&ada, json!({ "name": "S" })).await;
    let criteria = compare("city", "EQ", "Riga");
    let dynamic = list(&ada, json!({ "name": "D", "listType": "DYNAMIC", "criteria": criteria })).await;
    // as long as it is there, all is well
    ada.data(
        "query($where: RecordCriteria) { contacts(where: $where) { totalCount } }",
        json!({ "where": naming(&gone) }),
    )
    .await;
    ada.data(DELETE, json!({ "id": gone })).await;
    let lists = async || sql::number(&server.database.db, "SELECT count(*) AS value FROM contact_lists").await;
    assert_eq!(lists().await, 3, "its row is still there");
    all_refuse(&ada, &dynamic, &fixed, &gone).await;
    // nor does anything of it that is left make a difference
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let _worker = Worker::start(&Config::default(), &server.ctx, &server.events, &stop);
    server.jobs_done().await;
    assert_eq!(lists().await, 2);
    all_refuse(&ada, &dynamic, &fixed, &gone).await;

    let kept = "query($id: ID!) { contactList(id: $id) { criteria broken contactCount } }";
    let kept = ada.data(kept, json!({ "id": dynamic })).await["contactList"].take();
    assert_eq!((&kept["criteria"], &kept["broken"], &kept["contactCount"]), (&criteria, &Value::Null, &json!(1)));
    let changed = "SELECT ((SELECT count(*) FROM bulk_changes) + (SELECT count(*) FROM list_members WHERE list_id = \
                    (SELECT id FROM contact_lists WHERE name = 'S')) + (SELECT count(*) FROM record_changes)) AS value";
    assert_eq!(sql::number(&server.database.db, changed).await, 0, "nothing came of what was refused");
}

#[tokio::test]
async fn who_listens_by_a_list_is_told_that_it_is_gone() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let contact = made::<Contact>(&server, &ada, json!({ "lastName": "N" })).await;
    let named = list(&ada, json!({ "name": "Layoffs", "contactIds": [contact] })).await;
    let after = server.cursor().await;
    let mut live = ada.subscribe(LISTEN, json!({ "where": { "inList": named }, "after": after })).await;
    let update = "mutation($id: ID!, $city: String!) { updateContact(input: { id: $id, patch: { city: $city } }) {
        contact { id } } }";
    ada.data(update, json!({ "id": contact, "city": "Riga" })).await;
    assert_eq!(live.next().await["recordChanged"]["recordId"], json!(contact));
    ada.data(DELETE, json!({ "id": named })).await;
    ada.data(update, json!({ "id": contact, "city": "Oslo" })).await;
    let refusal = refusal(&mut live).await;
    assert_eq!(refusal["extensions"]["code"], "BAD_USER_INPUT", "{refusal}");
    assert!(refusal["extensions"]["fields"]["where.inList"].is_string(), "{refusal}");
}

/// The job asks again when it begins.
#[tokio::test]
async fn a_bulk_change_whose_list_was_deleted_before_it_began_changes_nobody() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let contact = made::<Contact>(&server, &ada, json!({ "lastName": "N" })).await;
    let named = list(&ada, json!({ "name": "Layoffs", "contactIds": [contact] })).await;
    let ask = "mutation($input: BulkDeleteInput!) { bulkDelete(input: $input) { job { id } matched } }";
    let input = json!({ "kind": "CONTACT", "where": { "inList": named } });
    let asked = ada.data(ask, json!({ "input": input })).await["bulkDelete"].take();
    assert_eq!(asked["matched"], 1);
    ada.data(DELETE, json!({ "id": named })).await;
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let _worker = Worker::start(&Config::default(), &server.ctx, &server.events, &stop);
    server.jobs_done().await;
    let query = "query($id: ID!) { bulkJob(id: $id) { job { status lastError } } }";
    let job = ada.data(query, json!({ "id": asked["job"]["id"] })).await["bulkJob"]["job"].take();
    assert_eq!(job["status"], "FAILED", "{job}");
    assert!(job["lastError"].as_str().is_some_and(|error| error.contains("where.inList")), "{job}");
    let live = "SELECT count(*) AS value FROM contacts WHERE deleted_at IS NULL AND version = 1";
    assert_eq!(sql::number(&server.database.db, live).await, 1);
}
