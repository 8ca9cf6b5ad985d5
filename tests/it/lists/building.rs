//! Dynamic lists: criteria are checked when they are kept, and the members are built from them.

use kontor::crm::Contact;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{CREATE, contacts, held, list, text};
use crate::support::{records::make_record, server::TestServer, sql};

#[tokio::test]
async fn the_members_are_those_that_match_and_follow_an_edit_and_a_refresh() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let mut ids = Vec::new();
    for (name, city) in [("A", "Riga"), ("B", "Bergen"), ("C", "riga")] {
        let fields = json!({ "lastName": name, "city": city });
        ids.push(make_record::<Contact>(&server.ctx, &ada.caller(), fields).await.id.to_string());
    }
    let of = |city: &str| json!({ "compare": { "field": "city", "op": "EQ", "value": city } });
    let id = list(&ada, json!({ "name": "D", "listType": "DYNAMIC", "criteria": of("Riga") })).await;
    server.jobs_done().await;
    assert_eq!(held(&ada, &id).await, (2, vec![ids[2].clone(), ids[0].clone()]));
    let update =
        "mutation($input: UpdateContactListInput!) { updateContactList(input: $input) { contactList { id } } }";
    ada.data(update, json!({ "input": { "id": id, "criteria": { "not": of("Riga") } } })).await;
    server.jobs_done().await;
    assert_eq!(held(&ada, &id).await, (1, vec![ids[1].clone()]));
    // who came and went since is met by a refresh
    ada.put(&format!("/contacts/{}", ids[0]), json!({ "city": "Oslo" })).await.data();
    let refresh = "mutation($id: ID!) { refreshContactList(input: { id: $id }) { contactList { id } } }";
    ada.data(refresh, json!({ "id": id })).await;
    server.jobs_done().await;
    assert_eq!(held(&ada, &id).await, (2, vec![ids[1].clone(), ids[0].clone()]));
    let log = "query($id: ID!) { contactList(id: $id) { entriesAndExits { totalCount nodes { entered source } } } }";
    let log = ada.data(log, json!({ "id": id })).await["contactList"]["entriesAndExits"].clone();
    assert_eq!(log["totalCount"], 6);
    assert_eq!(log["nodes"][0], json!({ "entered": true, "source": "CRITERIA_MATCH" }));
    let built = format!(
        "SELECT count(*) AS value FROM contact_lists WHERE id = '{id}' AND version = built_version AND build_job_id IS NULL"
    );
    assert_eq!(sql::number(&server.database.db, &built).await, 1);
}

#[tokio::test]
async fn criteria_that_cannot_be_asked_are_refused_with_their_path() {
    let server = TestServer::start().await;
    let (ada, eve) = (server.admin().await, server.other_workspace().await);
    let rep = ada.invite_role(kontor::auth::Role::SalesRep).await;
    let theirs = list(&eve, json!({ "name": "E" })).await;
    let private = list(&rep, json!({ "name": "P" })).await;
    for (criteria, field) in [
        (
            json!({ "all": [{ "compare": { "field": "nope", "op": "EQ", "value": 1 } }] }),
            "criteria.all[0].compare.field",
        ),
        (json!({ "compare": { "field": "city", "op": "GT", "value": 1 } }), "criteria.compare.op"),
        (json!({ "inList": theirs }), "criteria.inList"),
        // not even that it is there
        (json!({ "not": { "inList": private } }), "criteria.not.inList"),
        (json!({ "not": { "inList": "nonsense" } }), "criteria.not.inList"),
    ] {
        let input = json!({ "name": "D", "listType": "DYNAMIC", "criteria": criteria });
        let refused = ada.refused(CREATE, json!({ "input": input }), "BAD_USER_INPUT").await;
        assert!(refused["extensions"]["fields"][field].is_string(), "{field}: {refused}");
    }
    let wrong =
        json!({ "name": "D", "list_type": "dynamic", "criteria": { "nope": { "operator": "equals", "value": 1 } } });
    let answer = ada.send(Method::POST, "/contact-lists", |request| request.json(&wrong)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
}

#[tokio::test]
async fn a_circle_of_lists_is_refused_also_when_two_close_it_at_once() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let made = |name: &str| json!({ "name": name, "listType": "DYNAMIC", "criteria": { "all": [] } });
    let update = "mutation($id: ID!, $c: RecordCriteria!) { updateContactList(input: { id: $id, criteria: $c }) { contactList { id } } }";
    let (one, two, three) = (list(&ada, made("1")).await, list(&ada, made("2")).await, list(&ada, made("3")).await);
    let names = |id: &str| json!({ "any": [{ "inList": id }] });
    ada.data(update, json!({ "id": one, "c": names(&two) })).await;
    ada.data(update, json!({ "id": two, "c": names(&three) })).await;
    ada.refused(update, json!({ "id": three, "c": names(&one) }), "BAD_USER_INPUT").await;
    ada.refused(update, json!({ "id": three, "c": names(&three) }), "BAD_USER_INPUT").await;
    for round in 0..5 {
        let (left, right) =
            (list(&ada, made(&format!("l{round}"))).await, list(&ada, made(&format!("r{round}"))).await);
        let (to_right, to_left) = tokio::join!(
            ada.graphql(update, json!({ "id": left, "c": names(&right) })),
            ada.graphql(update, json!({ "id": right, "c": names(&left) }))
        );
        let refused = [&to_right, &to_left].iter().filter(|answer| answer.get("errors").is_some()).count();
        assert_eq!(refused, 1, "{to_right} {to_left}");
    }
}

#[tokio::test]
async fn the_old_form_is_taken_and_printed_by_rest_and_the_new_one_by_graphql() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    contacts(&server, &ada, 2).await;
    let old = json!({ "last_name": { "operator": "equals", "value": "N1" } });
    let made = ada.post("/contact-lists", json!({ "name": "D", "list_type": "dynamic", "criteria": old })).await;
    let made = made.expect(StatusCode::CREATED);
    assert_eq!(made["criteria"], old);
    server.jobs_done().await;
    assert_eq!(held(&ada, &text(&made["id"])).await.0, 1);
    let shown = ada.data("query($id: ID!) { contactList(id: $id) { criteria } }", json!({ "id": made["id"] })).await;
    assert_eq!(shown["contactList"]["criteria"]["all"][0]["compare"]["field"], "lastName");
}
