//! Live changes of the records that criteria mean.

use kontor::{auth::Role, crm::Contact};
use reqwest::{Method, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::{compare, list, made};
use crate::support::{client::Client, live::Live, server::TestServer};

const CHANGED: &str = "subscription($where: RecordCriteria, $after: String) {
    recordChanged(kind: CONTACT, where: $where, after: $after) { cursor action recordId } }";

async fn next(live: &mut Live) -> (String, String, String) {
    let change = live.next().await["recordChanged"].clone();
    let text = |name: &str| change[name].as_str().expect("a text").to_owned();
    (text("action"), text("recordId"), text("cursor"))
}

async fn update(client: &Client, id: &str, patch: Value) {
    let update =
        "mutation($id: ID!, $p: ContactInput!) { updateContact(input: { id: $id, patch: $p }) { contact { id } } }";
    client.data(update, json!({ "id": id, "p": patch })).await;
}

async fn delete(client: &Client, id: &str) {
    client.data("mutation($id: ID!) { deleteContact(input: { id: $id }) { deletedId } }", json!({ "id": id })).await;
}

/// What is told, of changes that were made before: the subscriptions begin behind them all.
async fn told(client: &Client, criteria: &Value, after: &str, count: usize) -> Vec<(String, String)> {
    let mut live = client.subscribe(CHANGED, json!({ "where": criteria, "after": after })).await;
    let mut told = Vec::new();
    for _ in 0..count {
        let (action, id, _) = next(&mut live).await;
        told.push((action, id));
    }
    told
}

#[tokio::test]
async fn records_that_match_and_those_that_stop_matching_are_told() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let riga = compare("city", "EQ", "Riga");
    let mut live = ada.subscribe(CHANGED, json!({ "where": riga, "after": server.cursor().await })).await;
    let mut is = async |action: &str, id: &str| {
        let (told, of, _) = next(&mut live).await;
        assert_eq!((told.as_str(), of.as_str()), (action, id));
    };
    let in_riga = made::<Contact>(&server, &ada, json!({ "lastName": "R", "city": "Riga" })).await;
    is("CREATED", &in_riga).await;
    // never told of
    let in_oslo = made::<Contact>(&server, &ada, json!({ "lastName": "O", "city": "Oslo" })).await;
    update(&ada, &in_oslo, json!({ "title": "T" })).await;
    update(&ada, &in_riga, json!({ "title": "T" })).await;
    is("UPDATED", &in_riga).await;
    // comes
    update(&ada, &in_oslo, json!({ "city": "riga" })).await;
    is("UPDATED", &in_oslo).await;
    // goes, and is told of no more
    update(&ada, &in_riga, json!({ "city": null, "tags": ["x"] })).await;
    is("UPDATED", &in_riga).await;
    update(&ada, &in_riga, json!({ "title": "U" })).await;
    delete(&ada, &in_riga).await;
    // goes for good
    delete(&ada, &in_oslo).await;
    is("DELETED", &in_oslo).await;
}

/// The search text, by which names are found, is that of now.
#[tokio::test]
async fn a_name_that_was_is_not_looked_for_in_what_the_record_is() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let id = made::<Contact>(&server, &ada, json!({ "lastName": "Hopper", "phone": "+49 40 1234567" })).await;
    for (patch, criteria) in [
        (json!({ "lastName": "Murray" }), compare("lastName", "CONTAINS", "hopp")),
        (json!({ "phone": "+49 40 7654321" }), compare("phone", "EQ", "0049 40 1234567")),
    ] {
        let after = server.cursor().await;
        update(&ada, &id, patch).await;
        let told = told(&ada, &criteria, &after, 1).await;
        assert_eq!(told, [("UPDATED".to_owned(), id.clone())], "{criteria}");
    }
}

#[tokio::test]
async fn a_record_is_looked_at_as_it_was_whatever_its_fields_hold() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let define = |label: &str, kind: &str, indexed: bool| {
        format!(
            "mutation {{ createCustomField(input: {{ kind: CONTACT, label: \"{label}\", type: {kind}, isIndexed: {indexed} }}) {{ customField {{ key }} }} }}"
        )
    };
    let key =
        ada.data(&define("Plan", "TEXT", true), json!({})).await["createCustomField"]["customField"]["key"].clone();
    let key = key.as_str().expect("a key");
    let create = "mutation($c: ContactInput!) { createContact(input: { contact: $c }) { contact { id } } }";
    let fields = json!({ "lastName": "N", "tags": ["vip"], "lastContactDate": "2026-01-31T09:30:00Z", "ownerId": ada.user(),
        "customFields": { key: "gold" } });
    let id = ada.data(create, json!({ "c": fields })).await["createContact"]["contact"]["id"].clone();
    let id = id.as_str().expect("an id");
    let start = server.cursor().await;
    update(
        &ada,
        id,
        json!({ "tags": [], "lastContactDate": null, "ownerId": null, "customFields": { key: "silver" } }),
    )
    .await;
    server.events_logged().await;
    for criteria in [
        json!({ "compare": { "field": "tags", "op": "HAS_ANY", "values": ["VIP"] } }),
        compare("lastContactDate", "ON", "2026-01-31"),
        compare("ownerId", "EQ", &ada.user().to_string()),
        json!({ "compare": { "field": "ownerId", "op": "IS_ME" } }),
        compare(&format!("custom.{key}"), "EQ", "gold"),
        compare(&format!("custom.{key}"), "EQ", "silver"),
    ] {
        assert_eq!(told(&ada, &criteria, &start, 1).await, [("UPDATED".to_owned(), id.to_owned())], "{criteria}");
    }
}

#[tokio::test]
async fn every_subscriber_is_told_by_what_they_are_and_see() {
    let server = TestServer::start().await;
    let (ada, eve) = (server.admin().await, server.other_workspace().await);
    let reps = [ada.invite_role(Role::SalesRep).await, ada.invite_role(Role::SalesRep).await];
    let mine = json!({ "compare": { "field": "ownerId", "op": "IS_ME" } });
    let start = server.cursor().await;
    let mut lives = Vec::new();
    for rep in &reps {
        // the same document and the same rights
        lives.push(rep.subscribe(CHANGED, json!({ "where": mine, "after": start })).await);
    }
    made::<Contact>(&server, &eve, json!({ "lastName": "E", "ownerId": eve.user() })).await;
    for (rep, live) in reps.iter().zip(&mut lives).rev() {
        let id = made::<Contact>(&server, rep, json!({ "lastName": "N", "ownerId": rep.user() })).await;
        assert_eq!(next(live).await.1, id);
    }
    // a list that one does not see
    let private = list(&reps[0], json!({ "name": "P" })).await;
    let in_it = json!({ "where": { "inList": private }, "after": start });
    let mut own = reps[0].subscribe(CHANGED, in_it.clone()).await;
    assert_eq!(reps[1].subscribe(CHANGED, in_it).await.refused().await, "BAD_USER_INPUT");
    let contact = made::<Contact>(&server, &reps[0], json!({ "lastName": "M" })).await;
    let add =
        "mutation($id: ID!, $c: [ID!]) { addContactsToList(input: { id: $id, contactIds: $c }) { changedCount } }";
    reps[0].data(add, json!({ "id": private, "c": [contact] })).await;
    update(&reps[0], &contact, json!({ "title": "T" })).await;
    // told of its creation, too, where the event is looked at when it is in the list already
    assert_eq!(next(&mut own).await.1, contact);
    let wrong = json!({ "where": { "all": [{ "compare": { "field": "nope", "op": "IS_EMPTY" } }] } });
    assert_eq!(ada.subscribe(CHANGED, wrong).await.refused().await, "BAD_USER_INPUT");
    let stranger = server.stranger();
    assert_eq!(stranger.subscribe(CHANGED, json!({ "where": mine })).await.refused().await, "UNAUTHENTICATED");
}

/// One event of more records than are loaded at once.
#[tokio::test]
async fn of_a_bulk_change_those_are_told_that_are_meant() {
    const ROWS: usize = 450;
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let start = server.cursor().await;
    let mut rows = "last name,city\n".to_owned();
    for row in 0..ROWS {
        rows.push_str(&format!("N{row},{}\n", if row % 2 == 0 { "Riga" } else { "Oslo" }));
    }
    let form = format!(
        "--b\r\nContent-Disposition: form-data; name=\"entity_type\"\r\n\r\ncontacts\r\n\
         --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n{rows}\r\n--b--\r\n"
    );
    let with =
        |request: reqwest::RequestBuilder| request.header(CONTENT_TYPE, "multipart/form-data; boundary=b").body(form);
    ada.send(Method::POST, "/import", with).await.expect(StatusCode::CREATED);
    server.jobs_done().await;
    server.events_logged().await;
    let query = "subscription($where: RecordCriteria, $after: String) { recordChanged(kind: CONTACT, where: $where,
        after: $after) { cursor record { ... on Contact { lastName city } } } }";
    let variables = |after: &str| json!({ "where": compare("city", "EQ", "Riga"), "after": after });
    let mut live = ada.subscribe(query, variables(&start)).await;
    let mut middle = String::new();
    for row in 0..ROWS / 2 {
        let change = live.next().await["recordChanged"].clone();
        assert_eq!(change["record"], json!({ "lastName": format!("N{}", row * 2), "city": "Riga" }));
        if row == 100 {
            middle = change["cursor"].as_str().expect("a cursor").to_owned();
        }
    }
    // from the middle of the event on
    let mut live = ada.subscribe(query, variables(&middle)).await;
    assert_eq!(live.next().await["recordChanged"]["record"]["lastName"], "N202");
}
