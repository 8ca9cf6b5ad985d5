//! A list that takes too long to follow a change is left behind, and holds up no other.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use kontor::{
    base::Limits,
    crm::Deal,
    ctx::Ctx,
    jobs::{Enqueued, enqueue},
    lists::live::clock::TellSlowly,
};
use serde_json::{Value, json};

use super::{
    contacts, held, list,
    settled::{nothing_is_open, settled},
};
use crate::support::{client::Client, eventually, eventually_within, records::make_record, server::TestServer, sql};

async fn dynamic(client: &Client, name: &str, criteria: Value) -> String {
    list(client, json!({ "name": name, "listType": "DYNAMIC", "criteria": criteria })).await
}

async fn state(client: &Client, id: &str) -> Value {
    let query = "query($id: ID!) { contactList(id: $id) { broken building { status } } }";
    client.data(query, json!({ "id": id })).await["contactList"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_list_that_takes_for_ever_holds_up_no_other() {
    let strict = |ctx: &mut Ctx| {
        ctx.limits = Arc::new(Limits { criteria_millis: 1_000, ..(*ctx.limits).clone() });
    };
    let server = TestServer::start_with(strict).await;
    let ada = server.admin().await;
    let db = &server.database.db;
    let contact = contacts(&server, &ada, 1).await.remove(0);
    let mut deals = Vec::new();
    for number in 0..10 {
        let fields = json!({ "name": format!("D{number}"), "contactId": contact });
        deals.push(make_record::<Deal>(&server.ctx, &ada.caller(), fields).await.id.to_string());
    }
    let product = "mutation { createProduct(input: { product: { name: \"P\", price: \"1\" } }) { product { id } } }";
    ada.data(product, json!({})).await;
    // the same product on each of very many lines: so many ways lead from a deal to a deal
    let lines = "INSERT INTO deal_products (workspace_id, id, deal_id, product_id, name, quantity, unit_price, position, \
                                            created_at, updated_at) \
         SELECT d.workspace_id, gen_random_uuid(), d.id, p.id, 'P', 1, 1, n, now(), now() \
           FROM deals d, products p, generate_series(1, 500) n";
    sql::run(db, lines).await;
    sql::run(db, "ANALYZE deal_products").await;
    let mut chain = json!({ "compare": { "field": "createdAt", "op": "IN_LAST", "value": 1, "unit": "DAY" } });
    for relation in ["DEALS", "PRODUCTS", "DEALS", "PRODUCTS", "DEALS", "PRODUCTS", "DEALS"] {
        chain = json!({ "related": { "relation": relation, "where": chain } });
    }
    let endless = dynamic(&ada, "Endless", chain).await;
    let usual = dynamic(&ada, "Usual", json!({ "compare": { "field": "city", "op": "EQ", "value": "Oslo" } })).await;
    let built = json!({ "broken": null, "building": null });
    for id in [&endless, &usual] {
        eventually("it is built", async || state(&ada, id).await == built).await;
    }
    assert_eq!((held(&ada, &endless).await.0, held(&ada, &usual).await.0), (1, 0));

    let delete = "mutation($id: ID!) { deleteDeal(input: { id: $id }) { deletedId } }";
    ada.data(delete, json!({ "id": deals[0] })).await;
    let update =
        "mutation($id: ID!) { updateContact(input: { id: $id, patch: { city: \"Oslo\" } }) { contact { id } } }";
    ada.data(update, json!({ "id": contact })).await;
    eventually_within(Duration::from_secs(90), "the other list follows", async || held(&ada, &usual).await.0 == 1)
        .await;
    let broken = state(&ada, &endless).await["broken"].take();
    assert!(broken.as_str().is_some_and(|why| why.contains("too long")), "{broken}");
    // it keeps its members
    assert_eq!(held(&ada, &endless).await.0, 1);
}

#[tokio::test]
async fn where_all_at_once_took_too_long_lists_are_told_the_time_one_after_the_other() {
    let server = TestServer::start().await;
    let (ada, db) = (server.admin().await, &server.database.db);
    contacts(&server, &ada, 2).await;
    let within =
        |days: i64| json!({ "compare": { "field": "createdAt", "op": "IN_LAST", "value": days, "unit": "DAY" } });
    let week = dynamic(&ada, "Week", within(7)).await;
    let month = dynamic(&ada, "Month", within(30)).await;
    let older = dynamic(&ada, "Older", json!({ "not": within(7) })).await;
    settled(&server).await;
    // nobody tells all of them any more
    sql::run(db, "UPDATE list_clocks SET took_millis = 20000, tried_at = '2100-01-01'").await;
    server.advance(TimeDelta::days(8));
    let ada = ada.again().await;
    settled(&server).await;
    let counts = async || [held(&ada, &week).await.0, held(&ada, &month).await.0, held(&ada, &older).await.0];
    assert_eq!(counts().await, [2, 2, 0]);
    let mut tx = db.system().await.expect("a transaction");
    let about = Enqueued { workspace: Some(ada.workspace()), ..Enqueued::default() };
    enqueue::<Ctx, _>(&mut tx, server.clock.now(), &TellSlowly {}, about).await.expect("enqueued");
    tx.commit().await.expect("committed");
    nothing_is_open(db).await;
    assert_eq!(counts().await, [0, 2, 2]);
    // and what it came to is known: the clock goes on from there
    let known = format!(
        "SELECT count(*) AS value FROM list_clocks WHERE tried_at IS NULL AND at > '{}'",
        (server.clock.now() - TimeDelta::minutes(1)).to_rfc3339()
    );
    assert_eq!(sql::number(db, &known).await, 1);
}
