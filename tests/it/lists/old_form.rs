//! REST's old form of criteria: what each of its words means, and what is refused.

use kontor::crm::Contact;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{settled::nothing_is_open, text};
use crate::support::{client::Client, records::make_record, server::TestServer, sql};

/// The new list.
async fn made(client: &Client, criteria: &Value) -> Value {
    let body = json!({ "name": "D", "list_type": "dynamic", "criteria": criteria });
    client.post("/contact-lists", body).await.expect(StatusCode::CREATED)
}

fn of(operator: &str, value: Value) -> Value {
    json!({ "operator": operator, "value": value })
}

#[tokio::test]
async fn every_operator_means_what_it_says_and_is_printed_again() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let mut owner = json!(ada.user());
    for (name, city, date, status) in [
        ("A", json!("Berlin"), json!("2026-01-10T09:30:00Z"), "customer"),
        ("B", json!("berlin"), json!("2026-02-10T09:30:00Z"), "active"),
        ("C", Value::Null, Value::Null, "active"),
        ("D", json!("100%"), Value::Null, "active"),
    ] {
        let fields = json!({ "lastName": name, "city": city, "lastContactDate": date, "status": status, "ownerId": owner.take() });
        make_record::<Contact>(&server.ctx, &ada.caller(), fields).await;
    }
    let field = "mutation { createCustomField(input: { kind: CONTACT, label: \"Vip\", key: \"vip\", type: BOOLEAN }) { customField { id } } }";
    ada.data(field, json!({})).await;
    let marked = "UPDATE contacts SET tags = '{a,b}', custom_fields = '{\"vip\": true}' WHERE last_name = 'A'";
    sql::run(&server.database.db, marked).await;
    let marked = "UPDATE contacts SET tags = '{a}', custom_fields = '{\"vip\": false}' WHERE last_name = 'B'";
    sql::run(&server.database.db, marked).await;
    sql::run(&server.database.db, "UPDATE contacts SET title = '' WHERE last_name = 'A'").await;
    sql::run(&server.database.db, "UPDATE contacts SET title = 'Dr' WHERE last_name = 'B'").await;
    let moment = "2026-01-10T09:30:00Z";
    let cases = [
        (json!({}), "A B C D"),
        (json!({ "city": of("equals", json!("Berlin")) }), "A"),
        (json!({ "city": of("not_equals", json!("Berlin")) }), "B C D"),
        (json!({ "city": of("contains", json!("ERL")) }), "A B"),
        (json!({ "city": of("contains", json!("%")) }), "D"),
        (json!({ "city": of("not_contains", json!("ERL")) }), "C D"),
        (json!({ "city": of("starts_with", json!("BER")) }), "A B"),
        (json!({ "city": of("ends_with", json!("LIN")) }), "A B"),
        (json!({ "city": of("in", json!(["Berlin", "100%"])) }), "A D"),
        (json!({ "city": of("not_in", json!(["Berlin", "100%"])) }), "B C"),
        // null or ''
        (json!({ "title": { "operator": "is_empty" } }), "A C D"),
        (json!({ "title": { "operator": "is_not_empty" } }), "B"),
        (json!({ "last_contact_date": of("after", json!(moment)) }), "B"),
        (json!({ "last_contact_date": of("before", json!("2026-02-10")) }), "A"),
        (json!({ "last_contact_date": of("greater_than", json!("2026-01-09")) }), "A B"),
        (json!({ "last_contact_date": of("less_than", json!("2026-02-01T00:00:00Z")) }), "A"),
        (json!({ "last_contact_date": of("equals", json!(moment)) }), "A"),
        (json!({ "status": of("equals", json!("customer")) }), "A"),
        (json!({ "status": of("not_in", json!(["customer", "lead"])) }), "B C D"),
        (json!({ "assigned_to": of("equals", json!(ada.user())) }), "A"),
        (json!({ "tags": of("equals", json!(["b", "a"])) }), "A"),
        (json!({ "tags": of("not_equals", json!(["b", "a"])) }), "B C D"),
        (json!({ "tags": of("contains", json!(["b"])) }), "A"),
        (json!({ "custom.vip": of("equals", json!(true)) }), "A"),
        (json!({ "custom.vip": of("not_equals", json!(true)) }), "B C D"),
        (json!({ "custom.vip": of("not_equals", json!(false)) }), "A C D"),
        // all of it holds
        (json!({ "city": of("contains", json!("berlin")), "title": of("equals", json!("Dr")) }), "B"),
        (json!({ "city": of("contains", json!("berlin")), "status": of("equals", json!("lead")) }), ""),
        // the new form stands next to it
        (json!({ "any": [{ "compare": { "field": "city", "op": "EQ", "value": "BERLIN" } }] }), "A B"),
    ];
    let mut lists = Vec::new();
    for (criteria, names) in &cases {
        let list = made(&ada, criteria).await;
        assert_eq!(&list["criteria"], criteria);
        assert_eq!(list["contact_count"], names.split_whitespace().count(), "{criteria}");
        lists.push(list);
    }
    nothing_is_open(&server.database.db).await;
    let mut wrong = Vec::new();
    for ((criteria, names), list) in cases.iter().zip(&lists) {
        let path = format!("/contact-lists/{}", text(&list["id"]));
        let page = ada.get(&format!("{path}/contacts?limit=100")).await.expect(StatusCode::OK);
        let mut found: Vec<_> =
            page["contacts"].as_array().expect("contacts").iter().map(|one| text(&one["last_name"])).collect();
        found.sort_unstable();
        if found.join(" ") != *names {
            wrong.push(format!("{criteria}: {found:?}, not {names:?}"));
        }
        let kept = ada.get(&path).await.expect(StatusCode::OK);
        let echo = ada.put(&path, kept.clone()).await.expect(StatusCode::OK);
        assert_eq!(echo, kept, "an echo changes nothing");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_the_old_server_ignored_is_refused_with_its_path() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let list = made(&ada, &json!({})).await;
    let path = format!("/contact-lists/{}", text(&list["id"]));
    for criteria in [
        json!({ "nope": of("equals", json!("x")) }),
        json!({ "city": of("resembles", json!("x")) }),
        json!({ "city": { "value": "x" } }),
        json!({ "city": "Berlin" }),
        json!({ "city": of("contains", Value::Null) }),
        json!({ "city": of("in", json!("Berlin")) }),
        json!({ "created_at": of("after", json!("yesterday")) }),
        json!({ "status": of("equals", json!("zombie")) }),
        json!([]),
        json!("city"),
    ] {
        let body = json!({ "name": "D", "list_type": "dynamic", "criteria": criteria });
        for answer in [ada.post("/contact-lists", body.clone()).await, ada.put(&path, body).await] {
            let refusal = answer.expect(StatusCode::BAD_REQUEST);
            let fields = refusal["fields"].as_object().unwrap_or_else(|| panic!("no fields: {refusal}"));
            assert!(fields.keys().all(|field| field.starts_with("criteria")), "{criteria}: {refusal}");
        }
    }
    assert_eq!(ada.get(&path).await.body["criteria"], json!({}));
}
