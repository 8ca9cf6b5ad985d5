//! Live changes of the records that criteria mean, of every kind.

use std::collections::BTreeSet;

use kontor::{
    auth::Role,
    crm::{Account, Contact, Deal, Lead, Product, Task, record::Record},
};
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

/// Follows the records of a kind that these criteria mean.
async fn follow(client: &Client, kind: &str, criteria: &Value, after: &str) -> Live {
    let query = format!(
        "subscription($where: RecordCriteria, $after: String) {{
            recordChanged(kind: {kind}, where: $where, after: $after) {{ cursor action recordId }} }}"
    );
    client.subscribe(&query, json!({ "where": criteria, "after": after })).await
}

/// Changes a record of a kind, which is named as in the fields of the schema.
async fn change(client: &Client, kind: &str, id: &str, patch: &Value) {
    let name = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]);
    let update = format!(
        "mutation($id: ID!, $p: {name}Input!) {{ update{name}(input: {{ id: $id, patch: $p }}) {{ {kind} {{ id }} }} }}"
    );
    client.data(&update, json!({ "id": id, "p": patch })).await;
}

#[tokio::test]
async fn records_of_every_kind_are_told_as_they_come_stay_and_go() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (person, thing, task) = (json!({ "lastName": "N" }), json!({ "name": "N" }), json!({ "title": "N" }));
    // the kind; two of its records; what is asked; what lets one in, and out; what matters to nobody
    let cases = [
        (
            "lead",
            two::<Lead>(&server, &ada, &person).await,
            compare("status", "EQ", "qualified"),
            json!({ "status": "QUALIFIED" }),
            json!({ "status": "UNQUALIFIED" }),
            "company",
        ),
        (
            "contact",
            two::<Contact>(&server, &ada, &person).await,
            compare("city", "EQ", "Riga"),
            json!({ "city": "Riga" }),
            json!({ "city": null }),
            "title",
        ),
        (
            "account",
            two::<Account>(&server, &ada, &thing).await,
            compare("annualRevenue", "GT", "1000"),
            json!({ "annualRevenue": "1000.01" }),
            json!({ "annualRevenue": null }),
            "industry",
        ),
        (
            "deal",
            two::<Deal>(&server, &ada, &thing).await,
            compare("amount", "GTE", "1000"),
            json!({ "amount": "1000" }),
            json!({ "amount": "999.99" }),
            "nextStep",
        ),
        (
            "product",
            two::<Product>(&server, &ada, &thing).await,
            json!({ "compare": { "field": "stockQuantity", "op": "BETWEEN", "values": [1, 5] } }),
            json!({ "stockQuantity": 5 }),
            json!({ "stockQuantity": 6 }),
            "category",
        ),
        (
            "task",
            two::<Task>(&server, &ada, &task).await,
            compare("dueDate", "ON", "2031-01-31"),
            json!({ "dueDate": "2031-01-31T23:59:59Z" }),
            json!({ "dueDate": "2031-02-01T00:00:00Z" }),
            "notes",
        ),
    ];
    let kinds = ada.data("{ __type(name: \"RecordKind\") { enumValues { name } } }", json!({})).await;
    let known = kinds["__type"]["enumValues"].as_array().expect("values").iter();
    let known: BTreeSet<_> = known.map(|value| value["name"].as_str().expect("a name").to_lowercase()).collect();
    assert_eq!(cases.iter().map(|(kind, ..)| (*kind).to_owned()).collect::<BTreeSet<_>>(), known);
    for (kind, [id, witness], criteria, comes, goes, beside) in cases {
        change(&ada, kind, &witness, &comes).await;
        let after = server.cursor().await;
        let mut live = follow(&ada, &kind.to_uppercase(), &criteria, &after).await;
        let mut is = async |action: &str, record: &str| {
            let (told, of, _) = next(&mut live).await;
            assert_eq!((kind, told.as_str(), of.as_str()), (kind, action, record));
        };
        let beside = |text: &str| json!({ beside: text });
        // what is not told was looked at by the time the witness is told of
        change(&ada, kind, &id, &beside("a")).await;
        change(&ada, kind, &witness, &beside("a")).await;
        is("UPDATED", &witness).await;
        for patch in [&comes, &beside("b"), &goes] {
            change(&ada, kind, &id, patch).await;
            is("UPDATED", &id).await;
        }
        change(&ada, kind, &id, &beside("c")).await;
        change(&ada, kind, &witness, &beside("c")).await;
        is("UPDATED", &witness).await;
        change(&ada, kind, &id, &comes).await;
        is("UPDATED", &id).await;
        let name = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]);
        let deleting = format!("mutation($id: ID!) {{ delete{name}(input: {{ id: $id }}) {{ deletedId }} }}");
        let restoring = format!("mutation($id: ID!) {{ restore{name}(input: {{ id: $id }}) {{ {kind} {{ id }} }} }}");
        for (mutation, action) in [(&deleting, "DELETED"), (&restoring, "RESTORED")] {
            ada.data(mutation, json!({ "id": id })).await;
            is(action, &id).await;
        }
    }
}

async fn two<R: Record>(server: &TestServer, client: &Client, fields: &Value) -> [String; 2] {
    [made::<R>(server, client, fields.clone()).await, made::<R>(server, client, fields.clone()).await]
}

/// By the stage that a deal is on, whose name and type are those of now; one by one and many at once.
#[tokio::test]
async fn a_deal_comes_and_goes_with_its_stage() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let create = "mutation { createPipeline(input: { name: \"P\", stages: [
        { name: \"Talks\", type: OPEN, probability: 10 }, { name: \"Signed\", type: WON }] }) {
        pipeline { stages { id } } } }";
    let stages = ada.data(create, json!({})).await["createPipeline"]["pipeline"]["stages"].take();
    let (talks, signed) = (json!({ "stageId": stages[0]["id"] }), json!({ "stageId": stages[1]["id"] }));
    let mut deals = Vec::new();
    for amount in ["50", "2000", "3000"] {
        let fields = json!({ "name": "D", "amount": amount, "stageId": stages[0]["id"] });
        deals.push(made::<Deal>(&server, &ada, fields).await);
    }
    let won = json!({ "all": [compare("stageType", "EQ", "won"), compare("amount", "GT", "1000")] });
    let after = server.cursor().await;
    let mut live = follow(&ada, "DEAL", &won, &after).await;
    // the small one is never meant
    change(&ada, "deal", &deals[0], &signed).await;
    change(&ada, "deal", &deals[1], &signed).await;
    assert_eq!(next(&mut live).await.1, deals[1]);
    change(&ada, "deal", &deals[1], &talks).await;
    assert_eq!(next(&mut live).await.1, deals[1]);
    // what is not told was looked at by the time the witness is told of
    change(&ada, "deal", &deals[1], &json!({ "nextStep": "Call" })).await;
    let witness = json!({ "name": "W", "amount": "1001", "stageId": stages[1]["id"] });
    let witness = made::<Deal>(&server, &ada, witness).await;
    let (action, id, _) = next(&mut live).await;
    assert_eq!((action.as_str(), &id), ("CREATED", &witness));
    let bulk = "mutation($input: BulkUpdateInput!) { bulkUpdate(input: $input) { matched } }";
    for stage in [&signed, &talks] {
        let input = json!({ "kind": "DEAL", "ids": deals, "patch": { "deal": stage } });
        ada.data(bulk, json!({ "input": input })).await;
        server.jobs_done().await;
        let mut told = BTreeSet::new();
        for _ in 0..2 {
            let (action, id, _) = next(&mut live).await;
            assert_eq!(action, "UPDATED");
            told.insert(id);
        }
        assert_eq!(told, deals[1..].iter().cloned().collect());
    }
    // and then nothing more of them
    change(&ada, "deal", &deals[2], &json!({ "nextStep": "Call" })).await;
    change(&ada, "deal", &witness, &json!({ "nextStep": "Call" })).await;
    assert_eq!(next(&mut live).await.1, witness);
}
