//! What deals are about: their line items, and what the deal's history, version and amount make of
//! them.

use kontor::auth::Role;
use serde_json::{Value, json};

use crate::support::{client::Client, server::TestServer, sql, statements};

const ITEMS: &str = "id productId name quantity unitPrice discountPercent total";

fn set() -> String {
    format!(
        "mutation($input: SetDealLineItemsInput!) {{ setDealLineItems(input: $input) {{
            deal {{ id version amount lineItemsTotal lineItems {{ {ITEMS} }} }} }} }}"
    )
}

/// The deal after this, which must succeed.
async fn done(client: &Client, deal: &Value, more: Value) -> Value {
    let mut answer = client.data(&set(), json!({ "input": input(deal, more) })).await;
    answer["setDealLineItems"]["deal"].take()
}

/// The fields that are told as wrong.
async fn wrong(client: &Client, deal: &Value, more: Value) -> Value {
    let refusal = client.refused(&set(), json!({ "input": input(deal, more) }), "BAD_USER_INPUT").await;
    refusal["extensions"]["fields"].clone()
}

fn input(deal: &Value, more: Value) -> Value {
    let mut input = json!({ "dealId": deal });
    input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    input
}

async fn deal(client: &Client) -> Value {
    let create = "mutation { createDeal(input: { deal: { name: \"Ship\", amount: \"5\" } }) { deal { id } } }";
    client.data(create, json!({})).await["createDeal"]["deal"]["id"].clone()
}

async fn product(client: &Client, price: &str, currency: &str) -> Value {
    let create = "mutation($product: ProductInput!) { createProduct(input: { product: $product }) { product { id } } }";
    let product = json!({ "name": "Compiler", "price": price, "currency": currency });
    client.data(create, json!({ "product": product })).await["createProduct"]["product"]["id"].clone()
}

#[tokio::test]
async fn items_are_set_added_updated_and_removed_with_the_deals_version_and_history() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (id, compiler) = (deal(&ada).await, product(&ada, "19.99", "USD").await);
    let two = json!({ "set": [
        { "productId": compiler, "quantity": "3" },
        { "name": "Hours", "unitPrice": "100", "quantity": "1.5", "discountPercent": "12.5" }
    ] });
    let made = done(&ada, &id, two).await;
    assert_eq!(
        (&made["version"], &made["amount"], &made["lineItemsTotal"]),
        (&json!(2), &json!("5"), &json!("191.22"))
    );
    let items = made["lineItems"].clone();
    assert_eq!(
        (&items[0]["name"], &items[0]["unitPrice"], &items[0]["productId"], &items[0]["total"]),
        (&json!("Compiler"), &json!("19.99"), &compiler, &json!("59.97"))
    );
    assert_eq!((&items[1]["productId"], &items[1]["total"]), (&Value::Null, &json!("131.25")));

    // all at once: one version, and what is the same writes nothing
    let change = json!({
        "add": [{ "name": "Travel", "unitPrice": "0.33333", "quantity": "1" }],
        "update": [{ "id": items[0]["id"], "quantity": "2" }],
        "remove": [items[1]["id"]]
    });
    let told = wrong(&ada, &id, change.clone()).await;
    assert!(told["add[0].unitPrice"].is_string(), "{told}");
    let mut change = change;
    change["add"][0]["unitPrice"] = json!("0.3333");
    let changed = done(&ada, &id, change).await;
    assert_eq!((&changed["version"], &changed["lineItemsTotal"]), (&json!(3), &json!("40.3133")));
    assert_eq!(changed["lineItems"][0]["id"], items[0]["id"]);
    assert_eq!(changed["lineItems"][1]["name"], "Travel");
    let same = done(&ada, &id, json!({ "update": [{ "id": items[0]["id"], "quantity": "2.0" }] })).await;
    assert_eq!(same["version"], 3);
    // the order is theirs
    let ids = [&changed["lineItems"][1]["id"], &changed["lineItems"][0]["id"]];
    let turned = done(&ada, &id, json!({ "set": [{ "id": ids[0] }, { "id": ids[1] }], "setAmount": true })).await;
    assert_eq!((&turned["version"], &turned["amount"]), (&json!(4), &json!("40.3133")));
    assert_eq!([&turned["lineItems"][0]["id"], &turned["lineItems"][1]["id"]], ids);

    let query = "query($id: ID!) { deal(id: $id) { history { totalCount nodes { field version before after } } } }";
    let history = ada.data(query, json!({ "id": id })).await["deal"]["history"].clone();
    assert_eq!(history["totalCount"], 4);
    let last: Vec<_> = history["nodes"].as_array().expect("a list").iter().filter(|one| one["version"] == 4).collect();
    assert_eq!(last.len(), 2);
    let first = history["nodes"].as_array().expect("a list").last().expect("a change");
    assert_eq!((&first["field"], &first["before"]), (&json!("lineItems"), &json!([])));
    assert_eq!(
        first["after"][1],
        json!({ "id": items[1]["id"], "productId": null, "name": "Hours", "quantity": "1.5", "unitPrice": "100", "discountPercent": "12.5" })
    );
    server.events_logged().await;
    let events =
        "SELECT count(*) AS value FROM events WHERE name = 'record.updated' AND payload -> 'changed' ? 'lineItems'";
    assert_eq!(sql::number(&server.database.db, events).await, 3);

    // an amount alone is an ordinary change
    let update = "mutation($id: ID!) { updateDeal(input: { id: $id, patch: { amount: \"1\" } }) { deal { version } } }";
    ada.data(update, json!({ "id": id })).await;
    let amount = done(&ada, &id, json!({ "setAmount": true })).await;
    assert_eq!((&amount["version"], &amount["amount"]), (&json!(6), &json!("40.3133")));
    let none = done(&ada, &id, json!({ "set": [] })).await;
    assert_eq!((&none["lineItems"], &none["lineItemsTotal"]), (&json!([]), &json!("0")));
}

#[tokio::test]
async fn a_change_from_an_older_version_is_refused_where_the_items_have_changed() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let id = deal(&ada).await;
    let add = |version: i32| json!({ "expectedVersion": version, "add": [{ "name": "A", "unitPrice": "1" }] });
    done(&ada, &id, add(1)).await;
    let refusal = ada.refused(&set(), json!({ "input": input(&id, add(1)) }), "CONFLICT").await;
    assert!(refusal["extensions"]["fields"]["lineItems"].is_string(), "{refusal}");
    let update = "mutation($id: ID!) { updateDeal(input: { id: $id, patch: { amount: \"1\" } }) { deal { version } } }";
    ada.data(update, json!({ "id": id })).await;
    // another field is not at odds, unless the amount is to be set
    assert_eq!(done(&ada, &id, add(2)).await["version"], 4);
    let mut with_amount = add(2);
    with_amount["setAmount"] = json!(true);
    ada.refused(&set(), json!({ "input": input(&id, with_amount) }), "CONFLICT").await;
}

#[tokio::test]
async fn wrong_items_are_told_by_their_place() {
    let few = |ctx: &mut kontor::ctx::Ctx| {
        std::sync::Arc::make_mut(&mut ctx.limits).line_items_per_deal = 2;
    };
    let server = TestServer::start_with(few).await;
    let ada = server.admin().await;
    let (id, euros) = (deal(&ada).await, product(&ada, "10", "EUR").await);
    let eve = server.other_workspace().await;
    let theirs = product(&eve, "1", "USD").await;
    let a = json!({ "name": "A", "unitPrice": "1" });
    let known = done(&ada, &id, json!({ "set": [a] })).await["lineItems"][0]["id"].clone();
    let with = |field: &str, value: Value| {
        let mut item = a.clone();
        item[field] = value;
        json!({ "add": [item] })
    };
    for (field, changes) in [
        ("add[0].quantity", with("quantity", json!("0"))),
        ("add[0].quantity", with("quantity", json!("0.00001"))),
        ("add[0].unitPrice", with("unitPrice", json!("1000000000000000"))),
        ("add[0].discountPercent", with("discountPercent", json!("100.01"))),
        ("add[0].discountPercent", with("discountPercent", json!("1.001"))),
        ("add[0].name", with("name", json!(" "))),
        ("add[0].productId", with("productId", theirs)),
        ("add[0].id", with("id", known.clone())),
        ("add[0].unitPrice", json!({ "add": [{ "name": "A" }] })),
        ("add[0].unitPrice", json!({ "add": [{ "productId": euros }] })),
        ("add[0].name", json!({ "add": [{ "unitPrice": "1" }] })),
        ("update[0].id", json!({ "update": [{ "name": "B" }] })),
        ("update[0].id", json!({ "update": [{ "id": uuid::Uuid::nil(), "name": "B" }] })),
        ("remove[0]", json!({ "remove": [uuid::Uuid::nil()] })),
        ("update", json!({ "update": [{ "id": known }], "remove": [known] })),
        ("set", json!({ "set": [], "remove": [known] })),
        ("add", json!({ "add": [a, a] })),
    ] {
        let told = wrong(&ada, &id, changes).await;
        assert!(told[field].is_string(), "{field}: {told}");
    }
    // with a price of its own the product's currency is no matter
    let made = done(&ada, &id, json!({ "add": [{ "productId": euros, "unitPrice": "11" }] })).await;
    assert_eq!((&made["version"], &made["lineItems"][1]["name"]), (&json!(3), &json!("Compiler")));
    // an item of another deal is none of this one
    let other = deal(&ada).await;
    assert!(wrong(&ada, &other, json!({ "update": [{ "id": known }] })).await["update[0].id"].is_string());
}

#[tokio::test]
async fn a_total_that_no_amount_can_be_is_not_set() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let id = deal(&ada).await;
    let large = json!({ "name": "A", "unitPrice": "999999999999999", "quantity": "1000" });
    let told = wrong(&ada, &id, json!({ "set": [large], "setAmount": true })).await;
    assert!(told["setAmount"].is_string(), "{told}");
    let kept = done(&ada, &id, json!({ "set": [large] })).await;
    assert_eq!((&kept["amount"], &kept["lineItemsTotal"]), (&json!("5"), &json!("999999999999999000")));
}

#[tokio::test]
async fn items_outlive_their_products_and_are_not_others() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let (id, compiler) = (deal(&ada).await, product(&ada, "10", "USD").await);
    done(&ada, &id, json!({ "set": [{ "productId": compiler }] })).await;
    let query = "query($id: ID!) { deal(id: $id) { lineItems { id name productId product { name } } } }";
    let shown = ada.data(query, json!({ "id": id })).await["deal"]["lineItems"][0].clone();
    assert_eq!((&shown["productId"], &shown["product"]["name"]), (&compiler, &json!("Compiler")));
    ada.data("mutation($id: ID!) { deleteProduct(input: { id: $id }) { deletedId } }", json!({ "id": compiler })).await;
    let shown = ada.data(query, json!({ "id": id })).await["deal"]["lineItems"][0].clone();
    assert_eq!((&shown["productId"], &shown["product"], &shown["name"]), (&compiler, &Value::Null, &json!("Compiler")));
    // what is kept is not looked at anew
    let kept = json!({ "update": [{ "id": shown["id"], "productId": compiler, "quantity": "4" }] });
    assert_eq!(done(&ada, &id, kept).await["lineItemsTotal"], "40");
    sql::run(&server.database.db, "DELETE FROM products").await;
    let shown = ada.data(query, json!({ "id": id })).await["deal"]["lineItems"][0].clone();
    assert_eq!((&shown["productId"], &shown["name"]), (&Value::Null, &json!("Compiler")));

    let (eve, support) = (server.other_workspace().await, ada.invite_role(Role::Support).await);
    let add = json!({ "input": input(&id, json!({ "add": [{ "name": "A", "unitPrice": "1" }] })) });
    eve.refused(&set(), add.clone(), "NOT_FOUND").await;
    assert_eq!(eve.data(query, json!({ "id": id })).await["deal"], Value::Null);
    support.refused(&set(), add.clone(), "FORBIDDEN").await;
    assert_eq!(support.data(query, json!({ "id": id })).await["deal"]["lineItems"][0]["name"], "Compiler");
    ada.data("mutation($id: ID!) { deleteDeal(input: { id: $id }) { deletedId } }", json!({ "id": id })).await;
    ada.refused(&set(), add, "NOT_FOUND").await;
}

#[tokio::test]
async fn a_page_of_deals_with_items_and_times_takes_a_constant_number_of_statements() {
    statements::listen();
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let compiler = product(&ada, "10", "USD").await;
    for number in 0..4 {
        let id = deal(&ada).await;
        let items: Vec<_> = (0..number).map(|_| json!({ "productId": compiler })).collect();
        done(&ada, &id, json!({ "set": items })).await;
    }
    let query = "query($first: Int) { deals(first: $first) { nodes { lineItems { name product { name } } lineItemsTotal
        stageHistory { stage { name } secondsInStage } } } }";
    let counted = async |first: i32| {
        let asked = ada.data(query, json!({ "first": first }));
        let (data, seen) = statements::caused_by(ada.workspace(), asked).await;
        (data, seen.len())
    };
    let (_, for_one) = counted(1).await;
    let (data, for_all) = counted(50).await;
    assert_eq!(for_one, for_all);
    let node = |at: usize| &data["deals"]["nodes"][at];
    assert_eq!((&node(0)["lineItemsTotal"], &node(3)["lineItemsTotal"]), (&json!("30"), &json!("0")));
    assert_eq!(node(3)["stageHistory"].as_array().map(Vec::len), Some(1));
}
