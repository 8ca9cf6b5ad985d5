//! kill -9 of the server at any moment of a bulk change: it ends as if nobody had disturbed it.

use std::time::Duration;

use kontor::db::Db;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::time::sleep;

use super::{seed, times};
use crate::{
    bulk::crashing::{change, outcome, prepare},
    support::{eventually, eventually_within, process::Installation, sql},
};

/// For a build without optimisation, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

async fn dealt_with(db: &Db) -> i64 {
    sql::number(db, "SELECT (succeeded + failed + skipped)::bigint AS value FROM bulk_changes").await
}

async fn until_it_ends(db: &Db) {
    let open = "SELECT count(*) AS value FROM jobs WHERE kind = 'crm.bulk' AND state <> 'completed'";
    eventually_within(PATIENCE, "it ends", async || sql::number(db, open).await == 0).await;
    eventually("all is told", async || sql::number(db, "SELECT count(*) AS value FROM outbox").await == 0).await;
}

async fn let_lease_run_out(db: &Db) {
    let forget = "UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s' \
                   WHERE kind = 'crm.bulk' AND state = 'running'";
    sql::run(db, forget).await;
}

/// What it leaves, with so many deaths on the way.
async fn with_deaths(deaths: usize, rng: &mut StdRng) -> Vec<String> {
    let installation = Installation::external().await.set("KONTOR_LIMITS__BULK_BATCH_RECORDS", "2");
    let mut server = installation.serve().await;
    let ada = installation.admin(&server).await;
    let db = installation.db();
    prepare(&db).await;
    let ask = "mutation($input: BulkUpdateInput!) { bulkUpdate(input: $input) { matched } }";
    assert_eq!(ada.data(ask, json!({ "input": change() })).await["bulkUpdate"]["matched"], 310);
    let mut moments: Vec<_> = (0..deaths).map(|_| rng.random_range(0..270)).collect();
    moments.sort_unstable();
    for moment in moments {
        // each run gets ahead, or it would be given up as one that crashes the process
        let moment = (dealt_with(&db).await + 1).max(moment).min(310);
        let_lease_run_out(&db).await;
        eventually_within(PATIENCE, "it gets ahead", async || dealt_with(&db).await >= moment).await;
        sleep(Duration::from_millis(rng.random_range(0..30))).await;
        server.kill().await;
        server = installation.serve().await;
    }
    let_lease_run_out(&db).await;
    until_it_ends(&db).await;
    let outcome = outcome(&db).await;
    assert!(server.stop().await.status.success());
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_at_any_moment_of_a_bulk_change_ends_it_all_the_same() {
    let seed = seed(4);
    let mut rng = StdRng::seed_from_u64(seed);
    let expected = with_deaths(0, &mut rng).await;
    let told = with_deaths(times(3, 20), &mut rng).await;
    let different = expected.iter().zip(&told).find(|(expected, told)| expected != told);
    assert!(different.is_none() && expected.len() == told.len(), "seed {seed}: {different:?}");
}
