//! Deleting by criteria: who matches is deleted and nobody else, each with its event and its line in the
//! history; and all of them return.

use std::{collections::BTreeSet, sync::Arc};

use kontor::{
    crm::{Account, Contact, Deal, Lead, Product, Task, record::Record},
    ctx::Ctx,
};
use serde_json::{Value, json};

use super::{DELETE, RESTORE, UNDO, counts, done, equals, many, number};
use crate::support::{client::Client, live::Live, records::make_record, server::TestServer, sql};

const CHANGES: &str = "subscription($after: String) { recordChanged(kind: CONTACT, after: $after) { action recordId
    actor { userId } } }";

async fn heard(live: &mut Live, count: usize, action: &str, by: &Client) -> BTreeSet<String> {
    let mut heard = BTreeSet::new();
    for _ in 0..count {
        let change = live.next().await["recordChanged"].take();
        assert_eq!((&change["action"], &change["actor"]["userId"]), (&json!(action), &json!(by.user())));
        heard.insert(change["recordId"].as_str().expect("an id").to_owned());
    }
    assert_eq!(heard.len(), count, "each once");
    heard
}

/// The ids of these contacts.
async fn those(server: &TestServer, which: &str) -> BTreeSet<String> {
    let query = format!("SELECT id::text AS value FROM contacts WHERE {which}");
    sql::texts(&server.database.db, &query).await.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_matches_is_deleted_and_nobody_else_and_all_return() {
    // so that it takes several batches
    let small = |ctx: &mut Ctx| Arc::make_mut(&mut ctx.limits).bulk_batch_records = 50;
    let server = TestServer::start_with(small).await;
    let ada = server.admin().await;
    let db = &server.database.db;
    many(db, 120, "city", "CASE WHEN n % 2 = 0 THEN 'Riga' ELSE 'RIGA' END").await;
    many(db, 30, "city", "CASE WHEN n % 2 = 0 THEN 'Oslo' END").await;
    many(db, 5, "city, deleted_at, title", "'Riga', now(), 'gone before'").await;
    let eve = server.other_workspace().await;
    make_record::<Contact>(&server.ctx, &eve.caller(), json!({ "lastName": "Eve's", "city": "Riga" })).await;
    let matching = format!("lower(city) = 'riga' AND title IS NULL AND workspace_id = '{}'", ada.workspace());
    let expected = those(&server, &matching).await;
    assert_eq!(expected.len(), 120);
    let mut live = ada.subscribe(CHANGES, json!({ "after": server.cursor().await })).await;

    let mut input = json!({ "kind": "CONTACT", "where": equals("city", "riga"), "expectedCount": 121 });
    let refusal = ada.refused(DELETE, json!({ "input": input }), "CONFLICT").await;
    assert_eq!(refusal["extensions"]["details"]["matched"], 120, "{refusal}");
    assert_eq!(number(&server, "bulk_changes").await, 0, "a refusal starts nothing");
    input["expectedCount"] = json!(120);
    let (job, told) = done(&server, &ada, DELETE, input.clone()).await;
    assert_eq!((counts(&told), &told["matched"], &told["action"]), ([120, 0, 0], &json!(120), &json!("DELETE")));

    let deleted = format!("{matching} AND deleted_at IS NOT NULL AND version = 2");
    assert_eq!(those(&server, &deleted).await, expected);
    assert_eq!(number(&server, "contacts WHERE version = 1").await, 36, "the others are as they were");
    assert_eq!(number(&server, "contacts WHERE deleted_at IS NULL").await, 31);
    let shown = ada
        .data(
            "query($w: RecordCriteria) { all: contacts { totalCount } riga: contacts(where: $w) { totalCount } }",
            json!({ "w": equals("city", "riga") }),
        )
        .await;
    assert_eq!(shown, json!({ "all": { "totalCount": 30 }, "riga": { "totalCount": 0 } }));

    // its event: in the log, and to whoever listens
    server.events_logged().await;
    let events = "events WHERE name = 'record.deleted' AND kind = 'contact'";
    assert_eq!(number(&server, events).await, 3, "one a batch");
    let ids = format!("SELECT unnest(record_ids)::text AS value FROM {events}");
    let ids = sql::texts(db, &ids).await;
    assert_eq!((ids.len(), ids.into_iter().collect::<BTreeSet<_>>()), (120, expected.clone()));
    assert_eq!(heard(&mut live, 120, "DELETED", &ada).await, expected);
    // and its history
    let history = |version: i32, before: bool, batch: &str| {
        format!(
            "record_changes WHERE batch = '{batch}' AND kind = 'contact' AND version = {version} \
                AND before = '{{\"deleted\": {before}}}' AND after = '{{\"deleted\": {}}}' AND actor ->> 'user' = '{}'",
            !before,
            ada.user()
        )
    };
    assert_eq!(number(&server, &history(2, false, &job)).await, 120);
    assert_eq!(number(&server, "record_changes").await, 120);

    // again, there is nobody left
    input["expectedCount"] = json!(0);
    let (_, told) = done(&server, &ada, DELETE, input).await;
    assert_eq!((counts(&told), &told["matched"]), ([0, 0, 0], &json!(0)));

    // some return by name, the others by taking it back; those who were gone before stay so
    let some: BTreeSet<_> = expected.iter().take(20).cloned().collect();
    let (restored, told) = done(&server, &ada, RESTORE, json!({ "kind": "CONTACT", "ids": some })).await;
    assert_eq!(counts(&told), [20, 0, 0]);
    assert_eq!(heard(&mut live, 20, "RESTORED", &ada).await, some);
    let (undone, told) = done(&server, &ada, UNDO, json!({ "jobId": job })).await;
    assert_eq!(counts(&told), [100, 0, 20]);
    assert_eq!(heard(&mut live, 100, "RESTORED", &ada).await, &expected - &some);
    let returned = format!("{matching} AND deleted_at IS NULL AND version = 3");
    assert_eq!(those(&server, &returned).await, expected);
    assert_eq!(number(&server, "contacts WHERE deleted_at IS NOT NULL").await, 5);
    assert_eq!(number(&server, &history(3, true, &restored)).await, 20);
    assert_eq!(number(&server, &history(3, true, &undone)).await, 100);
    let shown = ada.data("{ contacts { totalCount } }", json!({})).await;
    assert_eq!(shown["contacts"]["totalCount"], 150);
}

/// Two records that match, and one that does not.
async fn three<R: Record>(server: &TestServer, client: &Client, fields: Value) -> Vec<String> {
    let mut ids = Vec::new();
    for tags in [json!(["old"]), json!(["old", "dear"]), json!(["dear"])] {
        let mut fields = fields.clone();
        fields["tags"] = tags;
        ids.push(make_record::<R>(&server.ctx, &client.caller(), fields).await.meta().id.to_string());
    }
    ids
}

#[tokio::test]
async fn records_of_every_kind_are_deleted_by_criteria_and_return() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let named = || json!({ "name": "N" });
    let of_kinds = [
        ("LEAD", "leads", three::<Lead>(&server, &ada, json!({ "lastName": "N" })).await),
        ("CONTACT", "contacts", three::<Contact>(&server, &ada, json!({ "lastName": "N" })).await),
        ("ACCOUNT", "accounts", three::<Account>(&server, &ada, named()).await),
        ("DEAL", "deals", three::<Deal>(&server, &ada, named()).await),
        ("PRODUCT", "products", three::<Product>(&server, &ada, named()).await),
        ("TASK", "tasks", three::<Task>(&server, &ada, json!({ "title": "N" })).await),
    ];
    let kinds = ada.data("{ __type(name: \"RecordKind\") { enumValues { name } } }", json!({})).await;
    let known = kinds["__type"]["enumValues"].as_array().expect("values").iter();
    let known: BTreeSet<_> = known.map(|value| value["name"].as_str().expect("a name")).collect();
    assert_eq!(of_kinds.iter().map(|(kind, ..)| *kind).collect::<BTreeSet<_>>(), known);
    let old = json!({ "compare": { "field": "tags", "op": "HAS_ANY", "values": ["old"] } });
    let live = async |many: &str| {
        let query = format!("{{ {many} {{ nodes {{ id }} totalCount }} }}");
        let page = ada.data(&query, json!({})).await[many].take();
        let ids: Vec<_> = page["nodes"].as_array().expect("rows").iter().rev().map(|row| row["id"].clone()).collect();
        assert_eq!(page["totalCount"], ids.len(), "{many}");
        ids
    };
    for (kind, many, ids) in of_kinds {
        let input = json!({ "kind": kind, "where": old, "expectedCount": 2 });
        let (job, told) = done(&server, &ada, DELETE, input).await;
        assert_eq!((counts(&told), &told["kinds"]), ([2, 0, 0], &json!([kind])));
        assert_eq!(live(many).await, ids[2..], "{kind}");
        let (_, told) = done(&server, &ada, UNDO, json!({ "jobId": job })).await;
        assert_eq!(counts(&told), [2, 0, 0], "{kind}");
        assert_eq!(live(many).await, ids, "{kind}");
        server.events_logged().await;
        let word = kind.to_lowercase();
        for name in ["deleted", "restored"] {
            let told = format!(
                "SELECT coalesce(sum(cardinality(record_ids)), 0)::bigint AS value FROM events \
                WHERE name = 'record.{name}' AND kind = '{word}'"
            );
            assert_eq!(sql::number(&server.database.db, &told).await, 2, "{kind} {name}");
        }
        assert_eq!(number(&server, &format!("record_changes WHERE kind = '{word}' AND after ? 'deleted'")).await, 4);
    }
}
