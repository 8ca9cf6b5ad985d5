//! The kept counts of records: as exact as counting, at any moment, and cheap to read.

use kontor::{
    crm::{
        Account, Contact,
        record::{FieldType, Record, jobs::FoldCounts},
    },
    ctx::Ctx,
    jobs::{Config, Enqueued, Registry, Runner, enqueue},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{
    eventually,
    server::{Client, TestServer},
    sql,
};

const WRONG: &str = "SELECT count(*) AS value FROM \
    (SELECT workspace_id, kind, sum(delta) AS kept FROM record_count_deltas GROUP BY 1, 2) k FULL JOIN \
    (SELECT workspace_id, 'contact' AS kind, count(*) AS there FROM contacts WHERE deleted_at IS NULL GROUP BY 1 \
      UNION ALL \
     SELECT workspace_id, 'account', count(*) FROM accounts WHERE deleted_at IS NULL GROUP BY 1) r \
    USING (workspace_id, kind) WHERE coalesce(kept, 0) <> coalesce(there, 0)";

async fn total(client: &Client, query: &str) -> i64 {
    let page = client.get(&format!("/contacts?{query}")).await.expect(200.try_into().expect("a status"));
    page["pagination"]["total"].as_i64().expect("a total")
}

async fn total_count(client: &Client, arguments: &str) -> i64 {
    let answer = client.data(&format!("{{ contacts{arguments} {{ totalCount }} }}"), json!({})).await;
    answer["contacts"]["totalCount"].as_i64().expect("a count")
}

async fn contact(client: &Client, number: usize) -> Value {
    let body = json!({ "first_name": "Count", "last_name": format!("L{number}"), "email": format!("c{number}@x.de") });
    client.post("/contacts", body).await.data()
}

fn path(contact: &Value) -> String {
    format!("/contacts/{}", contact["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn a_count_follows_every_way_that_records_come_and_go() {
    let server = TestServer::start().await;
    let (admin, other) = (server.admin().await, server.other_workspace().await);
    let db = &server.ctx.db;
    let contacts = [contact(&admin, 1).await, contact(&admin, 2).await, contact(&admin, 3).await];
    contact(&other, 1).await;
    assert_eq!((total(&admin, "").await, total(&other, "").await), (3, 1));
    // refused: nothing is counted
    admin.post("/contacts", json!({ "first_name": "A", "last_name": "B", "email": "c1@x.de" })).await.refused(409);
    admin.put(&path(&contacts[0]), json!({ "title": "Buyer" })).await.data();
    admin.delete(&path(&contacts[1])).await.data();
    admin.delete(&path(&contacts[1])).await.refused(404);
    assert_eq!((total(&admin, "").await, total_count(&admin, "").await), (2, 2));
    let restore = "mutation R($id: ID!) { restoreContact(input: { id: $id }) { contact { id } } }";
    for _ in 0..2 {
        admin.data(restore, json!({ "id": contacts[1]["id"] })).await;
    }
    assert_eq!(total(&admin, "").await, 3);
    // for good, one that is live and one that is not
    admin.delete(&path(&contacts[2])).await.data();
    for gone in [&contacts[0], &contacts[2]] {
        sql::run(db, &format!("DELETE FROM contacts WHERE id = {}", gone["id"].to_string().replace('"', "'"))).await;
    }
    assert_eq!((total(&admin, "").await, total_count(&admin, "").await), (1, 1));
    let mut tx = db.system().await.expect("a transaction");
    sql::run_in(&mut tx, "UPDATE contacts SET deleted_at = now()").await;
    drop(tx);
    assert_eq!(sql::number(db, WRONG).await, 0);
}

/// Everybody writes at once, some of it is refused, and the folding goes on meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_is_exact_whoever_writes_at_the_same_time() {
    let server = TestServer::start_idle().await;
    let admin = server.admin().await;
    let registry = Registry::new().register::<FoldCounts>();
    let worker =
        Runner::new(server.ctx.db.clone(), server.ctx.clock.clone(), server.ctx.clone(), registry, Config::default())
            .start(&CancellationToken::new());
    let write = async |from: usize| {
        for number in from..from + 12 {
            let made = contact(&admin, number).await;
            // the addresses that all of them want
            let taken = json!({ "first_name": "A", "last_name": "B", "email": format!("shared{}@x.de", number % 5) });
            let second = admin.post("/contacts", taken).await;
            assert!(second.status.is_success() || second.status.as_u16() == 409, "{}", second.status);
            if number % 3 == 0 {
                admin.delete(&path(&made)).await.data();
            }
            assert_eq!(sql::number(&server.ctx.db, WRONG).await, 0, "in the middle of it");
        }
    };
    let fold = async || {
        for _ in 0..20 {
            let mut tx = server.ctx.db.system().await.expect("a transaction");
            enqueue::<Ctx, _>(&mut tx, server.ctx.clock.now(), &FoldCounts {}, Enqueued::default())
                .await
                .expect("enqueued");
            tx.commit().await.expect("committed");
            total(&admin, "").await;
        }
    };
    tokio::join!(write(100), write(200), write(300), write(150), fold());
    server.jobs_done().await;
    let there = sql::number(&server.ctx.db, "SELECT count(*) AS value FROM contacts WHERE deleted_at IS NULL").await;
    assert_eq!((total(&admin, "").await, sql::number(&server.ctx.db, WRONG).await), (there, 0));
    drop(worker);
}

#[tokio::test]
async fn folding_leaves_one_row_and_the_same_count() {
    let server = TestServer::start().await;
    let (admin, other) = (server.admin().await, server.other_workspace().await);
    for number in 0..5 {
        contact(&admin, number).await;
        contact(&other, number).await;
    }
    let mut tx = server.ctx.db.system().await.expect("a transaction");
    enqueue::<Ctx, _>(&mut tx, server.ctx.clock.now(), &FoldCounts {}, Enqueued::default()).await.expect("enqueued");
    tx.commit().await.expect("committed");
    let rows = "SELECT count(*) AS value FROM record_count_deltas";
    eventually("all is folded", async || sql::number(&server.ctx.db, rows).await == 2).await;
    assert_eq!((total(&admin, "").await, total(&other, "").await), (5, 5));
}

/// Reading the total of many records looks at none of them; a search is done once for its page and
/// its total.
#[tokio::test]
async fn totals_of_many_records_are_read_and_not_counted() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (workspace, db) = (admin.workspace(), &server.ctx.db);
    let seed = format!(
        "INSERT INTO contacts (workspace_id, id, first_name, last_name, created_by, created_at, updated_at) \
         SELECT '{workspace}', gen_random_uuid(), 'Ann', 'N' || n, '{}', now(), now() FROM generate_series(1, 100000) n",
        admin.user()
    );
    sql::run(db, &seed).await;
    sql::run(db, "ANALYZE contacts").await;
    assert_eq!(total(&admin, "").await, 100_000);
    assert_eq!(sql::number(db, "SELECT count(*) AS value FROM record_count_deltas").await, 1, "one row per statement");
    // so many that an index pays
    let others = "INSERT INTO record_count_deltas (workspace_id, kind, delta) \
                  SELECT gen_random_uuid(), 'contact', 1 FROM generate_series(1, 20000)";
    sql::run(db, others).await;
    sql::run(db, "ANALYZE record_count_deltas").await;
    let read = format!(
        "EXPLAIN SELECT coalesce(sum(delta), 0)::bigint FROM record_count_deltas \
          WHERE workspace_id = '{workspace}' AND kind = 'contact'"
    );
    let plan = sql::plan(db, &read).await;
    assert!(plan.contains("record_count_deltas_pkey") && !plan.contains("Seq Scan"), "{plan}");

    assert_eq!(total(&admin, "search=ann").await, 100_000);
    assert_eq!(total(&admin, "search=n9999&sort=last_name").await, 11);
    assert_eq!(total(&admin, "search=n9999&limit=5&page=3").await, 11);
    assert_eq!(total(&admin, "search=n9999&limit=5&page=4").await, 11, "past the end");
    assert_eq!(total(&admin, "search=nobody").await, 0);
    assert_eq!(total(&admin, "search=n9999&last_name=N99999").await, 1);
    assert_eq!(total(&admin, "last_name=N5").await, 1);
    assert_eq!(total_count(&admin, "(search: \"n9999\")").await, 11);
    let ordered = "{ contacts(first: 3, search: \"n9999\", orderBy: [{ field: LAST_NAME, direction: ASC }]) \
                   { nodes { lastName } } }";
    let page = admin.data(ordered, json!({})).await;
    let names: Vec<_> =
        page["contacts"]["nodes"].as_array().expect("nodes").iter().map(|node| &node["lastName"]).collect();
    assert_eq!(names, ["N9999", "N99990", "N99991"]);
}

/// The words of a choice stand in the database too, which a program of another version may write to.
#[tokio::test]
async fn the_database_knows_the_same_choices() {
    let server = TestServer::start().await;
    let kinds = [(Contact::TABLE, Contact::FIELDS), (Account::TABLE, Account::FIELDS)];
    let mut seen = 0;
    for (table, field) in kinds.iter().flat_map(|(table, fields)| fields.iter().map(move |field| (table, field))) {
        let FieldType::Choice(words) = field.field_type else { continue };
        let column = field.column;
        let known = format!(
            "SELECT pg_get_constraintdef(oid) AS value FROM pg_constraint WHERE conname = '{table}_{column}_check' \
             UNION ALL SELECT column_default FROM information_schema.columns \
              WHERE table_name = '{table}' AND column_name = '{column}'"
        );
        let known = sql::texts(&server.ctx.db, &known).await;
        let quoted: Vec<_> = known[0].split('\'').skip(1).step_by(2).collect();
        assert_eq!(quoted, *words, "{table}.{column}");
        assert_eq!(known[1], format!("'{}'::text", words[0]), "{table}.{column}");
        seen += 1;
    }
    assert_eq!(seen, 3);
}
