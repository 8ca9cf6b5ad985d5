//! What a value may be, and what input does to the others; each rule by both APIs.

use kontor::auth::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{CREATE, after_setting, contact, defined, refusal, set, values_of};
use crate::support::server::TestServer;

#[tokio::test]
async fn every_type_takes_its_values_and_refuses_others_by_both_apis() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let account = ada.post("/accounts", json!({ "account_name": "Navy" })).await.data()["id"].clone();
    let nobody = json!(uuid::Uuid::now_v7());
    let cases: Vec<(&str, Value, Value, Value)> = vec![
        ("TEXT", json!(" a "), json!("a"), json!(["a"])),
        ("NUMBER", json!("12"), json!(12), json!(1.5)),
        ("DECIMAL", json!(12.50), json!("12.5"), json!("a lot")),
        ("DATE", json!("2026-01-31"), json!("2026-01-31"), json!("2026-02-30")),
        ("TIME", json!("2026-01-31T10:30:00+01:00"), json!("2026-01-31T09:30:00Z"), json!("noon")),
        ("BOOLEAN", json!("yes"), json!(true), json!("perhaps")),
        ("CHOICE", json!("gold"), json!("Gold"), json!("Bronze")),
        ("MULTI_CHOICE", json!(["silver", "Gold"]), json!(["Gold", "Silver"]), json!(["Gold", "Bronze"])),
        ("URL", json!("https://x.test"), json!("https://x.test"), json!("javascript:alert(1)")),
        ("EMAIL", json!("A@X.test"), json!("a@x.test"), json!("nobody")),
        ("PHONE", json!("+1 2"), json!("+1 2"), json!("call me")),
        ("USER", json!(ada.user()), json!(ada.user()), nobody.clone()),
        ("RECORD", account.clone(), account, nobody),
    ];
    for (field_type, ..) in &cases {
        let choices = if field_type.ends_with("CHOICE") { json!(["Gold", "Silver"]) } else { json!([]) };
        let record_kind = if *field_type == "RECORD" { json!("ACCOUNT") } else { Value::Null };
        let more = json!({ "key": field_type.to_lowercase(), "type": field_type, "choices": choices, "recordKind": record_kind });
        defined(&ada, more).await;
    }
    let all = |value: fn(&(&str, Value, Value, Value)) -> Value| {
        cases.iter().map(|case| (case.0.to_lowercase(), value(case))).collect::<serde_json::Map<_, _>>()
    };
    let kept = Value::Object(all(|case| case.2.clone()));
    let id = contact(&ada, Value::Object(all(|case| case.1.clone()))).await;
    assert_eq!(values_of(&ada, &id).await, kept);
    let body = json!({ "first_name": "A", "last_name": "B", "email": "a@x.test", "custom_fields": all(|case| case.1.clone()) });
    let by_rest = ada.post("/contacts", body).await.expect(StatusCode::CREATED);
    assert_eq!(by_rest["data"]["custom_fields"], kept);
    // what is sent back as it was read changes nothing
    let path = format!("/contacts/{id}");
    let read = ada.get(&path).await.data();
    assert_eq!(ada.put(&path, read.clone()).await.data(), read);

    for (field_type, _, _, wrong) in &cases {
        let key = field_type.to_lowercase();
        let answer = set(&ada, &id, json!({ key.clone(): wrong })).await;
        let (code, fields) = refusal(&answer);
        assert_eq!(code, "BAD_USER_INPUT", "{answer}");
        assert!(fields[format!("customFields.{key}")].is_string(), "{answer}");
        let refused = ada.put(&path, json!({ "custom_fields": { key.clone(): wrong } })).await.refused(400);
        assert!(refused["fields"][format!("custom_fields.{key}")].is_string(), "{refused}");
    }
    // all at once
    let answer = set(&ada, &id, Value::Object(all(|case| case.3.clone()))).await;
    assert_eq!(refusal(&answer).1.as_object().map(serde_json::Map::len), Some(11), "{answer}");
    assert_eq!(values_of(&ada, &id).await, kept);
}

#[tokio::test]
async fn what_is_not_named_stays_and_a_null_removes() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    defined(&ada, json!({ "key": "plan" })).await;
    let id = contact(&ada, json!({ "plan": "a", "shoe": 42, "deep": { "x": [null] }, "none": null })).await;
    assert_eq!(values_of(&ada, &id).await, json!({ "plan": "a", "shoe": 42, "deep": { "x": [null] } }));
    let expected = json!({ "plan": "b", "deep": { "y": 1 } });
    assert_eq!(after_setting(&ada, &id, json!({ "plan": "b", "shoe": null, "deep": { "y": 1 } })).await, expected);
    let path = format!("/contacts/{id}");
    let by_rest = ada.put(&path, json!({ "custom_fields": { "shoe": 43, "deep": null } })).await.data();
    assert_eq!(by_rest["custom_fields"], json!({ "plan": "b", "shoe": 43 }));
    // other fields leave them alone
    assert_eq!(ada.put(&path, json!({ "city": "Rome" })).await.data()["custom_fields"]["shoe"], 43);
    // a blank is no value
    assert_eq!(after_setting(&ada, &id, json!({ "plan": "  " })).await, json!({ "shoe": 43 }));
    assert_eq!(after_setting(&ada, &id, Value::Null).await, json!({}));

    let large = |key: &str| json!({ key: "x".repeat(40_000) });
    after_setting(&ada, &id, large("one")).await;
    let answer = set(&ada, &id, large("two")).await;
    assert!(refusal(&answer).1["customFields"].is_string(), "{answer}");
    after_setting(&ada, &id, json!({ "one": null, "two": "x".repeat(40_000) })).await;
}

#[tokio::test]
async fn a_required_field_is_in_every_new_record_and_nobody_clears_it() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let old = contact(&ada, json!({})).await;
    defined(&ada, json!({ "key": "plan", "isRequired": true })).await;
    for contact in [
        json!({ "lastName": "N" }),
        json!({ "lastName": "N", "customFields": {} }),
        json!({ "lastName": "N", "customFields": { "plan": " " } }),
    ] {
        let answer = ada.graphql(CREATE, json!({ "contact": contact })).await;
        assert_eq!(refusal(&answer).1, &json!({ "customFields.plan": "is needed" }), "{answer}");
    }
    let body = json!({ "first_name": "A", "last_name": "B", "email": "a@x.test" });
    let refused = ada.post("/contacts", body).await.refused(400);
    assert_eq!(refused["fields"], json!({ "custom_fields.plan": "is needed" }));
    let id = contact(&ada, json!({ "plan": "a", "b": 1 })).await;
    for clearing in [json!({ "plan": null }), Value::Null] {
        let answer = set(&ada, &id, clearing).await;
        assert_eq!(refusal(&answer).1, &json!({ "customFields.plan": "is needed" }), "{answer}");
    }
    assert_eq!(after_setting(&ada, &id, json!({ "b": null })).await, json!({ "plan": "a" }));
    // one from before lacks it, and can be changed all the same
    assert_eq!(after_setting(&ada, &old, json!({ "b": 1 })).await, json!({ "b": 1 }));
    // records of other kinds are none of its business
    ada.post("/accounts", json!({ "account_name": "Navy" })).await.data();
}

#[tokio::test]
async fn a_link_leads_to_what_is_there_and_here() {
    let server = TestServer::start().await;
    let (ada, other) = (server.admin().await, server.other_workspace().await);
    defined(&ada, json!({ "key": "who", "type": "USER" })).await;
    defined(&ada, json!({ "key": "firm", "type": "RECORD", "recordKind": "ACCOUNT" })).await;
    let account = async |client: &crate::support::client::Client| {
        client.post("/accounts", json!({ "account_name": "A" })).await.data()["id"].clone()
    };
    let (ours, theirs, gone) = (account(&ada).await, account(&other).await, account(&ada).await);
    let id = contact(&ada, json!({ "who": ada.user(), "firm": gone })).await;
    ada.delete(&format!("/accounts/{}", gone.as_str().expect("an id"))).await.expect(StatusCode::OK);
    // it may stay, and is not taken anew
    assert_eq!(after_setting(&ada, &id, json!({ "firm": gone, "b": 1 })).await["b"], 1);
    after_setting(&ada, &id, json!({ "firm": ours })).await;
    for wrong in [json!({ "firm": gone }), json!({ "firm": theirs }), json!({ "who": other.user() })] {
        let answer = set(&ada, &id, wrong).await;
        assert_eq!(refusal(&answer).0, "BAD_USER_INPUT", "{answer}");
    }
}

#[tokio::test]
async fn who_has_a_value_already_is_named_to_those_only_who_see_them() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (rep, manager) = (ada.invite_role(Role::SalesRep).await, ada.invite_role(Role::Manager).await);
    defined(&ada, json!({ "kind": "LEAD", "key": "number", "isUnique": true })).await;
    server.jobs_done().await;
    let create = "mutation($lead: LeadInput!) { createLead(input: { lead: $lead }) { lead { id } } }";
    let lead = json!({ "lead": { "lastName": "L", "ownerId": ada.user(), "customFields": { "number": "7" } } });
    let made = ada.data(create, lead).await["createLead"]["lead"]["id"].take();
    let again = json!({ "lead": { "lastName": "M", "customFields": { "number": "7" } } });
    for (client, details) in [(&manager, json!({ "other": made })), (&rep, Value::Null)] {
        let refused = client.refused(create, again.clone(), "CONFLICT").await;
        assert!(refused["extensions"]["fields"]["customFields.number"].is_string(), "{refused}");
        assert_eq!(refused["extensions"]["details"], details);
    }
}
