//! Updates, deletions and reassignments, and what is told of them.

use std::{collections::BTreeSet, sync::Arc};

use kontor::{
    auth::Role,
    crm::{Contact, Deal, Task},
    ctx::Ctx,
};
use serde_json::{Value, json};

use super::{DELETE, REASSIGN, RESTORE, UNDO, UPDATE, ask, counts, done, equals, failures, many, number, shown};
use crate::support::{eventually, records::make_record, server::TestServer, sql, statements};

async fn contact(server: &TestServer, client: &crate::support::client::Client, fields: Value) -> String {
    make_record::<Contact>(&server.ctx, &client.caller(), fields).await.id.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_are_updated_by_criteria_with_histories_and_one_event_a_batch() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let field = "mutation { createCustomField(input: { kind: CONTACT, key: \"tier\", label: \"Tier\", type: TEXT,
        isIndexed: true }) { customField { id } } }";
    ada.data(field, json!({})).await;
    let db = &server.database.db;
    many(db, 4_990, "city, tags", "'Riga', ARRAY['old', 'kept']").await;
    let right = "'Riga', 'Chief', ARRAY['kept', 'vip'], '{\"tier\": \"gold\"}'::jsonb";
    many(db, 10, "city, title, tags, custom_fields", right).await;
    many(db, 1_000, "city", "'Oslo'").await;
    server.jobs_done().await;

    let mut input = json!({
        "kind": "CONTACT",
        "where": equals("city", "riga"),
        "patch": { "contact": { "title": " Chief ", "customFields": { "tier": "gold" } } },
        "addTags": ["vip"],
        "removeTags": ["old"],
        "expectedCount": 4_999,
    });
    let refusal = ada.refused(UPDATE, json!({ "input": input }), "CONFLICT").await;
    assert_eq!(refusal["extensions"]["details"]["matched"], 5_000, "{refusal}");
    assert_eq!(number(&server, "bulk_changes").await, 0, "a refusal starts nothing");
    input["expectedCount"] = json!(5_000);
    let (job, shown) = done(&server, &ada, UPDATE, input).await;
    assert_eq!(counts(&shown), [4_990, 0, 10]);
    assert_eq!(
        (&shown["action"], &shown["kinds"], &shown["matched"]),
        (&json!("UPDATE"), &json!(["CONTACT"]), &json!(5_000))
    );

    let right = "contacts WHERE city = 'Riga' AND title = 'Chief' AND tags = '{kept,vip}' AND custom_fields = '{\"tier\": \"gold\"}'::jsonb";
    assert_eq!(number(&server, right).await, 5_000);
    assert_eq!(number(&server, "contacts WHERE city = 'Riga' AND version = 2").await, 4_990);
    assert_eq!(number(&server, "contacts WHERE version = 1").await, 1_010, "those that were right, and others");
    assert_eq!(number(&server, "custom_values WHERE text_value = 'gold'").await, 5_000);
    assert_eq!(number(&server, "bulk_targets").await, 0);
    let change = format!(
        "record_changes WHERE batch = '{job}' AND kind = 'contact' AND version = 2 AND origin = 'system' \
            AND before = '{{\"title\": null, \"tags\": [\"old\", \"kept\"], \"custom.tier\": null}}' \
            AND after = '{{\"title\": \"Chief\", \"tags\": [\"kept\", \"vip\"], \"custom.tier\": \"gold\"}}' \
            AND actor ->> 'through' = '{job}' AND actor ->> 'user' = '{}'",
        ada.user()
    );
    assert_eq!(number(&server, &change).await, 4_990);
    server.events_logged().await;
    let told =
        "events WHERE name = 'record.updated' AND payload -> 'changed' = '[\"custom.tier\", \"tags\", \"title\"]'";
    assert_eq!(number(&server, told).await, 3, "2,000 records in each");
    let all = format!("SELECT sum(cardinality(record_ids))::bigint AS value FROM {told}");
    assert_eq!(sql::number(db, &all).await, 4_990);

    // again, there is nothing to do
    let again = json!({ "kind": "CONTACT", "where": equals("city", "Riga"), "addTags": ["vip"] });
    assert_eq!(counts(&done(&server, &ada, UPDATE, again).await.1), [0, 0, 5_000]);
    assert_eq!(number(&server, "record_changes").await, 4_990);
}

#[tokio::test]
async fn a_record_that_is_refused_takes_no_other_with_it() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let field = "mutation { createCustomField(input: { kind: CONTACT, key: \"code\", label: \"Code\", type: TEXT,
        isUnique: true }) { customField { id } } }";
    ada.data(field, json!({})).await;
    let mut ids = Vec::new();
    for name in ["A", "B", "C"] {
        ids.push(contact(&server, &ada, json!({ "lastName": name, "phone": "1" })).await);
    }
    let deleted = contact(&server, &ada, json!({ "lastName": "D" })).await;
    ada.delete(&format!("/contacts/{deleted}")).await;
    let missing = uuid::Uuid::now_v7().to_string();
    let all: Vec<_> = ids.iter().chain([&deleted, &missing]).collect();
    let input =
        json!({ "kind": "CONTACT", "ids": all, "patch": { "contact": { "email": "Same@x.de", "city": "Rom" } } });
    let (_, shown) = done(&server, &ada, UPDATE, input).await;
    assert_eq!((counts(&shown), &shown["matched"]), ([1, 4, 0], &json!(3)));
    let told: BTreeSet<_> = failures(&shown).into_iter().collect();
    let conflict = |id: &String| (id.clone(), "CONFLICT".to_owned(), Some("email".to_owned()));
    let gone = |id: &String| (id.clone(), "NOT_FOUND".to_owned(), None);
    assert_eq!(told, BTreeSet::from([conflict(&ids[1]), conflict(&ids[2]), gone(&deleted), gone(&missing)]));
    let changed = format!("contacts WHERE id = '{}' AND email = 'same@x.de' AND city = 'Rom' AND version = 2", ids[0]);
    assert_eq!((number(&server, &changed).await, number(&server, "contacts WHERE city = 'Rom'").await), (1, 1));

    // a unique custom field is named
    let input = json!({ "kind": "CONTACT", "ids": ids, "patch": { "contact": { "customFields": { "code": "X" } } } });
    let (_, shown) = done(&server, &ada, UPDATE, input).await;
    assert_eq!(counts(&shown), [1, 2, 0]);
    let custom = |id: &String| (id.clone(), "CONFLICT".to_owned(), Some("customFields.code".to_owned()));
    assert_eq!(failures(&shown), [custom(&ids[1]), custom(&ids[2])]);

    // the kind's own rules hold for each
    let bare = contact(&server, &ada, json!({ "lastName": "E" })).await;
    let input = json!({ "kind": "CONTACT", "ids": [ids[1], bare], "patch": { "contact": { "lastName": null } } });
    let (_, shown) = done(&server, &ada, UPDATE, input).await;
    assert_eq!(counts(&shown), [1, 1, 0]);
    assert_eq!(failures(&shown), [(bare, "BAD_USER_INPUT".to_owned(), Some("lastName".to_owned()))]);

    // so does what it leads to
    let stranger = server.other_workspace().await.user();
    for owner in [json!(stranger), json!(uuid::Uuid::now_v7())] {
        let input = json!({ "kind": "CONTACT", "ids": ids, "patch": { "contact": { "ownerId": owner } } });
        let (_, shown) = done(&server, &ada, UPDATE, input).await;
        assert_eq!(counts(&shown), [0, 3, 0]);
        assert_eq!(failures(&shown)[0].2.as_deref(), Some("ownerId"));
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_at_once() {
    let few = |ctx: &mut Ctx| {
        let limits = Arc::make_mut(&mut ctx.limits);
        (limits.bulk_ids, limits.bulk_records) = (2, 2);
    };
    let server = TestServer::start_with(few).await;
    let ada = server.admin().await;
    let mut ids = Vec::new();
    for name in ["A", "B", "C"] {
        ids.push(contact(&server, &ada, json!({ "lastName": name })).await);
    }
    let one = &ids[..1];
    for (input, field) in [
        (json!({ "kind": "CONTACT", "addTags": ["a"] }), "ids"),
        (json!({ "kind": "CONTACT", "ids": one, "where": { "all": [] }, "addTags": ["a"] }), "ids"),
        (json!({ "kind": "CONTACT", "ids": [], "addTags": ["a"] }), "ids"),
        (json!({ "kind": "CONTACT", "ids": ids, "addTags": ["a"] }), "ids"),
        (json!({ "kind": "CONTACT", "ids": ["x"], "addTags": ["a"] }), "ids"),
        (json!({ "kind": "CONTACT", "ids": one }), "patch"),
        (json!({ "kind": "CONTACT", "ids": one, "patch": { "lead": { "city": "A" } } }), "patch.lead"),
        (json!({ "kind": "CONTACT", "ids": one, "patch": { "contact": { "email": "x" } } }), "email"),
        (json!({ "kind": "CONTACT", "ids": one, "patch": { "contact": { "tags": [] } }, "addTags": ["a"] }), "tags"),
        (json!({ "kind": "CONTACT", "ids": one, "addTags": ["a".repeat(61)] }), "addTags"),
        (json!({ "kind": "CONTACT", "where": equals("nonsense", "x"), "addTags": ["a"] }), "where.compare.field"),
    ] {
        let refusal = ada.refused(UPDATE, json!({ "input": input }), "BAD_USER_INPUT").await;
        assert!(refusal["extensions"]["fields"][field].is_string(), "{field}: {refusal}");
    }
    let all = json!({ "kind": "CONTACT", "where": { "all": [] }, "addTags": ["a"] });
    let refusal = ada.refused(UPDATE, json!({ "input": all }), "TOO_LARGE").await;
    assert!(refusal["message"].as_str().is_some_and(|told| told.contains("limits.bulk_records")), "{refusal}");
    let none = json!({ "kind": "LEAD", "ids": one, "addTags": ["a"] });
    ada.refused(UPDATE, json!({ "input": none }), "NOT_FOUND").await;
    assert_eq!(number(&server, "bulk_changes").await, 0);
}

#[tokio::test]
async fn a_subscriber_hears_of_each_record() {
    let small = |ctx: &mut Ctx| Arc::make_mut(&mut ctx.limits).bulk_batch_records = 15;
    let server = TestServer::start_with(small).await;
    let ada = server.admin().await;
    many(&server.database.db, 100, "city", "'Riga'").await;
    let query = "subscription($after: String) { recordChanged(kind: CONTACT, after: $after) {
        action recordId changes { field before after } record { ... on Contact { city } } } }";
    let mut live = ada.subscribe(query, json!({ "after": server.cursor().await })).await;
    let patch = json!({ "contact": { "city": "Oslo" } });
    done(&server, &ada, UPDATE, json!({ "kind": "CONTACT", "where": equals("city", "Riga"), "patch": patch })).await;
    let mut heard = BTreeSet::new();
    for _ in 0..100 {
        let change = live.next().await["recordChanged"].take();
        assert_eq!(change["changes"], json!([{ "field": "city", "before": "Riga", "after": "Oslo" }]));
        assert_eq!((&change["action"], &change["record"]["city"]), (&json!("UPDATED"), &json!("Oslo")));
        heard.insert(change["recordId"].as_str().expect("an id").to_owned());
    }
    assert_eq!(heard.len(), 100, "each once");
}

#[tokio::test]
async fn deleted_contacts_leave_their_lists_and_return() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(contact(&server, &ada, json!({ "lastName": format!("N{number}") })).await);
    }
    let create =
        "mutation($ids: [ID!]) { createContactList(input: { name: \"L\", contactIds: $ids }) { contactList { id } } }";
    let list = ada.data(create, json!({ "ids": ids })).await["createContactList"]["contactList"]["id"].clone();
    let count = async || {
        let query = "query($id: ID!) { contactList(id: $id) { contactCount } }";
        ada.data(query, json!({ "id": list })).await["contactList"]["contactCount"].as_i64().expect("a count")
    };
    let (first, told) = done(&server, &ada, DELETE, json!({ "kind": "CONTACT", "ids": ids[..4] })).await;
    assert_eq!(counts(&told), [4, 0, 0]);
    eventually("they have left the list", async || count().await == 2).await;
    let again = json!({ "kind": "CONTACT", "ids": ids[3..5] });
    assert_eq!(counts(&done(&server, &ada, DELETE, again).await.1), [1, 0, 1], "one is deleted already");
    assert_eq!(number(&server, "contacts WHERE deleted_at IS NOT NULL").await, 5);
    let (_, told) = done(&server, &ada, RESTORE, json!({ "kind": "CONTACT", "ids": ids[3..] })).await;
    assert_eq!((counts(&told), &told["matched"]), ([2, 0, 1], &json!(2)));
    eventually("two have returned", async || count().await == 3).await;
    // the one that was restored meanwhile is left alone
    let (_, told) = done(&server, &ada, UNDO, json!({ "jobId": first })).await;
    assert_eq!((counts(&told), &told["undoes"]), ([3, 0, 1], &json!(first)));
    eventually("all have returned", async || count().await == 6).await;
    server.events_logged().await;
    assert_eq!(number(&server, "events WHERE name = 'record.deleted'").await, 2);
    assert_eq!(number(&server, "events WHERE name = 'record.restored'").await, 2);
}

#[tokio::test]
async fn deals_come_to_a_stage_by_the_same_rules() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let create = "mutation { createPipeline(input: { name: \"P\", stages: [
        { name: \"First\", type: OPEN, probability: 10 }, { name: \"Won\", type: WON }] }) { pipeline { stages { id } } } }";
    let stages = ada.data(create, json!({})).await["createPipeline"]["pipeline"]["stages"].clone();
    let (first, won) = (&stages[0]["id"], &stages[1]["id"]);
    let mut ids = Vec::new();
    for number in 0..3 {
        let fields = json!({ "name": format!("D{number}"), "stageId": first, "probability": 33 });
        ids.push(make_record::<Deal>(&server.ctx, &ada.caller(), fields).await.id.to_string());
    }
    server.advance(chrono::TimeDelta::hours(2));
    let patch = json!({ "deal": { "stageId": won } });
    let (job, told) = done(&server, &ada, UPDATE, json!({ "kind": "DEAL", "ids": ids, "patch": patch })).await;
    assert_eq!(counts(&told), [3, 0, 0]);
    let query = "query($id: ID!) { deal(id: $id) { version probability closeDate stage { name }
        stageHistory { stage { name } enteredAt leftAt secondsInStage } } }";
    let deal = ada.data(query, json!({ "id": ids[1] })).await["deal"].clone();
    assert_eq!(
        (&deal["version"], &deal["probability"], &deal["stage"]["name"]),
        (&json!(2), &json!(100), &json!("Won"))
    );
    assert!(deal["closeDate"].is_string(), "{deal}");
    let history = deal["stageHistory"].as_array().expect("a list");
    assert_eq!(history.iter().map(|time| &time["stage"]["name"]).collect::<Vec<_>>(), ["First", "Won"]);
    assert!((7_200..7_500).contains(&history[0]["secondsInStage"].as_i64().expect("a number")), "{deal}");
    assert_eq!(history[0]["leftAt"], history[1]["enteredAt"]);
    assert_eq!(number(&server, "deals WHERE stage_entered_at > created_at + interval '1 hour'").await, 3);

    // with what the stage brought
    done(&server, &ada, UNDO, json!({ "jobId": job })).await;
    let deal = ada.data(query, json!({ "id": ids[1] })).await["deal"].clone();
    assert_eq!((&deal["version"], &deal["probability"], &deal["closeDate"]), (&json!(3), &json!(33), &Value::Null));
    assert_eq!((&deal["stage"]["name"], deal["stageHistory"].as_array().map(Vec::len)), (&json!("First"), Some(3)));
}

#[tokio::test]
async fn what_somebody_leaves_behind_is_given_to_another() {
    let server = TestServer::start().await;
    let (ada, rep) = (server.admin().await, server.admin().await.invite_role(Role::SalesRep).await);
    let owned = json!({ "ownerId": rep.user() });
    let with = |name: &str| {
        let mut fields = owned.clone();
        fields[name] = json!("X");
        fields
    };
    make_record::<Contact>(&server.ctx, &ada.caller(), with("lastName")).await;
    make_record::<Task>(&server.ctx, &ada.caller(), with("title")).await;
    make_record::<Deal>(&server.ctx, &ada.caller(), with("name")).await;
    make_record::<Contact>(&server.ctx, &ada.caller(), json!({ "lastName": "nobody's" })).await;
    ada.data("mutation($id: ID!) { deactivateUser(input: { id: $id }) { done } }", json!({ "id": rep.user() })).await;
    let wrong = json!({ "from": ada.user(), "to": rep.user() });
    let refusal = ada.refused(REASSIGN, json!({ "input": wrong }), "BAD_USER_INPUT").await;
    assert!(refusal["extensions"]["fields"]["to"].is_string(), "{refusal}");
    let tasks = json!({ "from": rep.user(), "kinds": ["TASK"] });
    let (_, told) = done(&server, &ada, REASSIGN, tasks).await;
    assert_eq!((counts(&told), &told["kinds"]), ([1, 0, 0], &json!(["TASK"])));
    assert_eq!(number(&server, "tasks WHERE owner_id IS NULL").await, 1);
    let rest = json!({ "from": rep.user(), "to": ada.user(), "expectedCount": 2 });
    let (_, told) = done(&server, &ada, REASSIGN, rest).await;
    assert_eq!(counts(&told), [2, 0, 0]);
    let left = format!(
        "(SELECT owner_id FROM contacts UNION ALL SELECT owner_id FROM deals) o WHERE owner_id = '{}'",
        ada.user()
    );
    assert_eq!(number(&server, &left).await, 2);
    assert_eq!(number(&server, "contacts WHERE owner_id IS NULL AND version = 1").await, 1);
}

#[tokio::test]
async fn only_the_first_failures_are_kept_and_all_are_counted() {
    let few = |ctx: &mut Ctx| {
        let limits = Arc::make_mut(&mut ctx.limits);
        (limits.bulk_failures, limits.bulk_batch_records) = (3, 2);
    };
    let server = TestServer::start_with(few).await;
    let ada = server.admin().await;
    many(&server.database.db, 6, "city", "'Riga'").await;
    let input = json!({ "kind": "CONTACT", "where": { "all": [] }, "patch": { "contact": { "lastName": null } } });
    let (id, _) = ask(&ada, UPDATE, input).await;
    server.jobs_done().await;
    let told = shown(&ada, &id).await;
    assert_eq!((counts(&told), &told["failures"]["totalCount"], failures(&told).len()), ([0, 6, 0], &json!(3), 3));
    let page = "query($id: ID!, $after: String) { bulkJob(id: $id) { failures(first: 2, after: $after) {
        nodes { recordId } pageInfo { hasNextPage endCursor } } } }";
    let first = ada.data(page, json!({ "id": id })).await["bulkJob"]["failures"].clone();
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let after = json!({ "id": id, "after": first["pageInfo"]["endCursor"] });
    let second = ada.data(page, after).await["bulkJob"]["failures"].clone();
    assert_eq!(second["nodes"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_deals_come_to_a_stage_by_as_many_statements_as_few() {
    statements::listen();
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let field =
        "mutation { createCustomField(input: { kind: DEAL, key: \"by\", label: \"By\", type: USER }) { jobId } }";
    ada.data(field, json!({})).await;
    let stages = ada.data("{ pipelines { stages { id } } }", json!({})).await;
    let stage = stages["pipelines"][0]["stages"][2]["id"].clone();
    let mut asked = Vec::new();
    for count in [2, 30] {
        let mut ids = Vec::new();
        for number in 0..count {
            let fields = json!({ "name": format!("D{number}") });
            ids.push(make_record::<Deal>(&server.ctx, &ada.caller(), fields).await.id.to_string());
        }
        server.jobs_done().await;
        let patch = json!({ "deal": { "stageId": stage, "customFields": { "by": ada.user() } } });
        let input = json!({ "kind": "DEAL", "ids": ids, "patch": patch });
        let work = done(&server, &ada, UPDATE, input);
        let ((_, shown), statements) = statements::caused_by(ada.workspace(), work).await;
        assert_eq!(counts(&shown), [count, 0, 0]);
        let reads = |what: &str| statements.iter().filter(|statement| statement.contains(what)).count();
        asked.push([reads("\"pipeline_stages\""), reads("\"members\"")]);
    }
    assert!(asked[0].iter().all(|count| *count > 0), "{asked:?}");
    assert_eq!(asked[0], asked[1]);
}
