//! Creating, changing, deleting and taking back, each rule by both APIs where both have it.

use kontor::auth::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{CREATE, DELETE, RESTORE, account, contact, refusal, update, updated};
use crate::support::{client::Client, server::TestServer, sql};

async fn read(client: &Client, id: &str, fields: &str) -> Value {
    let query = format!("query($id: ID!) {{ contact(id: $id) {{ {fields} }} }}");
    client.data(&query, json!({ "id": id })).await["contact"].take()
}

/// How many events and changes the server has of this record.
async fn traces(server: &TestServer, id: &str) -> (i64, i64) {
    server.events_logged().await;
    let events = format!("SELECT count(*) AS value FROM events WHERE '{id}' = ANY(record_ids)");
    let changes = format!("SELECT count(*) AS value FROM record_changes WHERE record_id = '{id}'");
    (sql::number(&server.database.db, &events).await, sql::number(&server.database.db, &changes).await)
}

#[tokio::test]
async fn a_stale_update_is_refused_only_where_others_changed_the_same_field() {
    let server = TestServer::start().await;
    let (ada, rep) = (server.admin().await, server.admin().await.invite_role(Role::SalesRep).await);
    let id = contact(&ada, json!({ "lastName": "Hopper", "city": "Arlington" })).await;
    assert_eq!(updated(&ada, &id, Some(1), json!({ "city": "Boston" })).await["version"], 2);
    // the other field's change goes beside it
    let merged = updated(&rep, &id, Some(1), json!({ "title": "Admiral" })).await;
    assert_eq!(
        [&merged["version"], &merged["city"], &merged["title"]],
        [&json!(3), &json!("Boston"), &json!("Admiral")]
    );
    let stale = update(&rep, &id, Some(1), json!({ "city": "Chicago", "phone": "+1" })).await;
    let told = refusal(&stale);
    assert_eq!(told["code"], "CONFLICT");
    assert_eq!(told["fields"], json!({ "city": "has changed since you read it" }));
    assert_eq!(told["details"], json!({ "version": 3, "present": { "city": "Boston" } }));
    assert_eq!(read(&ada, &id, "city phone version").await, json!({ "city": "Boston", "phone": null, "version": 3 }));
    updated(&rep, &id, Some(3), json!({ "city": "Chicago" })).await;
    // a change by REST counts like any other, and without a version the last one wins
    ada.put(&format!("/contacts/{id}"), json!({ "title": "Captain" })).await.data();
    assert_eq!(
        refusal(&update(&rep, &id, Some(4), json!({ "title": "X" })).await)["details"]["present"]["title"],
        "Captain"
    );
    assert_eq!(updated(&rep, &id, None, json!({ "title": "Commodore" })).await["version"], 6);
    for wrong in [0, -1, 7] {
        let answer = update(&rep, &id, Some(wrong), json!({ "title": "X" })).await;
        assert_eq!(refusal(&answer)["code"], "BAD_USER_INPUT", "{wrong}");
    }
}

#[tokio::test]
async fn of_concurrent_updates_none_is_lost() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let id = contact(&ada, json!({ "lastName": "Hopper" })).await;
    let fields = ["city", "title", "phone", "notes", "state", "country"];
    let patches = fields.map(|field| json!({ field: "1" }));
    futures_util::future::join_all(patches.map(|patch| updated(&ada, &id, Some(1), patch))).await;
    let read = read(&ada, &id, &format!("version {}", fields.join(" "))).await;
    assert_eq!(read["version"], 7);
    for field in fields {
        assert_eq!(read[field], "1", "{field}");
    }
    // on one field one is first, and the others are told
    let cities: Vec<_> = (0..6).map(|number| json!({ "city": format!("C{number}") })).collect();
    let answers =
        futures_util::future::join_all(cities.into_iter().map(|patch| update(&ada, &id, Some(7), patch))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.get("errors").is_some()).collect();
    assert_eq!(refused.len(), 5);
    assert!(refused.iter().all(|answer| refusal(answer)["code"] == "CONFLICT"), "{refused:?}");
}

#[tokio::test]
async fn an_update_that_changes_nothing_leaves_no_trace() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let fields = json!({ "lastName": "Hopper", "email": "grace@navy.test", "tags": ["a"], "city": "Arlington" });
    let id = contact(&ada, fields).await;
    let before = (read(&ada, &id, "version updatedAt").await, traces(&server, &id).await);
    assert_eq!(before.1, (1, 0));
    for same in [
        json!({}),
        json!({ "lastName": "Hopper" }),
        json!({ "lastName": " Hopper ", "email": " GRACE@Navy.test", "tags": ["a", "a "], "title": "", "phone": null }),
    ] {
        assert_eq!(updated(&ada, &id, Some(1), same).await["version"], 1);
    }
    ada.put(&format!("/contacts/{id}"), json!({ "email": "Grace@navy.test", "city": "Arlington" })).await.data();
    assert_eq!((read(&ada, &id, "version updatedAt").await, traces(&server, &id).await), before);
    updated(&ada, &id, None, json!({ "city": "Boston" })).await;
    assert_eq!(traces(&server, &id).await, (2, 1));
}

#[tokio::test]
async fn a_deletion_can_be_taken_back() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let id = contact(&ada, json!({ "lastName": "Hopper", "email": "grace@navy.test" })).await;
    let list = "{ contacts { totalCount nodes { id } } }";
    ada.refused(DELETE, json!({ "input": { "id": id, "expectedVersion": 2 } }), "CONFLICT").await;
    let deleted = ada.data(DELETE, json!({ "input": { "id": id, "expectedVersion": 1 } })).await;
    assert_eq!(deleted["deleteContact"]["deletedId"], json!(id));
    assert_eq!(ada.data(list, json!({})).await["contacts"], json!({ "totalCount": 0, "nodes": [] }));
    assert_eq!(read(&ada, &id, "id").await, Value::Null);
    assert_eq!(refusal(&update(&ada, &id, None, json!({ "city": "X" })).await)["code"], "NOT_FOUND");
    ada.refused(DELETE, json!({ "input": { "id": id } }), "NOT_FOUND").await;

    let restored = ada.data(RESTORE, json!({ "id": id })).await["restoreContact"]["contact"].take();
    assert_eq!(restored, json!({ "id": id, "version": 3, "email": "grace@navy.test" }));
    assert_eq!(traces(&server, &id).await, (3, 2));
    // what is there already needs no taking back
    ada.data(RESTORE, json!({ "id": id })).await;
    assert_eq!(traces(&server, &id).await, (3, 2));
    // what one API deletes the other brings back
    ada.delete(&format!("/contacts/{id}")).await.expect(StatusCode::OK);
    ada.data(RESTORE, json!({ "id": id })).await;
    assert_eq!(ada.get(&format!("/contacts/{id}")).await.data()["id"], json!(id));
    ada.refused(RESTORE, json!({ "id": uuid::Uuid::now_v7() }), "NOT_FOUND").await;
}

#[tokio::test]
async fn a_taken_value_names_the_record_that_has_it() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let person = json!({ "lastName": "Hopper", "email": "grace@navy.test" });
    let old = contact(&ada, person.clone()).await;
    ada.data(DELETE, json!({ "input": { "id": old } })).await;
    let new = contact(&ada, person.clone()).await;
    let third = contact(&ada, json!({ "lastName": "Third" })).await;
    let restore = ada.graphql(RESTORE, json!({ "id": old })).await;
    let create = ada.graphql(CREATE, json!({ "input": { "contact": person } })).await;
    let change = update(&ada, &third, None, json!({ "email": "Grace@navy.test" })).await;
    for answer in [&restore, &create, &change] {
        let told = refusal(answer);
        assert_eq!([&told["code"], &told["details"]], [&json!("CONFLICT"), &json!({ "other": new })]);
        assert_eq!(told["fields"], json!({ "email": "is already used by another contact" }));
    }
    let body = json!({ "first_name": "G", "last_name": "H", "email": "grace@navy.test" });
    assert_eq!(ada.post("/contacts", body).await.refused(409)["details"], json!({ "other": new }));
    assert_eq!(traces(&server, &old).await, (2, 1), "a refused restore changes nothing");
    // once the other one is gone the way is free
    ada.data(DELETE, json!({ "input": { "id": new } })).await;
    ada.data(RESTORE, json!({ "id": old })).await;

    let first = account(&ada, json!({ "name": "A", "accountNumber": "1" })).await;
    let restore = "mutation($id: ID!) { restoreAccount(input: { id: $id }) { account { id } } }";
    let delete = "mutation($input: DeleteRecordInput!) { deleteAccount(input: $input) { deletedId } }";
    ada.data(delete, json!({ "input": { "id": first } })).await;
    let second = account(&ada, json!({ "name": "B", "accountNumber": "1" })).await;
    let refused = ada.refused(restore, json!({ "id": first }), "CONFLICT").await;
    assert_eq!(refused["extensions"]["details"], json!({ "other": second }));
}

#[tokio::test]
async fn an_address_is_kept_in_one_form_and_is_one_contacts_alone_however_many_ask_at_once() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let jorg = "j\u{f6}rg@xn--bcher-kva.test";
    let id = contact(&ada, json!({ "email": " Jo\u{308}RG@B\u{dc}CHER.test " })).await;
    assert_eq!(read(&ada, &id, "email displayName").await, json!({ "email": jorg, "displayName": jorg }));
    assert_eq!(ada.get(&format!("/contacts/{id}")).await.data()["email"], jorg);
    for wrong in ["x", "a@b", "a b@c.test", "a@@c.test", "a\u{0}@c.test"] {
        let refused =
            ada.refused(CREATE, json!({ "input": { "contact": { "email": wrong } } }), "BAD_USER_INPUT").await;
        assert!(refused["extensions"]["fields"]["email"].is_string(), "{wrong}: {refused}");
    }
    // of all who ask at once, by either API, one gets it
    for round in 0..5 {
        let spellings = [format!("g{round}@Navy.test"), format!("G{round}@navy.test"), format!(" g{round}@navy.TEST")];
        let graphql =
            spellings.iter().map(|email| ada.graphql(CREATE, json!({ "input": { "contact": { "email": email } } })));
        let body = |email: &String| json!({ "first_name": "G", "last_name": "H", "email": email });
        let rest = spellings.iter().map(|email| ada.post("/contacts", body(email)));
        let (graphql, rest) =
            tokio::join!(futures_util::future::join_all(graphql), futures_util::future::join_all(rest));
        let mut good = 0;
        for answer in &graphql {
            match answer["errors"][0]["extensions"]["code"].as_str() {
                None => good += 1,
                code => assert_eq!(code, Some("CONFLICT"), "{answer}"),
            }
        }
        for answer in rest {
            match answer.status {
                StatusCode::CREATED => good += 1,
                status => assert_eq!(status, StatusCode::CONFLICT, "{}", answer.body),
            }
        }
        assert_eq!(good, 1);
    }
}

#[tokio::test]
async fn what_a_record_links_to_is_of_its_own_workspace_and_live() {
    let server = TestServer::start().await;
    let (ada, eve) = (server.admin().await, server.other_workspace().await);
    let (theirs, ours) = (account(&eve, json!({ "name": "E" })).await, account(&ada, json!({ "name": "A" })).await);
    let unknown = uuid::Uuid::now_v7();
    for (field, value) in [
        ("accountId", json!(theirs)),
        ("accountId", json!(unknown)),
        ("accountId", json!("x")),
        ("ownerId", json!(eve.user())),
        ("ownerId", json!(unknown)),
    ] {
        let fields = json!({ "lastName": "N", field: value });
        let refused = ada.refused(CREATE, json!({ "input": { "contact": fields } }), "BAD_USER_INPUT").await;
        assert!(refused["extensions"]["fields"][field].is_string(), "{field}: {refused}");
    }
    let id = contact(&ada, json!({ "lastName": "N", "accountId": ours, "ownerId": ada.user() })).await;
    let linked = "accountId account { name } owner { email }";
    let expected = json!({ "accountId": ours, "account": { "name": "A" }, "owner": { "email": "ada@first.test" } });
    assert_eq!(read(&ada, &id, linked).await, expected);
    // a deleted account is shown as none, and the link stays for when it comes back
    ada.delete(&format!("/accounts/{ours}")).await.expect(StatusCode::OK);
    assert_eq!(read(&ada, &id, "accountId account { name }").await, json!({ "accountId": ours, "account": null }));
    let refused = ada
        .refused(CREATE, json!({ "input": { "contact": { "lastName": "M", "accountId": ours } } }), "BAD_USER_INPUT")
        .await;
    assert!(refused["extensions"]["fields"]["accountId"].is_string(), "{refused}");
    updated(&ada, &id, None, json!({ "city": "X" })).await;
    ada.data("mutation($id: ID!) { restoreAccount(input: { id: $id }) { account { id } } }", json!({ "id": ours }))
        .await;
    assert_eq!(read(&ada, &id, "account { name }").await, json!({ "account": { "name": "A" } }));
}

#[tokio::test]
async fn the_history_has_one_row_per_change_with_what_was_before() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let id = contact(&ada, json!({ "lastName": "Hopper" })).await;
    updated(&ada, &id, None, json!({ "city": "Boston", "tags": ["a"], "lastName": "Hopper" })).await;
    ada.put(&format!("/contacts/{id}"), json!({ "city": "Arlington" })).await.data();
    ada.data(DELETE, json!({ "input": { "id": id } })).await;
    ada.data(RESTORE, json!({ "id": id })).await;
    let query = format!(
        "SELECT json_build_object('version', version, 'origin', origin, 'user', actor->>'user', 'before', before, 'after', after)::text AS value
           FROM record_changes WHERE record_id = '{id}' ORDER BY version"
    );
    let rows: Vec<Value> = sql::texts(&server.database.db, &query)
        .await
        .iter()
        .map(|row| serde_json::from_str(row).expect("JSON"))
        .collect();
    let row = |version: i32, origin: &str, before: Value, after: Value| json!({ "version": version, "origin": origin, "user": ada.user(), "before": before, "after": after });
    assert_eq!(
        rows,
        [
            row(2, "graphql", json!({ "city": null, "tags": [] }), json!({ "city": "Boston", "tags": ["a"] })),
            row(3, "rest", json!({ "city": "Boston" }), json!({ "city": "Arlington" })),
            row(4, "graphql", json!({ "deleted": false }), json!({ "deleted": true })),
            row(5, "graphql", json!({ "deleted": true }), json!({ "deleted": false })),
        ]
    );
}
