//! `/deals`

use serde_json::{Value, json};

use super::records::{Fields, same, set_read_and_clear};
use crate::support::server::{TestServer, with_query};

const STAGES: [&str; 9] = [
    "Qualification",
    "Needs Analysis",
    "Value Proposition",
    "Identify Decision Makers",
    "Proposal/Price Quote",
    "Negotiation/Review",
    "Closed Won",
    "Closed Lost",
    "On Hold",
];

#[tokio::test]
async fn every_field_can_be_set_read_found_and_cleared() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let owner = ada.get("/auth/me").await.data()["id"].clone();
    let account = ada.post("/accounts", json!({ "account_name": "Navy" })).await.data()["id"].clone();
    let contact = json!({ "first_name": "G", "last_name": "H", "email": "g@example.com" });
    let contact = ada.post("/contacts", contact).await.data()["id"].clone();
    ada.post("/deals", json!({ "deal_name": "Another" })).await.data();
    let sent = vec![
        same("deal_name", json!("Ship")),
        ("amount", json!(1200.5), json!("1200.50")),
        same("stage", json!("Proposal/Price Quote")),
        same("probability", json!(55)),
        ("expected_close_date", json!("2025-10-17"), json!("2025-10-17T00:00:00.000Z")),
        ("close_date", json!("2025-10-17T11:30:00+02:00"), json!("2025-10-17T09:30:00.000Z")),
        same("account_id", account),
        same("contact_id", contact),
        same("assigned_to", owner),
        same("lead_source", json!("event")),
        same("description", json!("Grey, fast.")),
        same("next_step", json!("Call")),
        same("loss_reason", json!("Price")),
        ("currency", json!("eur"), json!("EUR")),
        same("tags", json!(["sea"])),
        same("custom_fields", json!({ "knots": 30 })),
    ];
    let cleared = vec![
        ("amount", json!("0.00")),
        // as its stage says
        ("probability", json!(65)),
        ("currency", json!("USD")),
        ("tags", json!([])),
        ("custom_fields", json!({})),
    ];
    let needed = &["deal_name", "stage"];
    set_read_and_clear(&ada, &Fields { path: "/deals", sent, more: &["pipeline_id"], cleared, needed }).await;
}

#[tokio::test]
async fn a_new_deal_has_defaults_also_where_a_form_sends_what_is_empty() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    for body in [
        json!({ "deal_name": "Ship" }),
        json!({ "deal_name": "Ship", "amount": null, "stage": null, "probability": null, "currency": null }),
        json!({ "deal_name": "Ship", "amount": "", "stage": "", "probability": "", "currency": "", "close_date": "" }),
    ] {
        let deal = ada.post("/deals", body.clone()).await.data();
        let shown = ["stage", "probability", "amount", "currency"].map(|field| deal[field].clone());
        assert_eq!(shown, [json!("Qualification"), json!(10), json!("0.00"), json!("USD")], "{body}");
        for field in ["expected_close_date", "close_date", "account_id", "contact_id", "assigned_to", "lead_source"] {
            assert_eq!(deal[field], Value::Null, "{field}");
        }
    }
}

#[tokio::test]
async fn the_nine_stages_are_taken_found_and_sorted_in_their_order() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    // made in another order than they are sorted in
    for stage in STAGES.iter().rev() {
        let deal = ada.post("/deals", json!({ "deal_name": "D", "stage": stage })).await.data();
        assert_eq!(deal["stage"], *stage);
    }
    for stage in STAGES {
        let found = ada.get(&with_query("/deals", &[("stage", stage)])).await.data();
        assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
        assert_eq!(found[0]["stage"], stage);
    }
    let sorted = async |sort: &str| {
        let page = ada.get(&format!("/deals?sort={sort}")).await.data();
        let stages =
            page.as_array().expect("a list").iter().map(|deal| deal["stage"].as_str().expect("a name").to_owned());
        stages.collect::<Vec<_>>()
    };
    assert_eq!(sorted("stage").await, STAGES);
    let mut reversed = STAGES;
    reversed.reverse();
    assert_eq!(sorted("-stage").await, reversed);
    for (field, value) in [("stage", json!("Won")), ("probability", json!(101)), ("probability", json!(-1))] {
        let refusal = ada.post("/deals", json!({ "deal_name": "D", field: value })).await.refused(400);
        assert!(refusal["fields"][field].is_string(), "{refusal}");
    }
}

#[tokio::test]
async fn each_word_of_the_source_is_taken() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    for word in ["website", "referral", "social_media", "email_campaign", "cold_call", "event", "other"] {
        let deal = ada.post("/deals", json!({ "deal_name": "D", "lead_source": word })).await.data();
        assert_eq!(deal["lead_source"], word);
    }
    ada.post("/deals", json!({ "deal_name": "D", "lead_source": "zombie" })).await.refused(400);
}
