//! `/contacts`

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::records::keys;
use crate::support::server::{TestServer, with_query};

/// Every field with a value as a client sends it, and as it is answered.
fn whole(account: &Value, owner: &Value) -> Vec<(&'static str, Value, Value)> {
    let same = |field, value: Value| (field, value.clone(), value);
    vec![
        same("first_name", json!("Grace")),
        same("last_name", json!("Hopper")),
        ("email", json!(" Grace@Example.COM "), json!("grace@example.com")),
        same("phone", json!("+49 30 123")),
        ("mobile", json!(49301234), json!("49301234")),
        same("title", json!("Rear Admiral")),
        same("department", json!("Navy")),
        same("account_id", account.clone()),
        same("source", json!("event")),
        same("status", json!("customer")),
        same("linkedin_url", json!("https://linkedin.example/grace")),
        same("twitter_handle", json!("@grace")),
        same("address", json!("1 Main St\nFloor 2")),
        same("city", json!("Arlington")),
        same("state", json!("VA")),
        same("country", json!("US")),
        same("postal_code", json!("22202")),
        same("notes", json!("Found the bug.")),
        same("assigned_to", owner.clone()),
        ("last_contact_date", json!("2025-10-17T11:30:00+02:00"), json!("2025-10-17T09:30:00.000Z")),
        same("tags", json!(["vip", "navy"])),
        same("custom_fields", json!({ "shoe": 42 })),
    ]
}

#[tokio::test]
async fn every_field_can_be_set_read_changed_and_cleared() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let account = ada.post("/accounts", json!({ "account_name": "Navy" })).await.data()["id"].clone();
    let owner = ada.get("/auth/me").await.data()["id"].clone();
    let fields = whole(&account, &owner);
    let sent: Value = fields
        .iter()
        .map(|(field, sent, _)| ((*field).to_owned(), sent.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let created = ada.post("/contacts", sent).await.expect(StatusCode::CREATED);
    let contact = &created["data"];
    let path = format!("/contacts/{}", contact["id"].as_str().expect("an id"));
    let read = ada.get(&path).await.data();
    assert_eq!(&read, contact);
    for (field, _, answered) in &fields {
        assert_eq!(&read[field], answered, "{field}");
    }
    let mut expected: Vec<_> =
        fields.iter().map(|(field, ..)| *field).chain(["id", "created_at", "updated_at"]).collect();
    expected.sort_unstable();
    assert_eq!(keys(&read), expected);

    // what is sent back as it was read changes nothing
    assert_eq!(ada.put(&path, read.clone()).await.data(), read);

    let kept = ["first_name", "source", "status", "tags", "custom_fields"];
    for (field, ..) in fields.iter().filter(|(field, ..)| !kept.contains(field)) {
        let cleared = ada.put(&path, json!({ *field: null })).await.data();
        assert_eq!(cleared[field], Value::Null, "{field}");
        assert_eq!(cleared["first_name"], "Grace");
    }
    let defaults = json!({ "source": null, "status": null, "tags": null, "custom_fields": null });
    let cleared = ada.put(&path, defaults).await.data();
    assert_eq!(
        [&cleared["source"], &cleared["status"], &cleared["tags"], &cleared["custom_fields"]],
        [&json!("website"), &json!("active"), &json!([]), &json!({})]
    );
    // the last thing that names this person
    ada.put(&path, json!({ "first_name": null })).await.refused(400);
}

#[tokio::test]
async fn a_new_contact_needs_names_and_an_address_and_has_defaults() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let refusal =
        ada.post("/contacts", json!({ "email": "nonsense", "last_name": "  ", "status": "zombie" })).await.refused(400);
    assert_eq!(keys(&refusal["fields"]), ["email", "first_name", "last_name", "status"]);
    assert_eq!(refusal["fields"]["first_name"], "is needed");
    assert_eq!(refusal["fields"]["email"], "is not an e-mail address");
    assert_eq!(refusal["code"], "BAD_USER_INPUT");

    let least = json!({ "first_name": "G", "last_name": "H", "email": "g@example.com" });
    let contact = ada.post("/contacts", least).await.data();
    assert_eq!([&contact["source"], &contact["status"]], ["website", "active"]);
    assert_eq!([&contact["custom_fields"], &contact["tags"]], [&json!({}), &json!([])]);
    for field in ["phone", "account_id", "assigned_to", "last_contact_date", "notes"] {
        assert_eq!(contact[field], Value::Null, "{field}");
    }
}

#[tokio::test]
async fn each_word_of_source_and_status_is_taken() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let contact = json!({ "first_name": "G", "last_name": "H", "email": "g@example.com" });
    let contact = ada.post("/contacts", contact).await.data();
    let path = format!("/contacts/{}", contact["id"].as_str().expect("an id"));
    for (field, words) in [
        ("source", ["website", "referral", "social_media", "email_campaign", "event", "other"].as_slice()),
        ("status", &["active", "inactive", "lead", "customer"]),
    ] {
        for word in words {
            assert_eq!(ada.put(&path, json!({ field: word })).await.data()[field], *word);
        }
    }
}

#[tokio::test]
async fn an_address_is_one_contacts_alone() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let person = |email: &str| json!({ "first_name": "G", "last_name": "H", "email": email });
    let first = ada.post("/contacts", person("g@example.com")).await.data();
    let taken = ada.post("/contacts", person("G@EXAMPLE.com")).await.refused(409);
    assert_eq!(taken["fields"]["email"], "is already used by another contact");
    let second = ada.post("/contacts", person("h@example.com")).await.data();
    let path = format!("/contacts/{}", second["id"].as_str().expect("an id"));
    assert_eq!(ada.put(&path, json!({ "email": "g@example.com" })).await.refused(409)["code"], "CONFLICT");
    // a deleted one's is free again, and so is one of another workspace
    ada.delete(&format!("/contacts/{}", first["id"].as_str().expect("an id"))).await.expect(StatusCode::OK);
    ada.put(&path, json!({ "email": "g@example.com" })).await.data();
    server.sign_up("eve@example.com").await.post("/contacts", person("g@example.com")).await.data();
}

#[tokio::test]
async fn a_link_to_a_deleted_account_is_null_and_survives_an_echo() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let account = ada.post("/accounts", json!({ "account_name": "Navy" })).await.data()["id"].clone();
    let body = json!({ "first_name": "G", "last_name": "H", "email": "g@example.com", "account_id": account });
    let contact = ada.post("/contacts", body).await.data();
    assert_eq!(contact["account_id"], account);
    let path = format!("/contacts/{}", contact["id"].as_str().expect("an id"));
    ada.delete(&format!("/accounts/{}", account.as_str().expect("an id"))).await.expect(StatusCode::OK);

    let mut read = ada.get(&path).await.data();
    assert_eq!(read["account_id"], Value::Null);
    assert_eq!(ada.get("/contacts").await.data()[0]["account_id"], Value::Null);
    read["city"] = json!("Arlington");
    ada.put(&path, read).await.data();
    let linked =
        format!("SELECT count(*) AS value FROM contacts WHERE account_id = '{}'", account.as_str().expect("an id"));
    assert_eq!(crate::support::sql::number(&server.database.db, &linked).await, 1);

    let dead = ada.put(&path, json!({ "account_id": account, "city": "X" })).await.data();
    assert_eq!(dead["account_id"], Value::Null, "the link that it has already");
    let other = json!({ "first_name": "I", "last_name": "J", "email": "i@example.com", "account_id": account });
    let refusal = ada.post("/contacts", other).await.refused(400);
    assert!(refusal["fields"]["account_id"].is_string(), "{refusal}");
}

#[tokio::test]
async fn links_lead_into_the_own_workspace() {
    let server = TestServer::start().await;
    let (ada, eve) = (server.sign_up("ada@example.com").await, server.sign_up("eve@example.com").await);
    let account = eve.post("/accounts", json!({ "account_name": "Theirs" })).await.data()["id"].clone();
    let user = eve.get("/auth/me").await.data()["id"].clone();
    for (field, value) in [
        ("account_id", account),
        ("assigned_to", user),
        ("account_id", json!(uuid::Uuid::now_v7())),
        ("assigned_to", json!("me")),
    ] {
        let mut body = json!({ "first_name": "G", "last_name": "H", "email": "g@example.com" });
        body[field] = value;
        let refusal = ada.post("/contacts", body).await.refused(400);
        assert!(refusal["fields"][field].is_string(), "{refusal}");
    }
}

#[tokio::test]
async fn search_looks_into_names_and_addresses() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    for (first, last, email, city) in [
        ("Grace", "Hopper", "g@navy.example", "Arlington"),
        ("Jörg", "O'Brien", "j@post.example", "Berlin"),
        ("50%", "_x_", "c@d.example", "Navy"),
    ] {
        let body = json!({ "first_name": first, "last_name": last, "email": email, "city": city });
        ada.post("/contacts", body).await.data();
    }
    for (search, found) in [
        ("GRAC", vec!["Grace"]),
        ("hopper", vec!["Grace"]),
        ("NAVY", vec!["Grace"]),
        ("JÖRG", vec!["Jörg"]),
        ("o'brien", vec!["Jörg"]),
        ("%", vec!["50%"]),
        ("_x", vec!["50%"]),
        ("berlin", vec![]),
        ("", vec!["50%", "Jörg", "Grace"]),
    ] {
        let answer = ada.get(&with_query("/contacts", &[("search", search)])).await;
        let names: Vec<_> = answer
            .data()
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| one["first_name"].as_str().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(names, found, "{search}");
    }
}
