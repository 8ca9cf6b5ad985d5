//! `recordChanged`: who is told what, in which order, and where one goes on after a break.

use kontor::{auth::Role, events::Cursor};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{DELETE, RESTORE, account, contact, text, updated};
use crate::support::{
    client::Client,
    live::{Live, Told},
    server::TestServer,
};

const CHANGES: &str = "subscription($kind: RecordKind!, $id: ID, $after: String) {
    recordChanged(kind: $kind, id: $id, after: $after) {
        cursor action recordId changes { field before after } actor { kind userId } record { id displayName version owner { fullName } } } }";

/// Changes of contacts from this cursor on; with an id only its own.
async fn follow(client: &Client, id: Option<&str>, after: &str) -> Live {
    client.subscribe(CHANGES, json!({ "kind": "CONTACT", "id": id, "after": after })).await
}

async fn next(live: &mut Live) -> Value {
    live.next().await["recordChanged"].take()
}

/// What happened to which record.
fn what(change: &Value) -> (String, String) {
    (text(&change["action"]), text(&change["recordId"]))
}

fn told(action: &str, id: &str) -> (String, String) {
    (action.to_owned(), id.to_owned())
}

#[tokio::test]
async fn every_change_is_told_once_in_order_with_who_did_it() {
    let server = TestServer::start().await;
    let (ada, rep) = (server.admin().await, server.admin().await.invite_role(Role::SalesRep).await);
    let start = server.cursor().await;
    let mut live = follow(&rep, None, &start).await;
    let id = contact(&ada, json!({ "lastName": "Hopper", "ownerId": ada.user() })).await;
    let created = next(&mut live).await;
    assert_eq!(what(&created), told("CREATED", &id));
    assert_eq!(created["actor"], json!({ "kind": "user", "userId": ada.user() }));
    let record = json!({ "id": id, "displayName": "Hopper", "version": 1, "owner": { "fullName": "Ada of First" } });
    assert_eq!([&created["record"], &created["changes"]], [&record, &json!([])]);

    // changes of other kinds are not told, nor updates that change nothing
    account(&ada, json!({ "name": "Navy" })).await;
    updated(&ada, &id, None, json!({ "lastName": "Hopper" })).await;
    ada.put(&format!("/contacts/{id}"), json!({ "city": "Arlington", "title": "Admiral" })).await.data();
    let change = next(&mut live).await;
    assert_eq!((what(&change), &change["record"]["version"]), (told("UPDATED", &id), &json!(2)));
    let values = json!([
        { "field": "city", "before": null, "after": "Arlington" },
        { "field": "title", "before": null, "after": "Admiral" },
    ]);
    let sorted = |changes: &Value| {
        let mut changes = changes.as_array().expect("a list").clone();
        changes.sort_by_key(|change| text(&change["field"]));
        changes
    };
    assert_eq!(sorted(&change["changes"]), sorted(&values));

    ada.data(DELETE, json!({ "input": { "id": id } })).await;
    let deleted = next(&mut live).await;
    assert_eq!((what(&deleted), &deleted["record"]), (told("DELETED", &id), &Value::Null));
    ada.data(RESTORE, json!({ "id": id })).await;
    assert_eq!(what(&next(&mut live).await), told("RESTORED", &id));

    // whoever comes from a cursor gets the rest of it, once, and what happens then
    let everything = ["CREATED", "UPDATED", "DELETED", "RESTORED"];
    let mut after = start;
    for at in 0..everything.len() {
        let mut again = follow(&rep, None, &after).await;
        let mut first = None;
        for action in &everything[at..] {
            let change = next(&mut again).await;
            assert_eq!(what(&change), told(action, &id));
            first.get_or_insert_with(|| text(&change["cursor"]));
        }
        updated(&ada, &id, None, json!({ "city": format!("C{at}") })).await;
        for subscriber in [&mut again, &mut live] {
            assert_eq!(what(&next(subscriber).await), told("UPDATED", &id), "live again");
        }
        after = first.expect("told something");
        if at + 1 == everything.len() {
            break;
        }
        // the change made meanwhile is behind those that are checked next
        let mut past = follow(&rep, None, &after).await;
        for _ in at + 1..everything.len() {
            next(&mut past).await;
        }
    }
}

#[tokio::test]
async fn a_subscriber_of_one_record_hears_of_no_other() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (one, other) =
        (contact(&ada, json!({ "lastName": "One" })).await, contact(&ada, json!({ "lastName": "Other" })).await);
    let mut live = follow(&ada, Some(&one), &server.cursor().await).await;
    for city in ["A", "B"] {
        updated(&ada, &other, None, json!({ "city": city })).await;
        updated(&ada, &one, None, json!({ "city": city })).await;
        let change = next(&mut live).await;
        assert_eq!((what(&change), &change["record"]["displayName"]), (told("UPDATED", &one), &json!("One")));
    }
}

#[tokio::test]
async fn nothing_of_another_workspace_arrives() {
    let server = TestServer::start().await;
    let (ada, eve) = (server.admin().await, server.other_workspace().await);
    let start = server.cursor().await;
    let first = contact(&ada, json!({ "lastName": "Ours" })).await;
    // by replay, live, and even by the record's id
    let mut live = follow(&eve, None, &start).await;
    let mut spy = follow(&eve, Some(&first), &start).await;
    updated(&ada, &first, None, json!({ "city": "X" })).await;
    let theirs = contact(&eve, json!({ "lastName": "Theirs" })).await;
    assert_eq!(what(&next(&mut live).await), told("CREATED", &theirs));
    updated(&ada, &first, None, json!({ "city": "Y" })).await;
    updated(&eve, &theirs, None, json!({ "city": "Y" })).await;
    assert_eq!(what(&next(&mut live).await), told("UPDATED", &theirs));
    // the spy has heard nothing by the time it is sent away
    eve.data("mutation { signOut { done } }", json!({})).await;
    contact(&server.admin().await, json!({ "lastName": "Last" })).await;
    contact_of(&server, &eve).await;
    assert_eq!(spy.hear().await, Told::Closed(4401, "Signed out".to_owned()));
}

/// One more contact of the workspace of somebody who has signed out.
async fn contact_of(server: &TestServer, somebody: &Client) {
    let fields = json!({ "lastName": "Last" });
    crate::support::records::make_record::<kontor::crm::Contact>(&server.ctx, &somebody.caller(), fields).await;
}

#[tokio::test]
async fn what_happened_at_once_is_told_one_by_one_and_resumed_in_the_middle() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let start = server.cursor().await;
    let form = "--b\r\nContent-Disposition: form-data; name=\"entity_type\"\r\n\r\ncontacts\r\n--b\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\nlast_name\na\nb\nc\nd\n\r\n--b--\r\n";
    let sent =
        |request: reqwest::RequestBuilder| request.header("content-type", "multipart/form-data; boundary=b").body(form);
    ada.send(Method::POST, "/import", sent).await.expect(StatusCode::CREATED);
    let mut live = follow(&ada, None, &start).await;
    let mut changes = Vec::new();
    for _ in 0..4 {
        changes.push(next(&mut live).await);
    }
    let names: Vec<_> = changes.iter().map(|change| text(&change["record"]["displayName"])).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    assert!(
        changes.iter().all(|change| change["actor"] == json!({ "kind": "import", "userId": ada.user() })),
        "{changes:?}"
    );
    for (at, change) in changes.iter().enumerate() {
        let mut again = follow(&ada, None, &text(&change["cursor"])).await;
        for expected in &changes[at + 1..] {
            assert_eq!(&next(&mut again).await, expected);
        }
        let id = contact(&ada, json!({ "lastName": "then" })).await;
        // later rounds get the earlier rounds' contacts first
        let mut heard = next(&mut again).await;
        for _ in 0..at {
            heard = next(&mut again).await;
        }
        assert_eq!(what(&heard), told("CREATED", &id));
    }
}

#[tokio::test]
async fn senseless_subscriptions_are_refused() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    contact(&ada, json!({ "lastName": "N" })).await;
    server.events_logged().await;
    let page = ada.data("{ contacts { edges { cursor } } }", json!({})).await;
    let beyond = Cursor::after(10_000_000).encode();
    // others who follow the same share an execution, and are not taken for an answer
    let _alone = ada.subscribe(CHANGES, json!({ "kind": "CONTACT" })).await;
    let mut other = follow(&ada, None, &server.cursor().await).await;
    contact(&ada, json!({ "lastName": "M" })).await;
    next(&mut other).await;
    for (variables, code) in [
        (json!({ "kind": "CONTACT", "after": "nonsense" }), "BAD_USER_INPUT"),
        (json!({ "kind": "CONTACT", "after": "" }), "BAD_USER_INPUT"),
        (json!({ "kind": "CONTACT", "after": page["contacts"]["edges"][0]["cursor"] }), "BAD_USER_INPUT"),
        (json!({ "kind": "CONTACT", "after": beyond }), "CURSOR_EXPIRED"),
        (json!({ "kind": "CONTACT", "id": "x" }), "BAD_USER_INPUT"),
        (json!({ "kind": "LEAD", "id": "x" }), "BAD_USER_INPUT"),
        (json!({ "kind": "NONSENSE" }), "BAD_USER_INPUT"),
    ] {
        let mut live = ada.subscribe(CHANGES, variables.clone()).await;
        assert_eq!(live.refused().await, code, "{variables}");
    }
}

#[tokio::test]
async fn who_loses_sight_of_a_lead_is_told_once() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (rep, other) = (ada.invite_role(Role::SalesRep).await, ada.invite_role(Role::SalesRep).await);
    let create = "mutation($lead: LeadInput!) { createLead(input: { lead: $lead }) { lead { id } } }";
    let make = async |owner: Value| {
        let made = ada.data(create, json!({ "lead": { "lastName": "L", "ownerId": owner } })).await;
        text(&made["createLead"]["lead"]["id"])
    };
    let [his, nobodys, hers] = [make(json!(rep.user())).await, make(Value::Null).await, make(json!(ada.user())).await];
    let start = server.cursor().await;
    let mut live = rep.subscribe(CHANGES, json!({ "kind": "LEAD", "after": start })).await;
    let filter = json!({ "compare": { "field": "lastName", "op": "EQ", "value": "L" } });
    let filtered = "subscription($after: String, $where: RecordCriteria) {
        recordChanged(kind: LEAD, after: $after, where: $where) { action recordId record { id } changes { field } } }";
    let mut meant = rep.subscribe(filtered, json!({ "after": start, "where": filter })).await;
    let update =
        "mutation($id: ID!, $patch: LeadInput!) { updateLead(input: { id: $id, patch: $patch }) { lead { id } } }";
    let change = async |id: &str, patch: Value| ada.data(update, json!({ "id": id, "patch": patch })).await;
    // away from him, from nobody, and what he never saw
    change(&hers, json!({ "ownerId": other.user() })).await;
    change(&his, json!({ "ownerId": ada.user(), "lastName": "Secret" })).await;
    change(&his, json!({ "city": "Oslo" })).await;
    change(&nobodys, json!({ "ownerId": other.user() })).await;
    // and one that comes to him
    change(&hers, json!({ "ownerId": rep.user() })).await;
    for expected in [&his, &nobodys] {
        let lost = next(&mut live).await;
        assert_eq!(what(&lost), told("UPDATED", expected));
        assert_eq!((&lost["record"], &lost["changes"]), (&Value::Null, &json!([])));
        let lost = meant.next().await["recordChanged"].take();
        assert_eq!(
            (what(&lost), &lost["record"], &lost["changes"]),
            (told("UPDATED", expected), &Value::Null, &json!([]))
        );
    }
    let came = next(&mut live).await;
    assert_eq!((what(&came), &came["record"]["id"]), (told("UPDATED", &hers), &json!(hers)));
    assert_eq!(what(&meant.next().await["recordChanged"].take()), told("UPDATED", &hers));
}

#[tokio::test]
async fn nothing_is_lost_between_reading_and_listening() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let id = contact(&ada, json!({ "lastName": "Hopper" })).await;
    let query = "query($id: ID!) { eventCursor contact(id: $id) { createdBy { fullName } history { nodes { actor { user { fullName } } } } } }";
    // as if the answer took its time
    let read = ada.data(query, json!({ "id": id })).await;
    assert_eq!(read["contact"]["createdBy"]["fullName"], "Ada of First");
    updated(&ada, &id, None, json!({ "city": "Arlington" })).await;
    updated(&ada, &id, None, json!({ "city": "Oslo" })).await;
    let mut live = follow(&ada, Some(&id), read["eventCursor"].as_str().expect("a cursor")).await;
    let mut cities = Vec::new();
    while cities.last() != Some(&json!("Oslo")) {
        let change = next(&mut live).await;
        if change["action"] == "UPDATED" {
            cities.push(change["changes"][0]["after"].clone());
        }
    }
    assert_eq!(cities, [json!("Arlington"), json!("Oslo")]);
    let read = ada.data(query, json!({ "id": id })).await;
    let named = json!({ "actor": { "user": { "fullName": "Ada of First" } } });
    assert_eq!(read["contact"]["history"]["nodes"], json!([named, named]));
    server.stranger().refused("{ eventCursor }", json!({}), "UNAUTHENTICATED").await;
}
