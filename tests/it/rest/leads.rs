//! `/leads`: its fields. (Converting, giving away, counting: `crate::leads`.)

use reqwest::StatusCode;
use serde_json::json;

use super::records::{Fields, keys, same, set_read_and_clear};
use crate::support::server::TestServer;

#[tokio::test]
async fn every_field_can_be_set_read_found_and_cleared() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let cora = server.colleague(&ada, "sales_rep").await.get("/auth/me").await.data();
    ada.post("/leads", json!({ "first_name": "I", "last_name": "J", "email": "i@example.com" })).await.data();
    let owner = json!({ "id": cora["id"], "full_name": cora["full_name"], "email": cora["email"] });
    let sent = vec![
        same("first_name", json!("Grace")),
        same("last_name", json!("Hopper")),
        ("email", json!(" Grace@Example.COM "), json!("grace@example.com")),
        same("phone", json!("+49 30 123")),
        same("company", json!("Navy")),
        same("title", json!("Rear Admiral")),
        same("source", json!("cold_call")),
        same("status", json!("qualified")),
        same("lead_score", json!(80)),
        same("industry", json!("Defence")),
        ("annual_revenue", json!(1200), json!("1200.00")),
        same("employees", json!(12)),
        same("website", json!("https://navy.example")),
        same("address", json!("1 Main St\nFloor 2")),
        same("city", json!("Arlington")),
        same("state", json!("VA")),
        same("country", json!("US")),
        same("postal_code", json!("22202")),
        same("notes", json!("Found the bug.")),
        same("assigned_to", cora["id"].clone()),
        ("converted_date", json!("2025-10-17"), json!("2025-10-17T00:00:00.000Z")),
        ("last_contact_date", json!("2025-10-17T11:30:00+02:00"), json!("2025-10-17T09:30:00.000Z")),
        same("tags", json!(["vip", "navy"])),
        same("custom_fields", json!({ "shoe": 42 })),
    ];
    let cleared = vec![
        ("source", json!("website")),
        ("status", json!("new")),
        ("lead_score", json!(0)),
        ("tags", json!([])),
        ("custom_fields", json!({})),
    ];
    // the last thing that names this person
    let fields = Fields { path: "/leads", sent, more: &["owner"], cleared, needed: &["first_name"] };
    set_read_and_clear(&ada, &fields).await;

    let lead = json!({ "first_name": "K", "last_name": "L", "email": "k@example.com", "assigned_to": cora["id"] });
    let lead = ada.post("/leads", lead).await.data();
    assert_eq!(lead["owner"], owner);
    assert_eq!(ada.get("/leads?last_name=L").await.data()[0]["owner"], owner, "in a list, too");
}

#[tokio::test]
async fn each_word_of_source_and_status_is_taken() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let lead =
        ada.post("/leads", json!({ "first_name": "I", "last_name": "J", "email": "i@example.com" })).await.data();
    let path = format!("/leads/{}", lead["id"].as_str().expect("an id"));
    for (field, words) in [
        ("source", ["website", "referral", "social_media", "email_campaign", "cold_call", "other"].as_slice()),
        ("status", &["new", "contacted", "qualified", "unqualified", "converted"]),
    ] {
        for word in words {
            assert_eq!(ada.put(&path, json!({ field: word })).await.data()[field], *word);
        }
        let refusal = ada.put(&path, json!({ field: "zombie" })).await.refused(400);
        assert!(refusal["fields"][field].is_string(), "{refusal}");
    }
}

#[tokio::test]
async fn converting_says_that_it_is_done() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let lead =
        ada.post("/leads", json!({ "first_name": "I", "last_name": "J", "email": "i@example.com" })).await.data();
    let path = format!("/leads/{}/convert", lead["id"].as_str().expect("an id"));
    let answer = ada.post(&path, json!({})).await.expect(StatusCode::OK);
    assert_eq!(keys(&answer), ["data", "message", "success"]);
    assert!(answer["message"].is_string(), "{answer}");
    assert_eq!((&answer["success"], &answer["data"]["id"]), (&json!(true), &lead["id"]));
}
