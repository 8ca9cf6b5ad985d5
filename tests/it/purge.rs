//! What was deleted long ago is removed for good: with all that belongs to it, and nothing else.

mod batches;
mod lists;
mod merged;
mod orphans;
mod world;

use kontor::{
    crm::purge::jobs::PurgeRecords,
    jobs::{Enqueued, enqueue},
};
use serde_json::{Value, json};

use crate::support::{client::Client, server::TestServer, sql};
use world::{KINDS, World};

/// Runs the chore, and whatever follows from it.
async fn purge(server: &TestServer) {
    let mut tx = server.database.db.system().await.expect("a transaction");
    enqueue(&mut tx, server.clock.now(), &PurgeRecords {}, Enqueued::default()).await.expect("enqueued");
    tx.commit().await.expect("committed");
    server.jobs_done().await;
    server.events_logged().await;
    server.jobs_done().await;
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn type_name(kind: &str) -> String {
    format!("{}{}", kind[..1].to_uppercase(), &kind[1..])
}

/// A new record's id.
async fn made(client: &Client, kind: &str, fields: Value) -> String {
    let name = type_name(kind);
    let create =
        format!("mutation($of: {name}Input!) {{ create{name}(input: {{ {kind}: $of }}) {{ {kind} {{ id }} }} }}");
    let made = client.data(&create, json!({ "of": fields })).await;
    text(&made[format!("create{name}")][kind]["id"])
}

async fn delete(client: &Client, kind: &str, id: &str) {
    let delete = format!("mutation($id: ID!) {{ delete{}(input: {{ id: $id }}) {{ deletedId }} }}", type_name(kind));
    client.data(&delete, json!({ "id": id })).await;
}

fn restoring(kind: &str) -> String {
    format!("mutation($id: ID!) {{ restore{}(input: {{ id: $id }}) {{ {kind} {{ id }} }} }}", type_name(kind))
}

async fn rows(server: &TestServer, table_and_condition: &str) -> i64 {
    sql::number(&server.database.db, &format!("SELECT count(*) AS value FROM {table_and_condition}")).await
}

/// How many of the world's doomed records have a row.
async fn left(server: &TestServer, world: &World) -> i64 {
    let mut left = 0;
    for kind in KINDS {
        left += rows(server, &format!("{kind}s WHERE id = '{}'", world.doomed(kind))).await;
    }
    left
}

/// What the purge has written down, in all runs.
async fn told(client: &Client) -> Vec<(String, i64)> {
    let log = client.data("{ auditLog(first: 500) { nodes { action actor details } } }", json!({})).await;
    let mut told = std::collections::BTreeMap::new();
    for entry in log["auditLog"]["nodes"].as_array().expect("a list") {
        if entry["action"] == "records.purged" {
            assert_eq!(entry["actor"]["kind"], "system");
            for (what, count) in entry["details"].as_object().expect("an object") {
                *told.entry(what.clone()).or_insert(0) += count.as_i64().expect("a number");
            }
        }
    }
    told.into_iter().collect()
}

/// What lives and led to the doomed, as GraphQL shows it, without the links.
async fn living(client: &Client, world: &World) -> Value {
    let query = "query($contact: ID!, $deal: ID!, $lead: ID!, $list: ID!) {
        contact(id: $contact) { id version updatedAt lastName history { totalCount } }
        deal(id: $deal) { id version updatedAt name history { totalCount } lineItems { name quantity unitPrice } }
        lead(id: $lead) { id version updatedAt convertedDate }
        contactList(id: $list) { contactCount contacts { totalCount nodes { id } } }
        tasks { totalCount nodes { id version updatedAt title } } }";
    client.data(query, world.living()).await
}

#[tokio::test]
async fn everything_of_a_record_goes_with_it_when_its_time_is_over_and_not_before() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let world = World::make(&server, &ada).await;
    let bob = server.other_workspace().await;
    let theirs = [
        made(&bob, "contact", json!({ "lastName": "Old" })).await,
        made(&bob, "contact", json!({ "lastName": "New" })).await,
    ];
    world.delete_all(&ada).await;
    delete(&bob, "contact", &theirs[0]).await;
    server.jobs_done().await;

    server.advance(chrono::TimeDelta::days(29));
    let (ada, bob) = (ada.again().await, bob.again().await);
    purge(&server).await;
    assert_eq!((left(&server, &world).await, told(&ada).await), (6, vec![]));
    for kind in KINDS {
        ada.data(&restoring(kind), json!({ "id": world.doomed(kind) })).await;
        let read = format!("query($id: ID!) {{ {kind}(id: $id) {{ id noteEntries {{ totalCount }} }} }}");
        let read = ada.data(&read, json!({ "id": world.doomed(kind) })).await[kind].clone();
        assert_eq!(read["noteEntries"]["totalCount"], 1, "{kind}");
    }
    server.events_logged().await;
    server.jobs_done().await;
    // as it was before anything was deleted
    orphans::assert_all_attached(&server, &world).await;
    world.delete_all(&ada).await;
    server.advance(chrono::TimeDelta::days(10));
    delete(&bob.again().await, "contact", &theirs[1]).await;
    server.events_logged().await;
    server.jobs_done().await;
    let before = living(&ada.again().await, &world).await;

    server.advance(chrono::TimeDelta::days(21));
    let (ada, bob) = (ada.again().await, bob.again().await);
    purge(&server).await;
    assert_eq!(left(&server, &world).await, 0);
    orphans::assert_none(&server).await;
    for kind in KINDS {
        ada.refused(&restoring(kind), json!({ "id": world.doomed(kind) }), "NOT_FOUND").await;
    }
    let after = living(&ada, &world).await;
    assert_eq!(after, before);
    let links = "query($contact: ID!, $deal: ID!, $lead: ID!) { contact(id: $contact) { accountId account { id } }
        deal(id: $deal) { accountId contactId contact { id } lineItems { productId } }
        lead(id: $lead) { convertedTo { contact { id } account { id } deal { id } } }
        tasks { nodes { leadId contactId accountId dealId } } }";
    let links = ada.data(links, world.living()).await;
    assert_eq!(links["contact"], json!({ "accountId": null, "account": null }));
    let deal = json!({ "accountId": null, "contactId": null, "contact": null, "lineItems": [{ "productId": null }] });
    assert_eq!(links["deal"], deal);
    assert_eq!(links["lead"]["convertedTo"], json!({ "contact": null, "account": null, "deal": null }));
    let nowhere = json!({ "leadId": null, "contactId": null, "accountId": null, "dealId": null });
    assert_eq!(links["tasks"]["nodes"], json!(vec![nowhere; 4]));

    // two contacts: one of them was merged into the other
    let expected = [("account", 1), ("contact", 2), ("deal", 1), ("lead", 1), ("note", 1), ("product", 1), ("task", 1)];
    let expected: Vec<_> = expected.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect();
    assert_eq!(told(&ada).await, expected);
    assert_eq!(told(&bob).await, [("contact".to_owned(), 1)]);
    // of the other workspace only what was deleted long enough ago
    assert_eq!(rows(&server, &format!("contacts WHERE id = '{}'", theirs[0])).await, 0);
    bob.data(&restoring("contact"), json!({ "id": theirs[1] })).await;

    // counts are of what lives
    for kind in KINDS {
        let counted =
            format!("(SELECT 1 FROM {kind}s WHERE workspace_id = '{}' AND deleted_at IS NULL) AS x", ada.workspace());
        let counted = rows(&server, &counted).await;
        let total = ada.data(&format!("{{ {kind}s(first: 1) {{ totalCount }} }}"), json!({})).await;
        assert_eq!(total[format!("{kind}s")]["totalCount"], counted, "{kind}");
    }
    // once more, there is nothing to do
    purge(&server).await;
    assert_eq!(told(&ada).await, expected);
    assert_eq!(living(&ada, &world).await, before);
}

#[tokio::test]
async fn the_time_is_a_setting_and_what_is_over_cannot_be_restored_even_before_it_is_removed() {
    let server = TestServer::start_idle_with(|ctx| {
        std::sync::Arc::make_mut(&mut ctx.limits).deleted_records_days = 5;
    })
    .await;
    let ada = server.admin().await;
    let task = made(&ada, "task", json!({ "title": "T" })).await;
    delete(&ada, "task", &task).await;
    server.advance(chrono::TimeDelta::hours(5 * 24 - 1));
    ada.data(&restoring("task"), json!({ "id": task })).await;
    delete(&ada, "task", &task).await;
    server.advance(chrono::TimeDelta::hours(5 * 24 + 1));
    let ada = ada.again().await;
    ada.refused(&restoring("task"), json!({ "id": task }), "NOT_FOUND").await;
    let restore = "mutation($ids: [ID!]) { bulkRestore(input: { kind: TASK, ids: $ids }) { job { id } } }";
    let job = ada.data(restore, json!({ "ids": [task] })).await["bulkRestore"]["job"]["id"].clone();
    let worker = crate::bulk::worker(&server);
    server.jobs_done().await;
    let shown = "query($id: ID!) { bulkJob(id: $id) { failures { nodes { code } } } }";
    let shown = ada.data(shown, json!({ "id": job })).await;
    assert_eq!(shown["bulkJob"]["failures"]["nodes"], json!([{ "code": "NOT_FOUND" }]));
    purge(&server).await;
    assert_eq!(rows(&server, "tasks").await, 0);
    worker.stop(std::time::Duration::from_secs(5)).await;
}
