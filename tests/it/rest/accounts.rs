//! `/accounts`

use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::records::keys;
use crate::support::server::TestServer;

#[tokio::test]
async fn every_field_can_be_set_read_and_cleared() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let owner = ada.get("/auth/me").await.data()["id"].clone();
    let mut fields: Map<String, Value> = [
        ("account_name", json!("Analytical Engines")),
        ("account_number", json!("A-1")),
        ("website", json!("https://engines.example")),
        ("industry", json!("Machines")),
        ("annual_revenue", json!("1200.50")),
        ("employees", json!(12)),
        ("type", json!("partner")),
        ("phone", json!("+44 20 1")),
        ("description", json!("Builds engines.")),
        ("assigned_to", owner),
        ("tags", json!(["a"])),
        ("custom_fields", json!({ "a": [1, { "b": null }] })),
    ]
    .map(|(field, value)| (field.to_owned(), value))
    .into_iter()
    .collect();
    for kind in ["billing", "shipping"] {
        for part in ["address", "city", "state", "country", "postal_code"] {
            fields.insert(format!("{kind}_{part}"), json!(format!("{kind} {part}")));
        }
    }
    let created = ada.post("/accounts", Value::Object(fields.clone())).await.expect(StatusCode::CREATED);
    let path = format!("/accounts/{}", created["data"]["id"].as_str().expect("an id"));
    let read = ada.get(&path).await.data();
    assert_eq!(read, created["data"]);
    for (field, value) in &fields {
        assert_eq!(&read[field], value, "{field}");
    }
    let mut expected: Vec<_> = fields.keys().map(String::as_str).chain(["id", "created_at", "updated_at"]).collect();
    expected.sort_unstable();
    assert_eq!(keys(&read), expected);
    assert_eq!(ada.put(&path, read.clone()).await.data(), read);

    let kept = ["account_name", "type", "tags", "custom_fields"];
    for field in fields.keys().filter(|field| !kept.contains(&field.as_str())) {
        assert_eq!(ada.put(&path, json!({ field: null })).await.data()[field], Value::Null, "{field}");
    }
    assert_eq!(ada.put(&path, json!({ "type": null })).await.data()["type"], "prospect");
    let refusal = ada.put(&path, json!({ "account_name": null })).await.refused(400);
    assert_eq!(refusal["message"], "account_name is needed");
}

#[tokio::test]
async fn a_new_account_needs_a_name_only() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    for body in [json!({}), json!({ "account_name": "" }), json!({ "name": "X" })] {
        assert_eq!(ada.post("/accounts", body).await.refused(400)["fields"], json!({ "account_name": "is needed" }));
    }
    let account = ada.post("/accounts", json!({ "account_name": "X" })).await.data();
    assert_eq!([&account["type"], &account["annual_revenue"]], [&json!("prospect"), &Value::Null]);
    for word in ["prospect", "customer", "partner", "vendor"] {
        assert_eq!(ada.post("/accounts", json!({ "account_name": "X", "type": word })).await.data()["type"], word);
    }
}

#[tokio::test]
async fn an_account_number_is_one_accounts_alone() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let account = json!({ "account_name": "X", "account_number": "A-1" });
    ada.post("/accounts", account.clone()).await.data();
    let taken = ada.post("/accounts", account).await.refused(409);
    assert_eq!(taken["message"], "account_number is already used by another account");
    assert_eq!(keys(&taken["fields"]), ["account_number"]);
    // without a number there is nothing to be taken
    for _ in 0..2 {
        ada.post("/accounts", json!({ "account_name": "Y" })).await.data();
    }
    let other = ada.post("/accounts", json!({ "account_name": "Z", "account_number": "A-2" })).await.data();
    let path = format!("/accounts/{}", other["id"].as_str().expect("an id"));
    ada.put(&path, json!({ "account_number": "A-1" })).await.refused(409);
    assert_eq!(ada.get(&path).await.data(), other);
}

#[tokio::test]
async fn amounts_are_texts_with_two_digits_and_keep_what_is_not_shown() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    for (sent, shown) in [
        (json!(1200), json!("1200.00")),
        (json!("0.5"), json!("0.50")),
        (json!(-7.25), json!("-7.25")),
        (json!("999999999999999.99"), json!("999999999999999.99")),
        (json!(""), Value::Null),
    ] {
        let account = ada.post("/accounts", json!({ "account_name": "X", "annual_revenue": sent })).await.data();
        assert_eq!(account["annual_revenue"], shown, "{sent}");
    }
    for wrong in [
        json!("12,5"),
        json!("1e9"),
        json!(true),
        json!([1]),
        json!("NaN"),
        json!("1000000000000000"),
        json!("0.12345"),
    ] {
        let refusal = ada.post("/accounts", json!({ "account_name": "X", "annual_revenue": wrong })).await.refused(400);
        assert!(refusal["fields"]["annual_revenue"].is_string(), "{refusal}");
    }

    let fine = ada.post("/accounts", json!({ "account_name": "Fine", "annual_revenue": "1.2345" })).await.data();
    assert_eq!(fine["annual_revenue"], "1.23");
    let path = format!("/accounts/{}", fine["id"].as_str().expect("an id"));
    let mut echo = fine.clone();
    echo["industry"] = json!("Clocks");
    ada.put(&path, echo).await.data();
    let exact = "SELECT count(*) AS value FROM accounts WHERE annual_revenue = 1.2345 AND industry = 'Clocks'";
    assert_eq!(crate::support::sql::number(&server.database.db, exact).await, 1);
    ada.put(&path, json!({ "annual_revenue": "1.24" })).await.data();
    assert_eq!(crate::support::sql::number(&server.database.db, exact).await, 0);
}

#[tokio::test]
async fn who_may_write_and_delete_accounts() {
    let server = TestServer::start().await;
    let admin = server.sign_up("ada@example.com").await;
    let new = async |client: &crate::support::server::Client, owner: Value| {
        client.post("/accounts", json!({ "account_name": "X", "assigned_to": owner })).await
    };
    let mine = async |client: &crate::support::server::Client| client.get("/auth/me").await.data()["id"].clone();
    let path = |account: Value| format!("/accounts/{}", account["id"].as_str().expect("an id"));
    let nobodys = path(new(&admin, Value::Null).await.data());
    let (rep, support) = (server.colleague(&admin, "sales_rep").await, server.colleague(&admin, "support").await);

    support.get(&nobodys).await.data();
    support.get("/accounts").await.data();
    support.post("/accounts", json!({})).await.refused(403);
    support.put(&nobodys, json!({ "industry": "X" })).await.refused(403);
    support.delete(&nobodys).await.refused(403);

    let own = path(new(&rep, mine(&rep).await).await.data());
    new(&rep, mine(&admin).await).await.refused(403);
    rep.put(&own, json!({ "assigned_to": mine(&support).await })).await.refused(403);
    rep.put(&nobodys, json!({ "industry": "X" })).await.data();
    rep.delete(&nobodys).await.refused(403);
    rep.delete(&own).await.expect(StatusCode::OK);

    let manager = server.colleague(&admin, "manager").await;
    manager.put(&nobodys, json!({ "assigned_to": mine(&rep).await })).await.data();
    manager.delete(&nobodys).await.expect(StatusCode::OK);
}
