//! Defining fields, changing and deleting them, and what that does to the values that are there.

use std::sync::Arc;

use kontor::{auth::Role, ctx::Ctx};
use serde_json::{Value, json};

use super::{
    CHANGE, DEFINE, REMOVE, after_setting, changed, contact, defined, input, patch, refusal, rows, set, values_of,
};
use crate::support::{client::Client, eventually, server::TestServer, sql};

const LIST: &str =
    "{ customFields(kind: CONTACT) { id key label position } accounts: customFields(kind: ACCOUNT) { id } }";

async fn keys(client: &Client) -> Vec<String> {
    let listed = client.data(LIST, json!({})).await;
    let fields = listed["customFields"].as_array().expect("a list").iter();
    fields.map(|field| field["key"].as_str().expect("a key").to_owned()).collect()
}

#[tokio::test]
async fn a_field_is_defined_by_admins_and_read_by_everybody_of_the_workspace() {
    let server = TestServer::start().await;
    let (ada, other) = (server.admin().await, server.other_workspace().await);
    let made = defined(
        &ada,
        json!({ "key": null, "label": " Contract Value (€) ", "type": "DECIMAL", "description": "In euros." }),
    )
    .await;
    let field = &made["customField"];
    assert_eq!(made["jobId"], Value::Null);
    assert_eq!([&field["key"], &field["label"]], [&json!("contract_value"), &json!("Contract Value (€)")]);
    let second = defined(&ada, json!({ "key": null, "label": "Contract value" })).await["customField"].clone();
    assert_eq!((&second["key"], &second["position"]), (&json!("contract_value_2"), &json!(2)));
    for role in [Role::Manager, Role::SalesRep, Role::Support] {
        let colleague = ada.invite_role(role).await;
        assert_eq!(keys(&colleague).await, ["contract_value", "contract_value_2"]);
        colleague.refused(DEFINE, json!({ "input": input(json!({})) }), "FORBIDDEN").await;
        colleague.refused(CHANGE, json!({ "input": patch(&field["id"], json!({})) }), "FORBIDDEN").await;
        colleague.refused(REMOVE, json!({ "input": { "id": field["id"] } }), "FORBIDDEN").await;
    }
    assert!(keys(&other).await.is_empty());
    other.refused(CHANGE, json!({ "input": patch(&field["id"], json!({ "label": "Mine" })) }), "NOT_FOUND").await;
    other.refused(REMOVE, json!({ "input": { "id": field["id"] } }), "NOT_FOUND").await;
    // there the key is free
    assert_eq!(
        after_setting(&other, &contact(&other, json!({})).await, json!({ "contract_value": "much" })).await["contract_value"],
        "much"
    );

    let change = json!({ "label": "Value", "description": null, "isRequired": true });
    let after = changed(&ada, &field["id"], change).await["customField"].clone();
    assert_eq!(
        (&after["label"], &after["description"], &after["isRequired"]),
        (&json!("Value"), &Value::Null, &json!(true))
    );
    let reorder = "mutation($ids: [ID!]!) { reorderCustomFields(input: { kind: CONTACT, ids: $ids }) { customFields { key position } } }";
    let ordered = ada.data(reorder, json!({ "ids": [second["id"]] })).await;
    let expected = json!([{ "key": "contract_value_2", "position": 1 }, { "key": "contract_value", "position": 2 }]);
    assert_eq!(ordered["reorderCustomFields"]["customFields"], expected);
    ada.refused(reorder, json!({ "ids": [second["id"], second["id"]] }), "BAD_USER_INPUT").await;
    ada.refused(reorder, json!({ "ids": [uuid::Uuid::now_v7()] }), "NOT_FOUND").await;

    server.events_logged().await;
    let told = "SELECT name || ' ' || (payload ->> 'kind') || ' ' || (payload ->> 'key') AS value FROM events \
                 WHERE name LIKE 'custom\\_field.%' ORDER BY position";
    let told = sql::texts(&server.database.db, told).await;
    assert_eq!(
        told[..3],
        [
            "custom_field.created contact contract_value",
            "custom_field.created contact contract_value_2",
            "custom_field.updated contact contract_value"
        ]
    );
    let audited = "SELECT action AS value FROM audit_log WHERE subject_kind = 'custom_field' ORDER BY id";
    let audited = sql::texts(&server.database.db, audited).await;
    assert_eq!(audited, ["custom_field.created", "custom_field.created", "custom_field.updated"]);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let few = |ctx: &mut Ctx| Arc::make_mut(&mut ctx.limits).custom_fields_per_kind = 2;
    let server = TestServer::start_with(few).await;
    let ada = server.admin().await;
    for (more, field) in [
        (json!({ "label": " " }), "label"),
        (json!({ "key": "Plan" }), "key"),
        (json!({ "key": "2x" }), "key"),
        (json!({ "key": "x".repeat(61) }), "key"),
        (json!({ "type": "CHOICE" }), "choices"),
        (json!({ "type": "CHOICE", "choices": ["a", "A"] }), "choices"),
        (json!({ "type": "CHOICE", "choices": ["a", " "] }), "choices"),
        (json!({ "choices": ["a"] }), "choices"),
        (json!({ "type": "RECORD" }), "recordKind"),
        (json!({ "recordKind": "DEAL" }), "recordKind"),
        (json!({ "type": "MULTI_CHOICE", "choices": ["a"], "isIndexed": true }), "isIndexed"),
        (json!({ "type": "BOOLEAN", "isUnique": true }), "isUnique"),
    ] {
        let answer = ada.graphql(DEFINE, json!({ "input": input(more) })).await;
        let (code, fields) = refusal(&answer);
        assert_eq!(code, "BAD_USER_INPUT", "{answer}");
        assert!(fields[field].is_string(), "{field}: {answer}");
    }
    defined(&ada, json!({})).await;
    let answer = ada.graphql(DEFINE, json!({ "input": input(json!({})) })).await;
    assert_eq!(refusal(&answer).0, "CONFLICT");
    assert!(refusal(&answer).1["key"].is_string(), "{answer}");
    defined(&ada, json!({ "key": "y" })).await;
    ada.refused(DEFINE, json!({ "input": input(json!({ "key": "z" })) }), "CONFLICT").await;
    // each kind has its own
    defined(&ada, json!({ "kind": "ACCOUNT" })).await;
}

#[tokio::test]
async fn a_key_that_records_hold_becomes_a_field_only_where_every_value_fits() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    contact(&ada, json!({ "seats": 5, "size": "big" })).await;
    let bad = contact(&ada, json!({ "seats": "many" })).await;
    let refused =
        ada.refused(DEFINE, json!({ "input": input(json!({ "key": "seats", "type": "NUMBER" })) }), "CONFLICT").await;
    assert!(refused["extensions"]["fields"]["key"].is_string(), "{refused}");
    assert_eq!(refused["extensions"]["details"], json!({ "examples": ["many"] }));
    // a value that could be read, but is not kept in that form
    after_setting(&ada, &bad, json!({ "seats": "7" })).await;
    ada.refused(DEFINE, json!({ "input": input(json!({ "key": "seats", "type": "NUMBER" })) }), "CONFLICT").await;
    after_setting(&ada, &bad, json!({ "seats": 7 })).await;
    let made = defined(&ada, json!({ "key": "seats", "type": "NUMBER", "isUnique": true })).await;
    assert_eq!(rows(&server, &made["customField"]["id"]).await, 2);
    let answer = set(&ada, &bad, json!({ "seats": 5 })).await;
    assert_eq!(refusal(&answer).0, "CONFLICT", "{answer}");
    let sizes = json!({ "key": "size", "type": "CHOICE", "choices": ["small", "big"] });
    defined(&ada, sizes).await;
    // a long text is told of without being shown
    contact(&ada, json!({ "essay": "x".repeat(20_000) })).await;
    ada.refused(DEFINE, json!({ "input": input(json!({ "key": "essay" })) }), "CONFLICT").await;
}

#[tokio::test]
async fn choices_are_added_freely_and_removed_where_nobody_has_them() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    for (key, field_type, value) in [("one", "CHOICE", json!("b")), ("some", "MULTI_CHOICE", json!(["b", "c"]))] {
        let more = json!({ "key": key, "type": field_type, "choices": ["a", "b", "c"] });
        let field = defined(&ada, more).await["customField"]["id"].clone();
        let id = contact(&ada, json!({ key: value })).await;
        changed(&ada, &field, json!({ "choices": ["b", "c", "d"] })).await;
        let without = patch(&field, json!({ "choices": ["c", "d"] }));
        let refused = ada.refused(CHANGE, json!({ "input": without }), "CONFLICT").await;
        assert_eq!(refused["extensions"]["details"], json!({ "removed": ["b"], "records": 1 }), "{refused}");
        let forced = changed(&ada, &field, json!({ "choices": ["c", "d"], "force": true })).await;
        assert_eq!(forced["customField"]["choices"], json!(["c", "d"]));
        // what the record has stays until it is changed
        assert_eq!(values_of(&ada, &id).await, json!({ key: value }));
        assert_eq!(refusal(&set(&ada, &id, json!({ key: "b" })).await).0, "BAD_USER_INPUT");
    }
}

#[tokio::test]
async fn an_index_follows_the_records_and_goes_when_it_is_switched_off() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let ids = [contact(&ada, json!({ "x": "A" })).await, contact(&ada, json!({ "x": "b" })).await];
    contact(&ada, json!({ "y": 1 })).await;
    let made = defined(&ada, json!({ "isIndexed": true })).await;
    let field = &made["customField"]["id"];
    server.jobs_done().await;
    let progress = ada
        .data(
            "query($id: ID!) { job(id: $id) { progress { status processed total succeeded } } }",
            json!({ "id": made["jobId"] }),
        )
        .await;
    let expected = json!({ "status": "COMPLETED", "processed": 3, "total": 3, "succeeded": 2 });
    assert_eq!(progress["job"]["progress"], expected);
    let id = field.as_str().expect("an id");
    let held = format!("SELECT text_value AS value FROM custom_values WHERE field_id = '{id}' ORDER BY 1");
    assert_eq!(sql::texts(&server.database.db, &held).await, ["a", "b"]);
    after_setting(&ada, &ids[0], json!({ "x": "C" })).await;
    assert_eq!(sql::texts(&server.database.db, &held).await, ["b", "c"]);
    ada.data("mutation($id: ID!) { deleteContact(input: { id: $id }) { deletedId } }", json!({ "id": ids[1] })).await;
    assert_eq!(sql::texts(&server.database.db, &held).await, ["c"]);
    ada.data("mutation($id: ID!) { restoreContact(input: { id: $id }) { contact { id } } }", json!({ "id": ids[1] }))
        .await;
    assert_eq!(sql::texts(&server.database.db, &held).await, ["b", "c"]);
    let off = changed(&ada, field, json!({ "isIndexed": false })).await;
    assert!(off["jobId"].is_string());
    server.jobs_done().await;
    assert_eq!(rows(&server, field).await, 0);
    after_setting(&ada, &ids[0], json!({ "x": "d" })).await;
    assert_eq!(rows(&server, field).await, 0);
}

#[tokio::test]
async fn an_index_that_is_being_written_is_not_asked_yet() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let id = contact(&ada, json!({ "x": "A" })).await;
    let field = defined(&ada, json!({ "isIndexed": true })).await["customField"]["id"].clone();
    let query =
        "query { contacts(where: { compare: { field: \"custom.x\", op: EQ, value: \"a\" } }) { nodes { id } } }";
    let found = async || ada.data(query, json!({})).await["contacts"]["nodes"].take();
    assert_eq!((rows(&server, &field).await, found().await), (0, json!([{ "id": id }])));
    let _node = server.second_node().await;
    server.jobs_done().await;
    assert_eq!((rows(&server, &field).await, found().await), (1, json!([{ "id": id }])));
    // by its rows now
    sql::run(&server.database.db, "DELETE FROM custom_values").await;
    assert_eq!(found().await, json!([]));
}

#[tokio::test]
async fn unique_is_refused_with_how_many_values_collide() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let field = defined(&ada, json!({})).await["customField"]["id"].clone();
    let mut ids = Vec::new();
    for value in ["a", "A", "b", "b", "c"] {
        ids.push(contact(&ada, json!({ "x": value })).await);
    }
    let unique = json!({ "input": patch(&field, json!({ "isUnique": true })) });
    let refused = ada.refused(CHANGE, unique, "CONFLICT").await;
    assert_eq!(refused["extensions"]["details"], json!({ "collisions": 2 }), "{refused}");
    assert!(refused["extensions"]["fields"]["isUnique"].is_string());
    // one of them goes, the other is changed
    ada.data("mutation($id: ID!) { deleteContact(input: { id: $id }) { deletedId } }", json!({ "id": ids[0] })).await;
    after_setting(&ada, &ids[2], json!({ "x": "d" })).await;
    changed(&ada, &field, json!({ "isUnique": true })).await;
    assert_eq!(rows(&server, &field).await, 4);
    let answer = set(&ada, &ids[4], json!({ "x": "D" })).await;
    assert_eq!(answer["errors"][0]["extensions"]["details"]["other"], json!(ids[2]), "{answer}");
    // off and on again, with changes between
    changed(&ada, &field, json!({ "isUnique": false, "isIndexed": true })).await;
    after_setting(&ada, &ids[4], json!({ "x": "D" })).await;
    after_setting(&ada, &ids[2], json!({ "x": "e" })).await;
    changed(&ada, &field, json!({ "isUnique": true })).await;
    assert_eq!(refusal(&set(&ada, &ids[3], json!({ "x": "d" })).await).0, "CONFLICT");
}

#[tokio::test]
async fn a_deleted_field_leaves_no_values_and_is_kept_where_lists_need_it() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let made = defined(&ada, json!({ "key": "plan", "isIndexed": true })).await;
    defined(&ada, json!({ "key": "plan_b" })).await;
    let field = &made["customField"]["id"];
    let id = contact(&ada, json!({ "plan": "gold", "plan_b": "kept", "free": 1 })).await;
    let deleted = contact(&ada, json!({ "plan": "silver" })).await;
    ada.data("mutation($id: ID!) { deleteContact(input: { id: $id }) { deletedId } }", json!({ "id": deleted })).await;
    let list = uuid::Uuid::now_v7();
    let insert = format!(
        "INSERT INTO contact_lists (workspace_id, id, name, list_type, criteria, created_by, created_at, updated_at, counted_at) \
         VALUES ('{}', '{list}', 'Gold', 'dynamic', \
                 '{{\"all\": [{{\"compare\": {{\"field\": \"custom.plan\", \"op\": \"EQ\", \"value\": \"gold\"}}}}]}}', \
                 '{}', now(), now(), now())",
        ada.workspace(),
        ada.user()
    );
    sql::run(&server.database.db, &insert).await;
    let refused = ada.refused(REMOVE, json!({ "input": { "id": field } }), "CONFLICT").await;
    let used = json!({ "usedBy": [{ "type": "contact_list", "id": list, "name": "Gold" }], "uses": 1 });
    assert_eq!(refused["extensions"]["details"], used);
    assert_eq!(keys(&ada).await, ["plan", "plan_b"]);
    // a list that somebody keeps to themselves is counted, not named
    let other = ada.invite_role(Role::Manager).await;
    sql::run(
        &server.database.db,
        &format!("UPDATE contact_lists SET created_by = '{}' WHERE id = '{list}'", other.user()),
    )
    .await;
    let refused = ada.refused(REMOVE, json!({ "input": { "id": field } }), "CONFLICT").await;
    assert_eq!(refused["extensions"]["details"], json!({ "usedBy": [], "uses": 1 }));
    assert!(!refused.to_string().contains("Gold"), "{refused}");
    // a field of the same key of another kind is none that the list names
    let same = "mutation { createCustomField(input: { kind: DEAL, label: \"Plan\", key: \"plan\", type: TEXT }) { customField { id } } }";
    let same = ada.data(same, json!({})).await;
    ada.data(REMOVE, json!({ "input": { "id": same["createCustomField"]["customField"]["id"] } })).await;

    let removed = ada.data(REMOVE, json!({ "input": { "id": field, "force": true } })).await;
    assert!(removed["deleteCustomField"]["jobId"].is_string(), "{removed}");
    assert_eq!(keys(&ada).await, ["plan_b"]);
    server.jobs_done().await;
    assert_eq!(values_of(&ada, &id).await, json!({ "plan_b": "kept", "free": 1 }));
    let held = "SELECT count(*) AS value FROM contacts WHERE custom_fields ? 'plan'";
    assert_eq!(sql::number(&server.database.db, held).await, 0);
    assert_eq!(rows(&server, field).await, 0);
    let traces = format!("SELECT count(*) AS value FROM record_changes WHERE record_id = '{id}'");
    assert_eq!(sql::number(&server.database.db, &traces).await, 0);
    server.events_logged().await;
    let told = "SELECT payload ->> 'key' AS value FROM events WHERE name = 'custom_field.deleted'";
    assert_eq!(sql::texts(&server.database.db, told).await, ["plan", "plan"], "the deal's too");
    // the key is free again, and the other's list names nobody else's field
    defined(&ada, json!({ "key": "plan", "type": "NUMBER" })).await;
    ada.data(REMOVE, json!({ "input": { "id": fields_id(&ada, "plan_b").await } })).await;
}

#[tokio::test]
async fn a_choice_that_lists_ask_for_is_not_taken_away_unawares() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let choices = json!(["gold", "free", "none"]);
    let made = defined(&ada, json!({ "key": "plan", "type": "CHOICE", "choices": choices })).await;
    let field = &made["customField"]["id"];
    let list = "mutation($c: RecordCriteria!) { createContactList(input: { name: \"Gold\", listType: DYNAMIC, criteria: $c }) {
        contactList { id } } }";
    let gold = json!({ "compare": { "field": "custom.plan", "op": "EQ", "value": "gold" } });
    let list = ada.data(list, json!({ "c": gold })).await["createContactList"]["contactList"]["id"].take();
    // one that nobody asks for goes
    changed(&ada, field, json!({ "choices": ["gold", "free"] })).await;
    let query = "mutation($input: UpdateCustomFieldInput!) { updateCustomField(input: $input) { customField { id } } }";
    let fewer = json!({ "id": field, "choices": ["free"] });
    let refused = ada.refused(query, json!({ "input": fewer }), "CONFLICT").await;
    let used = json!({ "usedBy": [{ "type": "contact_list", "id": list, "name": "Gold" }], "uses": 1 });
    assert_eq!(refused["extensions"]["details"], used);
    changed(&ada, field, json!({ "choices": ["free"], "force": true })).await;
    let broken = "query($id: ID!) { contactList(id: $id) { broken } }";
    eventually("the list is broken", async || {
        ada.data(broken, json!({ "id": list })).await["contactList"]["broken"].is_string()
    })
    .await;
    // what is broken is no hindrance
    changed(&ada, field, json!({ "choices": ["other"] })).await;
}

async fn fields_id(client: &Client, key: &str) -> Value {
    let listed = client.data(LIST, json!({})).await;
    let fields = listed["customFields"].as_array().expect("a list");
    fields.iter().find(|field| field["key"] == key).expect("a field")["id"].clone()
}

#[tokio::test]
async fn a_key_is_taken_until_the_values_of_a_deleted_field_are_gone() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let field = defined(&ada, json!({ "key": "plan" })).await["customField"]["id"].clone();
    let id = contact(&ada, json!({ "plan": "gold" })).await;
    ada.data(REMOVE, json!({ "input": { "id": field } })).await;
    // the job waits
    let refused = ada.refused(DEFINE, json!({ "input": input(json!({ "key": "plan" })) }), "CONFLICT").await;
    assert_eq!(refused["extensions"]["fields"]["key"].as_str().map(|why| why.contains("removed")), Some(true));
    let another = json!({ "input": { "kind": "CONTACT", "label": "Plan", "type": "TEXT" } });
    assert_eq!(ada.data(DEFINE, another).await["createCustomField"]["customField"]["key"], "plan_2");
    // of another kind it is free
    defined(&ada, json!({ "key": "plan", "kind": "ACCOUNT" })).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let worker = kontor::worker::Worker::start(&kontor::config::Config::default(), &server.ctx, &server.events, &stop);
    server.jobs_done().await;
    defined(&ada, json!({ "key": "plan", "label": "Plan again" })).await;
    assert_eq!(values_of(&ada, &id).await, json!({}));
    worker.stop(std::time::Duration::from_secs(10)).await;
}
