//! What changed in a record: told live with its values, and kept as a history.

use kontor::auth::Role;
use reqwest::{Method, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::support::server::{Client, TestServer};

const CREATE: &str = "mutation($c: ContactInput!) { createContact(input: { contact: $c }) { contact { id } } }";
const UPDATE: &str =
    "mutation($id: ID!, $c: ContactInput!) { updateContact(input: { id: $id, patch: $c }) { contact { version } } }";
const LIVE: &str = "subscription($after: String) { recordChanged(kind: CONTACT, after: $after) {
    action recordId actor { kind userId } changes { field before after version origin actor { kind userId } } } }";
const HISTORY: &str = "query($id: ID!, $first: Int, $after: String) { contact(id: $id) { history(first: $first, after: $after) {
    totalCount nodes { field before after version origin actor { kind userId } } pageInfo { hasNextPage endCursor } } } }";

async fn create(client: &Client, contact: Value) -> String {
    let made = client.data(CREATE, json!({ "c": contact })).await;
    made["createContact"]["contact"]["id"].as_str().expect("an id").to_owned()
}

async fn update(client: &Client, id: &str, patch: Value) {
    client.data(UPDATE, json!({ "id": id, "c": patch })).await;
}

/// Field, before and after of each change, in order.
fn values(changes: &Value) -> Vec<(&str, &Value, &Value)> {
    let changes = changes.as_array().expect("a list");
    changes.iter().map(|one| (one["field"].as_str().expect("a name"), &one["before"], &one["after"])).collect()
}

#[tokio::test]
async fn a_change_is_told_with_what_was_before_and_after() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let mut live = ada.subscribe(LIVE, json!({ "after": server.cursor().await })).await;
    let account = ada
        .data("mutation { createAccount(input: { account: { name: \"Acme\" } }) { account { id } } }", json!({}))
        .await["createAccount"]["account"]["id"]
        .clone();
    let id = create(&ada, json!({ "lastName": "Lovelace", "email": "ada@example.com" })).await;
    update(
        &ada,
        &id,
        json!({ "email": "Ada.L@example.com", "status": "CUSTOMER", "tags": ["vip"], "accountId": account }),
    )
    .await;
    // what was told of the first is not overtaken by the second
    update(&ada, &id, json!({ "email": null, "lastContactDate": "2026-01-31T09:30:00.5Z" })).await;
    ada.data("mutation($id: ID!) { deleteContact(input: { id: $id }) { deletedId } }", json!({ "id": id })).await;

    let told = live.next().await["recordChanged"].clone();
    assert_eq!((&told["action"], &told["changes"]), (&json!("CREATED"), &json!([])));
    let told = live.next().await["recordChanged"].clone();
    assert_eq!((&told["action"], &told["recordId"]), (&json!("UPDATED"), &json!(id)));
    let null = Value::Null;
    assert_eq!(
        values(&told["changes"]),
        [
            ("email", &json!("ada@example.com"), &json!("ada.l@example.com")),
            ("accountId", &null, &account),
            ("status", &json!("ACTIVE"), &json!("CUSTOMER")),
            ("tags", &json!([]), &json!(["vip"])),
        ]
    );
    let change = &told["changes"][0];
    assert_eq!((&change["version"], &change["origin"]), (&json!(2), &json!("graphql")));
    assert_eq!(change["actor"], json!({ "kind": "user", "userId": ada.user() }));
    let told = live.next().await["recordChanged"].clone();
    assert_eq!(
        values(&told["changes"]),
        [("email", &json!("ada.l@example.com"), &null), ("lastContactDate", &null, &json!("2026-01-31T09:30:00.500Z")),]
    );
    let told = live.next().await["recordChanged"].clone();
    assert_eq!((&told["action"], &told["changes"]), (&json!("DELETED"), &json!([])));
}

#[tokio::test]
async fn an_import_tells_what_it_changed_in_each_record() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let one = create(&ada, json!({ "lastName": "One", "email": "one@example.com", "city": "Rome" })).await;
    let two = create(&ada, json!({ "lastName": "Two", "email": "two@example.com" })).await;
    create(&ada, json!({ "lastName": "Same", "email": "same@example.com" })).await;
    let mut live = ada.subscribe(LIVE, json!({ "after": server.cursor().await })).await;
    // the last row changes again what the first one did
    let rows = "email,last name,city\none@example.com,One,Oslo\ntwo@example.com,Zwei,Bern\nsame@example.com,Same,\none@example.com,Uno,Lima\n";
    let form = format!(
        "--b\r\nContent-Disposition: form-data; name=\"entity_type\"\r\n\r\ncontacts\r\n\
         --b\r\nContent-Disposition: form-data; name=\"import_options\"\r\n\r\n{{\"update_existing\": true}}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n{rows}\r\n--b--\r\n"
    );
    let with =
        |request: reqwest::RequestBuilder| request.header(CONTENT_TYPE, "multipart/form-data; boundary=b").body(form);
    let job = ada.send(Method::POST, "/import", with).await.expect(StatusCode::CREATED);
    let mut told = Vec::new();
    for _ in 0..3 {
        let change = live.next().await["recordChanged"].clone();
        assert_eq!((&change["action"], &change["actor"]["kind"]), (&json!("UPDATED"), &json!("import")), "{change}");
        told.push((change["recordId"].as_str().expect("an id").to_owned(), change["changes"].clone()));
    }
    told.sort_by(|a, b| (&a.0, a.1[0]["version"].as_i64()).cmp(&(&b.0, b.1[0]["version"].as_i64())));
    let shown: Vec<_> = told.iter().map(|(id, changes)| (id.as_str(), values(changes))).collect();
    let null = Value::Null;
    assert_eq!(
        shown,
        [
            (one.as_str(), vec![("city", &json!("Rome"), &json!("Oslo"))]),
            (one.as_str(), vec![("lastName", &json!("One"), &json!("Uno")), ("city", &json!("Oslo"), &json!("Lima"))]),
            (two.as_str(), vec![("lastName", &json!("Two"), &json!("Zwei")), ("city", &null, &json!("Bern"))]),
        ]
    );
    assert_eq!(told[0].1[0]["origin"], "import");
    server.jobs_done().await;
    let job = ada.get(&format!("/import/{}", job["id"].as_str().expect("an id"))).await.body;
    assert_eq!((&job["successful_rows"], &job["failed_rows"]), (&json!(4), &json!(0)), "{job}");
}

#[tokio::test]
async fn a_record_has_its_history_page_by_page() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let cora = ada.invite_role(Role::Manager).await;
    let id = create(&ada, json!({ "lastName": "Lovelace" })).await;
    let page = async |first: i32, after: Option<&str>| {
        let variables = json!({ "id": id, "first": first, "after": after });
        ada.data(HISTORY, variables).await["contact"]["history"].clone()
    };
    let empty = page(10, None).await;
    assert_eq!((&empty["totalCount"], &empty["nodes"]), (&json!(0), &json!([])));

    update(&ada, &id, json!({ "city": "Rome", "title": "Countess" })).await;
    cora.put(&format!("/contacts/{id}"), json!({ "city": "Oslo" })).await.data();
    ada.data("mutation($id: ID!) { deleteContact(input: { id: $id }) { deletedId } }", json!({ "id": id })).await;
    ada.data("mutation($id: ID!) { restoreContact(input: { id: $id }) { contact { id } } }", json!({ "id": id })).await;
    update(&ada, &id, json!({ "city": null })).await;

    let whole = page(10, None).await;
    let null = Value::Null;
    let expected = [
        ("city", &json!("Oslo"), &null),
        ("city", &json!("Rome"), &json!("Oslo")),
        ("city", &null, &json!("Rome")),
        ("title", &null, &json!("Countess")),
    ];
    assert_eq!(values(&whole["nodes"]), expected);
    assert_eq!(whole["totalCount"], 4);
    let second = &whole["nodes"][1];
    assert_eq!((&second["origin"], &second["actor"]["userId"]), (&json!("rest"), &json!(cora.user())));
    let versions: Vec<_> = (0..4).map(|at| whole["nodes"][at]["version"].as_i64().expect("a number")).collect();
    assert_eq!(versions, [6, 3, 2, 2]);

    let (mut walked, mut after) = (Vec::new(), None::<String>);
    loop {
        let one = page(1, after.as_deref()).await;
        walked.extend(one["nodes"].as_array().expect("a list").clone());
        if one["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = one["pageInfo"]["endCursor"].as_str().map(str::to_owned);
    }
    assert_eq!(json!(walked), whole["nodes"]);
    ada.refused(HISTORY, json!({ "id": id, "after": "nonsense" }), "BAD_USER_INPUT").await;
    ada.refused(HISTORY, json!({ "id": id, "first": 501 }), "BAD_USER_INPUT").await;
    let stranger = server.other_workspace().await;
    assert_eq!(stranger.data(HISTORY, json!({ "id": id })).await["contact"], Value::Null);
}

#[tokio::test]
async fn the_histories_of_a_page_of_records_keep_apart() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    for number in 0..5 {
        let id = create(&ada, json!({ "lastName": format!("L{number}") })).await;
        for city in 0..number {
            update(&ada, &id, json!({ "city": format!("C{city}") })).await;
        }
    }
    let query = "{ contacts(first: 10) { nodes { lastName history(first: 2) { totalCount nodes { after } } } }
        record(kind: CONTACT, id: \"00000000-0000-0000-0000-000000000000\") { history(first: 1) { totalCount } } }";
    let contacts = ada.data(query, json!({})).await["contacts"]["nodes"].clone();
    let history = |count: i64, cities: &[&str]| {
        let nodes: Vec<_> = cities.iter().map(|city| json!({ "after": city })).collect();
        json!({ "totalCount": count, "nodes": nodes })
    };
    let expected = [
        history(4, &["C3", "C2"]),
        history(3, &["C2", "C1"]),
        history(2, &["C1", "C0"]),
        history(1, &["C0"]),
        history(0, &[]),
    ];
    let shown: Vec<_> = contacts.as_array().expect("a list").iter().map(|contact| contact["history"].clone()).collect();
    assert_eq!(shown, expected);
}
