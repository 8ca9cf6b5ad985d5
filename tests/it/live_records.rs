//! Live changes of many records at once, as an import makes them.

use std::sync::Arc;

use kontor::{
    base::ids::{AccountId, UserId},
    crm::RecordKind,
    graphql::loaders::{Coming, Loaders, OfRecord},
};
use reqwest::{Method, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::support::{
    live::Live,
    server::{Client, TestServer},
    sql,
};

const CHANGES: &str =
    "subscription($after: String) { recordChanged(kind: CONTACT, after: $after) { cursor recordId record {
    displayName owner { fullName } history(first: 1) { totalCount }
    ... on Contact { lastName account { name owner { fullName } } } } } }";
const CURSORS: &str =
    "subscription($after: String) { recordChanged(kind: CONTACT, after: $after) { cursor recordId } }";
/// More than two loads.
const ROWS: usize = 450;

async fn account(ada: &Client, name: &str) -> String {
    let create = "mutation($a: AccountInput!) { createAccount(input: { account: $a }) { account { id } } }";
    let made = ada.data(create, json!({ "a": { "name": name, "ownerId": ada.user() } })).await;
    made["createAccount"]["account"]["id"].as_str().expect("an id").to_owned()
}

async fn import(server: &TestServer, ada: &Client, account: &str) {
    let mut rows = "last name,email,accountId,ownerId\n".to_owned();
    for row in 0..ROWS {
        rows.push_str(&format!("Number {row},{row}@example.com,{account},{}\n", ada.user()));
    }
    let form = format!(
        "--b\r\nContent-Disposition: form-data; name=\"entity_type\"\r\n\r\ncontacts\r\n\
         --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n{rows}\r\n--b--\r\n"
    );
    let with =
        |request: reqwest::RequestBuilder| request.header(CONTENT_TYPE, "multipart/form-data; boundary=b").body(form);
    let job = ada.send(Method::POST, "/import", with).await.expect(StatusCode::CREATED);
    server.jobs_done().await;
    let job = ada.get(&format!("/import/{}", job["id"].as_str().expect("an id"))).await.body;
    assert_eq!(job["successful_rows"], ROWS, "{job}");
    server.events_logged().await;
}

async fn told(live: &mut Live, count: usize) -> Vec<Value> {
    let mut changes = Vec::new();
    while changes.len() < count {
        changes.push(live.next().await["recordChanged"].clone());
    }
    changes
}

#[tokio::test]
async fn a_bulk_change_is_told_record_by_record_from_wherever_one_was() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let start = server.cursor().await;
    let acme = account(&ada, "Acme").await;
    import(&server, &ada, &acme).await;
    let bulk = sql::number(&server.database.db, "SELECT max(cardinality(record_ids))::int8 AS value FROM events").await;
    assert_eq!(bulk, ROWS as i64, "one event");

    let whole = told(&mut ada.subscribe(CHANGES, json!({ "after": start })).await, ROWS).await;
    let names: Vec<_> = whole.iter().map(|change| change["record"]["lastName"].as_str().expect("a name")).collect();
    assert_eq!(names, (0..ROWS).map(|row| format!("Number {row}")).collect::<Vec<_>>());
    let owner = json!({ "fullName": "Ada of First" });
    for change in &whole {
        let record = &change["record"];
        assert_eq!((&record["owner"], &record["account"]), (&owner, &json!({ "name": "Acme", "owner": owner })));
        assert_eq!(record["history"]["totalCount"], 0);
    }
    let cursors = |changes: &[Value]| {
        changes.iter().map(|change| (change["cursor"].clone(), change["recordId"].clone())).collect::<Vec<_>>()
    };
    for seen in [1, 199, 200, 201, 449] {
        let after = json!({ "after": whole[seen - 1]["cursor"] });
        let rest = told(&mut ada.subscribe(CURSORS, after.clone()).await, ROWS - seen).await;
        assert_eq!(cursors(&rest), cursors(&whole[seen..]));
    }
    // and goes on with what comes then
    let mut live = ada.subscribe(CURSORS, json!({ "after": whole[400]["cursor"] })).await;
    told(&mut live, ROWS - 401).await;
    ada.data("mutation { createContact(input: { contact: { lastName: \"Last\" } }) { contact { id } } }", json!({}))
        .await;
    told(&mut live, 1).await;
}

/// What a loader has in store is seen by what it does not notice any more.
#[tokio::test]
async fn what_comes_next_is_loaded_together() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (one, two) = (account(&ada, "One").await, account(&ada, "Two").await);
    let caller = Arc::new(ada.caller());
    let id = |text: &str| text.parse::<AccountId>().expect("an id");
    let coming = |account: Option<&str>, owner| Coming {
        record: OfRecord { kind: RecordKind::Contact, id: uuid::Uuid::now_v7() },
        people: [owner, None],
        account: account.map(id),
    };
    let records = [coming(Some(&one), None), coming(Some(&two), None)];
    let rename = async |name: &str| {
        let query = "mutation($id: ID!, $name: String!) { updateAccount(input: { id: $id, patch: { name: $name } }) { account { id } } }";
        ada.data(query, json!({ "id": two, "name": name })).await;
    };
    let name = async |loaders: &Loaders, account: &str| {
        loaders.linked.load_one(id(account)).await.expect("loaded").expect("there").name
    };

    let loaders = Loaders::keeping(&server.ctx, &caller);
    loaders.look_ahead(records.into_iter());
    assert_eq!(name(&loaders, &one).await, "One");
    rename("Zwei").await;
    assert_eq!(name(&loaders, &two).await, "Two", "it came with the first");
    let owner = loaders.users.load_one(ada.user()).await.expect("loaded").expect("there");
    assert_eq!(owner.full_name, "Ada of First");
    // what does not exist is looked for by itself
    assert!(loaders.users.load_one(UserId::new()).await.expect("loaded").is_none());
    loaders.look_ahead(records.into_iter());
    assert_eq!(name(&loaders, &two).await, "Zwei", "the next records come as they are then");

    // a mutation must see what the one before it did
    let loaders = Loaders::new(&server.ctx, &caller);
    assert_eq!(name(&loaders, &two).await, "Zwei");
    rename("Due").await;
    assert_eq!(name(&loaders, &two).await, "Due");
}
