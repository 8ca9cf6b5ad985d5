//! The timeline of a record: all that happened to it, newest first.

use chrono::TimeDelta;
use kontor::{
    auth::Role,
    crm::{
        Contact, Lead, Product, RecordKind, Task,
        timeline::{self, NewEntry},
    },
    team::tokens,
};
use reqwest::{Method, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::support::{
    records::make_record,
    server::{Client, TestServer},
    sql, statements,
};

const TIMELINE: &str =
    "query($id: ID!, $first: Int, $after: String) { contact(id: $id) { timeline(first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { at what actor { kind userId } changes { field before after } note { body } task { title } payload } } } }";

async fn contact(client: &Client, name: &str) -> String {
    let create =
        "mutation($name: String) { createContact(input: { contact: { lastName: $name } }) { contact { id } } }";
    let made = client.data(create, json!({ "name": name })).await;
    made["createContact"]["contact"]["id"].as_str().expect("an id").to_owned()
}

async fn update(client: &Client, id: &str, patch: Value) {
    let update =
        "mutation($id: ID!, $c: ContactInput!) { updateContact(input: { id: $id, patch: $c }) { contact { id } } }";
    client.data(update, json!({ "id": id, "c": patch })).await;
}

async fn note(client: &Client, id: &str, body: &str) -> Value {
    let create = "mutation($id: ID!, $body: String!) {
        createNote(input: { recordKind: CONTACT, recordId: $id, body: $body }) { note { id } } }";
    client.data(create, json!({ "id": id, "body": body })).await["createNote"]["note"]["id"].clone()
}

/// A task about the contact.
async fn task(client: &Client, id: &str, title: &str) -> Value {
    let create = "mutation($t: TaskInput!) { createTask(input: { task: $t }) { task { id } } }";
    let fields = json!({ "title": title, "contactId": id });
    client.data(create, json!({ "t": fields })).await["createTask"]["task"]["id"].clone()
}

async fn complete(client: &Client, task: &Value) {
    let complete =
        "mutation($id: ID!) { updateTask(input: { id: $id, patch: { status: COMPLETED } }) { task { id } } }";
    client.data(complete, json!({ "id": task })).await;
}

async fn page(client: &Client, id: &str, first: Option<i32>, after: &Value) -> Value {
    client.data(TIMELINE, json!({ "id": id, "first": first, "after": after })).await["contact"]["timeline"].clone()
}

fn words(page: &Value) -> Vec<&str> {
    page["nodes"].as_array().expect("a list").iter().map(|entry| entry["what"].as_str().expect("a word")).collect()
}

/// The whole timeline, by pages of this size.
async fn walked(client: &Client, id: &str, size: i32) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = page(client, id, Some(size), &after).await;
        all.extend(page["nodes"].as_array().expect("a list").clone());
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            return all;
        }
    }
}

/// Writes an entry as a feature does.
async fn add(server: &TestServer, client: &Client, id: &str, what: &'static str, payload: Value) {
    let (ctx, caller) = (&server.ctx, client.caller());
    let mut tx = ctx.db.begin(&caller).await.expect("a transaction");
    let entry = NewEntry { kind: RecordKind::Contact, record: id.parse().expect("an id"), what, payload };
    timeline::add_in(ctx, &mut tx, &caller, &[entry]).await.expect("written");
    tx.commit().await.expect("committed");
}

#[tokio::test]
async fn a_timeline_tells_all_that_happened_the_newest_first() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let cora = ada.invite_role(Role::Manager).await;
    let later = || server.advance(TimeDelta::seconds(1));
    let id = contact(&ada, "Lovelace").await;
    later();
    update(&cora, &id, json!({ "city": "Rome", "status": "CUSTOMER" })).await;
    later();
    note(&ada, &id, "Likes tea").await;
    let forgotten = note(&ada, &id, "Nobody should read this").await;
    ada.data("mutation($id: ID!) { deleteNote(input: { id: $id }) { deletedId } }", json!({ "id": forgotten })).await;
    later();
    let call = task(&ada, &id, "Call").await;
    later();
    complete(&cora, &call).await;
    later();
    ada.data("mutation($id: ID!) { deleteContact(input: { id: $id }) { deletedId } }", json!({ "id": id })).await;
    later();
    ada.data("mutation($id: ID!) { restoreContact(input: { id: $id }) { contact { id } } }", json!({ "id": id })).await;
    later();
    add(&server, &ada, &id, "list_entered", json!({ "listId": 7 })).await;

    let whole = page(&ada, &id, None, &Value::Null).await;
    let expected =
        ["list_entered", "restored", "deleted", "task_completed", "task_created", "note", "updated", "created"];
    assert_eq!(words(&whole), expected);
    assert_eq!((&whole["totalCount"], &whole["pageInfo"]["hasNextPage"]), (&json!(8), &json!(false)));
    let entries = whole["nodes"].as_array().expect("a list");
    let [entered, restored, deleted, completed, created_task, noted, updated, created] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    assert_eq!((&entered["payload"], &entered["actor"]["userId"]), (&json!({ "listId": 7 }), &json!(ada.user())));
    assert_eq!((&restored["changes"], &deleted["changes"]), (&json!([]), &json!([])));
    let by = |entry: &Value, client: &Client| entry["actor"] == json!({ "kind": "user", "userId": client.user() });
    assert!(by(completed, &cora) && by(created_task, &ada) && by(noted, &ada) && by(updated, &cora), "{whole}");
    assert!(by(created, &ada) && by(deleted, &ada) && by(restored, &ada), "{whole}");
    assert_eq!((&completed["task"]["title"], &created_task["task"]["title"]), (&json!("Call"), &json!("Call")));
    assert_eq!(noted["note"]["body"], "Likes tea");
    let changes = json!([
        { "field": "status", "before": "ACTIVE", "after": "CUSTOMER" },
        { "field": "city", "before": null, "after": "Rome" },
    ]);
    assert_eq!(updated["changes"], changes);
    let others = [entered, restored, deleted, completed, created_task, updated, created];
    assert!(others.iter().all(|entry| entry["note"].is_null()), "{whole}");
    assert!([restored, noted, updated, created].iter().all(|entry| entry["payload"].is_null()), "{whole}");
    assert!(!whole.to_string().contains("Nobody should read this"));
    let times: Vec<_> = entries.iter().map(|entry| entry["at"].as_str().expect("a time").to_owned()).collect();
    assert!(times.windows(2).all(|two| two[0] > two[1]), "{times:?}");
    let through =
        "query($id: ID!) { record(kind: CONTACT, id: $id) { timeline(first: 1) { totalCount nodes { what } } } }";
    let through = ada.data(through, json!({ "id": id })).await["record"]["timeline"].clone();
    assert_eq!(through, json!({ "totalCount": 8, "nodes": [{ "what": "list_entered" }] }));
}

#[tokio::test]
async fn pages_walk_over_all_entries_once_also_those_of_one_instant() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let id = contact(&ada, "Lovelace").await;
    for city in ["Rome", "Oslo", "Bern"] {
        update(&ada, &id, json!({ "city": city })).await;
        note(&ada, &id, city).await;
        let task = task(&ada, &id, city).await;
        complete(&ada, &task).await;
        add(&server, &ada, &id, "merged", json!({ "city": city })).await;
    }
    let whole = page(&ada, &id, None, &Value::Null).await;
    assert_eq!(whole["totalCount"], 16);
    for size in [1, 3, 16] {
        assert_eq!(json!(walked(&ada, &id, size).await), whole["nodes"], "{size}");
    }
    // all in the same instant
    let at = "'2026-01-31T09:30:00Z'";
    for change in [
        format!("UPDATE contacts SET created_at = {at}"),
        format!("UPDATE record_changes SET at = {at}"),
        format!("UPDATE notes SET created_at = {at}"),
        format!("UPDATE tasks SET created_at = {at}, completed_date = {at}"),
        format!("UPDATE timeline SET at = {at}"),
    ] {
        sql::run(&server.database.db, &change).await;
    }
    let whole = page(&ada, &id, None, &Value::Null).await;
    let words = words(&whole);
    assert_eq!((words.len(), words[0], words[15]), (16, "merged", "created"));
    for size in [1, 2, 5] {
        assert_eq!(json!(walked(&ada, &id, size).await), whole["nodes"], "{size}");
    }
    for wrong in [
        json!("nonsense"),
        json!("WzEsMl0"),
        json!(kontor::base::page::encode(&json!(["+99999-01-01T00:00:00Z", 0, 0, id]))),
    ] {
        ada.refused(TIMELINE, json!({ "id": id, "after": wrong }), "BAD_USER_INPUT").await;
    }
    ada.refused(TIMELINE, json!({ "id": id, "first": 501 }), "BAD_USER_INPUT").await;
}

#[tokio::test]
async fn tasks_are_told_of_only_where_one_may_read_them() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let id = contact(&ada, "Lovelace").await;
    let call = task(&ada, &id, "Call").await;
    complete(&ada, &call).await;
    let gone = task(&ada, &id, "Gone").await;
    ada.data("mutation($id: ID!) { deleteTask(input: { id: $id }) { deletedId } }", json!({ "id": gone })).await;
    assert_eq!(words(&page(&ada, &id, None, &Value::Null).await), ["task_completed", "task_created", "created"]);
    let new =
        tokens::NewToken { name: "of contacts".to_owned(), scopes: vec!["contacts:read".to_owned()], expires_at: None };
    let (_, secret) = tokens::create(&server.ctx, &ada.caller(), new).await.expect("a token");
    let narrow = page(&server.client(&secret.text), &id, None, &Value::Null).await;
    assert_eq!((words(&narrow), &narrow["totalCount"]), (vec!["created"], &json!(1)));
}

#[tokio::test]
async fn a_timeline_is_seen_with_its_record() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    for owner in [json!(rep.user()), json!(ada.user()), Value::Null] {
        let fields = json!({ "lastName": "L", "ownerId": owner });
        make_record::<Lead>(&server.ctx, &ada.caller(), fields).await;
    }
    let query = "{ leads { nodes { timeline { totalCount nodes { what } } } } }";
    let one = json!({ "timeline": { "totalCount": 1, "nodes": [{ "what": "created" }] } });
    assert_eq!(rep.data(query, json!({})).await["leads"]["nodes"], json!([one, one]));
    assert_eq!(ada.data(query, json!({})).await["leads"]["nodes"], json!([one, one, one]));
    let id = contact(&ada, "Lovelace").await;
    let stranger = server.other_workspace().await;
    assert_eq!(stranger.data(TIMELINE, json!({ "id": id })).await["contact"], Value::Null);
}

#[tokio::test]
async fn kinds_that_no_task_is_about_have_timelines_too() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let product = make_record::<Product>(&server.ctx, &ada.caller(), json!({ "name": "Tea" })).await.id;
    let task = make_record::<Task>(&server.ctx, &ada.caller(), json!({ "title": "Call" })).await.id;
    let query = "query($product: ID!, $task: ID!) { product(id: $product) { timeline { nodes { what } } }
        task(id: $task) { timeline { nodes { what } } } }";
    let found = ada.data(query, json!({ "product": product, "task": task })).await;
    let created = json!({ "timeline": { "nodes": [{ "what": "created" }] } });
    assert_eq!(found, json!({ "product": created, "task": created }));
}

#[tokio::test]
async fn the_timelines_of_a_page_of_records_take_a_constant_number_of_statements() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    for number in 0..10 {
        let fields = json!({ "lastName": format!("L{number}") });
        let id = make_record::<Contact>(&server.ctx, &ada.caller(), fields).await.id.to_string();
        update(&ada, &id, json!({ "city": format!("C{number}") })).await;
        note(&ada, &id, &format!("N{number}")).await;
        task(&ada, &id, &format!("T{number}")).await;
    }
    let query = "query($first: Int!) { contacts(first: $first) { nodes { timeline(first: 3) { totalCount
        nodes { what changes { after } note { body createdBy { email } } task { title } } } } } }";
    let ask =
        async |first: usize| statements::caused_by(ada.workspace(), ada.data(query, json!({ "first": first }))).await;
    let ((_, few), (page, many)) = (ask(2).await, ask(10).await);
    assert_eq!(few.len(), many.len(), "{many:#?}");
    for (row, number) in page["contacts"]["nodes"].as_array().expect("rows").iter().zip((0..10).rev()) {
        let timeline = &row["timeline"];
        assert_eq!(words(timeline), ["task_created", "note", "updated"]);
        assert_eq!(timeline["totalCount"], 4);
        assert_eq!(timeline["nodes"][0]["task"]["title"], format!("T{number}"));
        assert_eq!(timeline["nodes"][1]["note"]["body"], format!("N{number}"));
        assert_eq!(timeline["nodes"][2]["changes"][0]["after"], format!("C{number}"));
    }
}

/// Imports a file of contacts, and waits for its end; the answer to the request.
async fn import(server: &TestServer, client: &Client, rows: &str) -> Value {
    let form = format!(
        "--b\r\nContent-Disposition: form-data; name=\"entity_type\"\r\n\r\ncontacts\r\n\
         --b\r\nContent-Disposition: form-data; name=\"import_options\"\r\n\r\n{{\"update_existing\": true}}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n{rows}\r\n--b--\r\n"
    );
    let with =
        |request: reqwest::RequestBuilder| request.header(CONTENT_TYPE, "multipart/form-data; boundary=b").body(form);
    let job = client.send(Method::POST, "/import", with).await.expect(StatusCode::CREATED);
    server.jobs_done().await;
    job
}

#[tokio::test]
async fn what_an_import_made_is_told_as_the_imports() {
    let server = TestServer::start().await;
    let (ada, query) = (
        server.admin().await,
        "{ contacts(first: 5) { nodes { email timeline(first: 5) { totalCount nodes {
        what actor { kind userId throughId } changes { field } payload } } } } }",
    );
    let by_hand = "mutation { createContact(input: { contact: { email: \"b@x.test\" } }) { contact { id } } }";
    ada.data(by_hand, json!({})).await;
    let job = import(&server, &ada, "email,city\na@x.test,Rome\nb@x.test,Oslo\n").await;
    let found = ada.data(query, json!({})).await["contacts"]["nodes"].clone();
    let of = |email: &str| {
        let rows = found.as_array().expect("rows");
        rows.iter().find(|row| row["email"] == email).expect("a contact")["timeline"].clone()
    };
    let (made, changed) = (of("a@x.test"), of("b@x.test"));
    // as the history has it of what the import changed
    let through = &changed["nodes"][0]["actor"]["throughId"];
    let by_import = json!({ "kind": "import", "userId": ada.user(), "throughId": through });
    let by_person = json!({ "kind": "user", "userId": ada.user(), "throughId": null });
    let entry = |what: &str, by: &Value, changes: Value| {
        let payload = Value::Null;
        json!({ "what": what, "actor": by, "changes": changes, "payload": payload })
    };
    let created = entry("created", &by_import, json!([]));
    assert_eq!(made, json!({ "totalCount": 1, "nodes": [created] }));
    let updated = entry("updated", &by_import, json!([{ "field": "city" }]));
    let created = entry("created", &by_person, json!([]));
    assert_eq!(changed, json!({ "totalCount": 2, "nodes": [updated, created] }));
    // and the import is found by it
    let of_job = "query($job: ID!) { importJobs(job: $job) { totalCount nodes { id fileName jobId } } }";
    let imports = ada.data(of_job, json!({ "job": through })).await["importJobs"].clone();
    let one = json!({ "id": job["id"], "fileName": "a.csv", "jobId": through });
    assert_eq!(imports, json!({ "totalCount": 1, "nodes": [one] }));
    let none = ada.data(of_job, json!({ "job": job["id"] })).await["importJobs"].clone();
    assert_eq!(none, json!({ "totalCount": 0, "nodes": [] }));
    ada.refused(of_job, json!({ "job": "nonsense" }), "BAD_USER_INPUT").await;
}
