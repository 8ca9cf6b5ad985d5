//! `/products`

use serde_json::{Value, json};

use super::records::{Fields, keys, same, set_read_and_clear};
use crate::support::server::TestServer;

#[tokio::test]
async fn every_field_can_be_set_read_found_and_cleared() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let owner = ada.get("/auth/me").await.data()["id"].clone();
    ada.post("/products", json!({ "name": "Another", "price": 1 })).await.data();
    let sent = vec![
        same("name", json!("Compiler")),
        same("sku", json!("C-1")),
        same("description", json!("Turns words into machines.")),
        same("category", json!("Tools")),
        ("price", json!("9.9"), json!("9.90")),
        ("cost", json!(4), json!("4.00")),
        same("stock_quantity", json!(3)),
        same("unit", json!("seat")),
        same("status", json!("out_of_stock")),
        same("image_url", json!("https://img.example/c.png")),
        same("specifications", json!({ "passes": [1, { "two": null }] })),
        same("currency", json!("EUR")),
        same("assigned_to", owner),
        same("tags", json!(["a", "b"])),
        same("custom_fields", json!({ "weight": 0 })),
    ];
    let cleared = vec![
        ("price", json!("0.00")),
        ("stock_quantity", json!(0)),
        ("unit", json!("unit")),
        ("status", json!("active")),
        ("specifications", json!({})),
        ("currency", json!("USD")),
        ("tags", json!([])),
        ("custom_fields", json!({})),
    ];
    let fields = Fields { path: "/products", sent, more: &[], cleared, needed: &["name"] };
    set_read_and_clear(&ada, &fields).await;
}

#[tokio::test]
async fn a_number_is_one_products_alone_and_other_values_are_checked() {
    let server = TestServer::start().await;
    let ada = server.sign_up("ada@example.com").await;
    let new = |sku: Value| json!({ "name": "P", "price": 1, "sku": sku });
    ada.post("/products", new(json!("C-1"))).await.data();
    let taken = ada.post("/products", new(json!("C-1"))).await.refused(409);
    assert_eq!((keys(&taken["fields"]), &taken["code"]), (vec!["sku"], &json!("CONFLICT")));
    let other = ada.post("/products", new(Value::Null)).await.data();
    ada.post("/products", new(Value::Null)).await.data();
    let path = format!("/products/{}", other["id"].as_str().expect("an id"));
    ada.put(&path, json!({ "sku": "C-1" })).await.refused(409);
    for status in ["active", "discontinued", "out_of_stock"] {
        assert_eq!(ada.put(&path, json!({ "status": status })).await.data()["status"], status);
    }
    for (field, value) in [
        ("price", json!("much")),
        ("cost", json!([])),
        ("stock_quantity", json!(1.5)),
        ("status", json!("sold")),
        ("specifications", json!([])),
        ("tags", json!("a")),
    ] {
        let refusal = ada.put(&path, json!({ field: value })).await.refused(400);
        assert_eq!(keys(&refusal["fields"]), [field]);
    }
    // objects are not equal to a text
    for wrong in ["specifications=", "specifications=x"] {
        let refusal = ada.get(&format!("/products?{wrong}")).await.refused(400);
        assert_eq!(keys(&refusal["fields"]), ["specifications"], "{wrong}");
    }
}
