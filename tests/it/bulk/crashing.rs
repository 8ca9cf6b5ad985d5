//! Workers that lose a bulk change in the middle of it: it ends as if nobody had disturbed it. (What
//! becomes of one whose process dies is in `process/bulk.rs`.)

use std::{sync::Arc, time::Duration};

use kontor::{ctx::Ctx, db::Db};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use super::{UPDATE, ask, equals, many, shown, worker};
use crate::support::{client::Client, server::TestServer, sql};

/// Everything that a bulk change leaves, but for ids and times.
pub async fn outcome(db: &Db) -> Vec<String> {
    let mut all = Vec::new();
    for query in [
        "SELECT concat_ws('|', last_name, city, notes, tags, version) AS value FROM contacts ORDER BY last_name, notes",
        "SELECT concat_ws('|', c.last_name, h.version, h.before, h.after, h.batch = b.id) AS value \
           FROM record_changes h JOIN contacts c ON c.id = h.record_id CROSS JOIN bulk_changes b ORDER BY 1",
        "SELECT concat_ws('|', c.last_name, f.code, f.field, f.message) AS value \
           FROM bulk_failures f JOIN contacts c ON c.id = f.record_id ORDER BY 1",
        "SELECT concat_ws('|', total, succeeded, failed, skipped, noted, (SELECT count(*) FROM bulk_targets), \
                (SELECT max(number) FROM bulk_failures)) AS value FROM bulk_changes",
        // every record is told once, whatever the batches
        "SELECT concat_ws('|', c.last_name, told.name) AS value FROM \
          (SELECT name, unnest(record_ids) AS id FROM events UNION ALL SELECT name, unnest(record_ids) FROM outbox) told \
           JOIN contacts c ON c.id = told.id WHERE told.name LIKE 'record.%' ORDER BY 1",
    ] {
        all.extend(sql::texts(db, query).await);
    }
    all
}

/// Contacts of every sort: those that do not match, that will be refused, that are right in part.
pub async fn prepare(db: &Db) {
    many(db, 300, "city, notes", "CASE WHEN n % 5 = 0 THEN 'Oslo' ELSE 'Riga' END, 'a'").await;
    many(db, 40, "city, notes, tags", "'Riga', 'b', (SELECT array_agg('t' || x) FROM generate_series(1, 100) x)").await;
    many(db, 30, "city, notes, tags, title", "'Riga', 'c', '{seen}'::text[], 'Oslo'").await;
}

/// A change that makes its own criteria untrue.
pub fn change() -> serde_json::Value {
    let patch = json!({ "contact": { "city": "Bergen" } });
    json!({ "kind": "CONTACT", "where": equals("city", "Riga"), "patch": patch, "addTags": ["seen"] })
}

async fn server() -> (TestServer, Client) {
    let small = |ctx: &mut Ctx| Arc::make_mut(&mut ctx.limits).bulk_batch_records = 5;
    let server = TestServer::start_idle_with(small).await;
    let ada = server.admin().await;
    prepare(&server.database.db).await;
    (server, ada)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_lose_their_leases_leave_out_none_and_do_none_twice() {
    let (undisturbed, ada) = server().await;
    let (job, matched) = ask(&ada, UPDATE, change()).await;
    let one = worker(&undisturbed);
    undisturbed.jobs_done().await;
    drop(one);
    let told = shown(&ada, &job).await;
    assert_eq!((matched, super::counts(&told)), (310, [270, 40, 0]));

    let mut rng = StdRng::seed_from_u64(11);
    let (disturbed, ada) = server().await;
    ask(&ada, UPDATE, change()).await;
    let workers = [worker(&disturbed), worker(&disturbed), worker(&disturbed)];
    let stolen = async {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(rng.random_range(5..60))).await;
            let steal = "UPDATE jobs SET lease_until = now() - interval '1 s', crashes = 0 WHERE state = 'running'";
            sql::run(&disturbed.database.db, steal).await;
        }
    };
    tokio::join!(disturbed.jobs_done(), stolen);
    drop(workers);
    undisturbed.events_logged().await;
    disturbed.events_logged().await;
    assert_eq!(outcome(&disturbed.database.db).await, outcome(&undisturbed.database.db).await);
}
