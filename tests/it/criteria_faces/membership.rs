//! Members of lists by criteria, in an order, and why.

use kontor::{auth::Role, crm::Contact};
use serde_json::{Value, json};

use super::{compare, ids, list, made};
use crate::support::server::TestServer;

const MOVE: &str =
    "{ contactList { contactCount } results { contactId outcome } changedCount alreadyCount missingCount } }";

#[tokio::test]
async fn contacts_are_added_and_removed_by_criteria_with_their_counts() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let mut riga = Vec::new();
    for city in ["Riga", "Oslo", "Riga", "Riga"] {
        let id = made::<Contact>(&server, &ada, json!({ "lastName": "N", "city": city })).await;
        riga.extend((city == "Riga").then_some(id));
    }
    let id = list(&ada, json!({ "name": "L", "contactIds": [riga[0]] })).await;
    let add = format!("mutation($input: ListMembersInput!) {{ addContactsToList(input: $input) {MOVE}");
    let remove = format!("mutation($input: ListMembersInput!) {{ removeContactsFromList(input: $input) {MOVE}");
    let input = json!({ "id": id, "where": compare("city", "EQ", "Riga"), "clientMutationId": "one" });
    for times in 0..2 {
        let mut told = ada.data(&add, json!({ "input": input })).await["addContactsToList"].take();
        let mut outcomes: Vec<_> = told["results"].take().as_array().expect("results").clone();
        outcomes.sort_by_key(|one| riga.iter().position(|id| one["contactId"] == **id));
        let outcomes: Vec<_> = outcomes.iter().map(|one| one["outcome"].clone()).collect();
        // what became of each is told once
        assert_eq!(outcomes, if times == 0 { vec!["ALREADY", "ADDED", "ADDED"] } else { vec![] });
        let expected = json!({ "contactList": { "contactCount": 3 }, "results": null, "changedCount": 2, "alreadyCount": 1,
            "missingCount": 0 });
        assert_eq!(told, expected);
    }
    let shown = "query($id: ID!) { contactList(id: $id) { contacts { edges { source } } } }";
    let sources = ada.data(shown, json!({ "id": id })).await["contactList"]["contacts"]["edges"].clone();
    assert_eq!(sources, json!([{ "source": "CRITERIA" }, { "source": "CRITERIA" }, { "source": "MANUAL" }]));
    let input = json!({ "id": id, "where": { "not": compare("city", "EQ", "Riga") } });
    let told = ada.data(&remove, json!({ "input": input })).await["removeContactsFromList"].take();
    assert_eq!([&told["changedCount"], &told["alreadyCount"]], [0, 1]);
    let told = ada.data(&remove, json!({ "input": { "id": id, "where": { "all": [] } } })).await;
    assert_eq!(told["removeContactsFromList"]["contactList"]["contactCount"], 0);
    for input in [
        json!({ "id": id }),
        json!({ "id": id, "where": { "all": [] }, "contactIds": [] }),
        json!({ "id": id, "where": { "compare": { "field": "nope", "op": "IS_EMPTY" } } }),
    ] {
        ada.refused(&add, json!({ "input": input }), "BAD_USER_INPUT").await;
    }
}

#[tokio::test]
async fn members_come_in_the_order_that_is_asked_for_page_by_page() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let mut people = Vec::new();
    for name in ["Cole", "Abel", "Dahl", "Berg"] {
        people.push(made::<Contact>(&server, &ada, json!({ "lastName": name })).await);
    }
    people.push(made::<Contact>(&server, &ada, json!({ "firstName": "Nameless" })).await);
    let id = list(&ada, json!({ "name": "L" })).await;
    let add =
        "mutation($id: ID!, $c: [ID!]) { addContactsToList(input: { id: $id, contactIds: $c }) { changedCount } }";
    // the oldest contact enters last
    for contact in people.iter().rev() {
        server.advance(chrono::TimeDelta::seconds(1));
        ada.data(add, json!({ "id": id, "c": [contact] })).await;
    }
    let query = "query($id: ID!, $order: [ListMemberOrder!], $after: String) { contactList(id: $id) {
        contacts(first: 2, after: $after, orderBy: $order) { nodes { id } pageInfo { hasNextPage endCursor } } } }";
    let read = async |order: Value| {
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let variables = json!({ "id": id, "order": order, "after": after });
            let page = ada.data(query, variables).await["contactList"]["contacts"].take();
            seen.extend(ids(&page["nodes"]));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                return seen;
            }
        }
    };
    let at = |places: [usize; 5]| places.map(|place| people[place].clone()).to_vec();
    let by = |field: &str, direction: &str| json!([{ "field": field, "direction": direction }]);
    assert_eq!(read(Value::Null).await, at([0, 1, 2, 3, 4]));
    assert_eq!(read(by("ENTERED_AT", "ASC")).await, at([4, 3, 2, 1, 0]));
    assert_eq!(read(by("CREATED_AT", "DESC")).await, at([4, 3, 2, 1, 0]));
    assert_eq!(read(by("LAST_NAME", "ASC")).await, at([1, 3, 0, 2, 4]));
    assert_eq!(read(by("LAST_NAME", "DESC")).await, at([4, 2, 0, 3, 1]));
    // a place in one order is none in another
    let first = ada.data(query, json!({ "id": id })).await;
    let after = first["contactList"]["contacts"]["pageInfo"]["endCursor"].clone();
    ada.refused(query, json!({ "id": id, "after": after, "order": by("LAST_NAME", "ASC") }), "BAD_USER_INPUT").await;
}

#[tokio::test]
async fn a_membership_is_explained_node_by_node() {
    let server = TestServer::start().await;
    let (ada, eve) = (server.admin().await, server.other_workspace().await);
    let rep = ada.invite_role(Role::SalesRep).await;
    let contact = made::<Contact>(&server, &ada, json!({ "lastName": "N", "city": "Riga" })).await;
    let criteria = json!({ "all": [compare("city", "EQ", "Riga"), { "not": { "related": { "relation": "DEALS" } } },
        compare("country", "EQ", "LV")] });
    let id = list(&ada, json!({ "name": "D", "listType": "DYNAMIC", "criteria": criteria })).await;
    server.jobs_done().await;
    let query =
        "query($l: ID!, $r: ID!) { explainMembership(listId: $l, recordId: $r) { isMember enteredAt source matches
        broken nodes { path node passed value asked } } }";
    let told = ada.data(query, json!({ "l": id, "r": contact })).await["explainMembership"].take();
    assert_eq!([&told["isMember"], &told["matches"], &told["source"]], [&json!(false), &json!(false), &Value::Null]);
    let nodes: Vec<_> = told["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .map(|node| {
            (
                node["path"].as_str().expect("a path"),
                node["passed"].as_bool().expect("an answer"),
                node["value"].clone(),
            )
        })
        .collect();
    let expected = [
        ("all", false, Value::Null),
        ("all[0].compare", true, json!("Riga")),
        ("all[1].not", true, Value::Null),
        ("all[1].not.related", false, json!(0)),
        ("all[2].compare", false, Value::Null),
    ];
    assert_eq!(nodes, expected);
    assert_eq!(told["nodes"][1]["asked"], json!({ "field": "city", "op": "EQ", "value": "Riga" }));
    // of a static one, how it came in
    let chosen = list(&ada, json!({ "name": "S", "contactIds": [contact] })).await;
    let told = ada.data(query, json!({ "l": chosen, "r": contact })).await["explainMembership"].take();
    assert_eq!([&told["isMember"], &told["source"], &told["matches"]], [&json!(true), &json!("MANUAL"), &Value::Null]);
    assert!(told["enteredAt"].is_string() && told["nodes"] == json!([]), "{told}");
    // for whoever sees both
    let theirs = made::<Contact>(&server, &eve, json!({ "lastName": "E" })).await;
    ada.refused(query, json!({ "l": id, "r": theirs }), "NOT_FOUND").await;
    eve.refused(query, json!({ "l": id, "r": theirs }), "NOT_FOUND").await;
    rep.refused(query, json!({ "l": id, "r": contact }), "NOT_FOUND").await;
    server.stranger().refused(query, json!({ "l": id, "r": contact }), "UNAUTHENTICATED").await;
}
