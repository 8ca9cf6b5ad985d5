//! kill -9 of the server, and of its PostgreSQL with it, at any moment of an import: it ends as if
//! nobody had disturbed it.

use std::time::Duration;

use kontor::{db::Db, transfer::import::ImportOptions};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rustix::process::{Signal, kill_process};
use tokio::time::sleep;

use super::{
    importing::{self, Started},
    seed, times,
};
use crate::{
    import::lab::{NEITHER, SKIP, UPDATE},
    support::{
        eventually, eventually_within,
        import::{file, outcome, staged},
        process::Installation,
        sql,
    },
};

fn rows() -> usize {
    times(4_000, 30_000)
}

/// For an import in a build without optimisation, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Small ones, so that there are many places to die at.
const BATCH: &str = "200";

async fn until_it_ends(import: &Started, db: &Db) {
    eventually_within(PATIENCE, "the import ends", async || import.status(db).await == "completed").await;
    eventually("its job as well", async || import.job_row(db).await.0 == "completed").await;
    let waiting = "SELECT count(*) AS value FROM outbox";
    eventually("all is told", async || sql::number(db, waiting).await == 0).await;
}

async fn undisturbed(text: &str, options: ImportOptions) -> Vec<String> {
    let installation = Installation::external().await.set("KONTOR_LIMITS__IMPORT_BATCH_ROWS", BATCH);
    let server = installation.serve().await;
    let import = importing::start(&installation.admin(&server).await, text, options).await;
    until_it_ends(&import, &installation.db()).await;
    outcome(&installation.db()).await
}

/// Kills it while it starts, or a moment after it took the job up: each costs the job one crash at
/// most, and it is given up at the third without any row in between.
async fn dies_early(installation: &Installation, import: &Started, rng: &mut StdRng) {
    if rng.random_bool(0.5) {
        let starting = installation.spawn(&["serve"]);
        sleep(Duration::from_millis(rng.random_range(0..1_200))).await;
        return starting.kill().await;
    }
    let server = installation.serve().await;
    let db = installation.db();
    let before = import.job_row(&db).await.1;
    import.let_lease_run_out(&db).await;
    eventually("the job is taken up", async || import.job_row(&db).await.1 > before).await;
    sleep(Duration::from_millis(rng.random_range(0..60))).await;
    server.kill().await;
}

async fn dies_and_goes_on(installation: Installation, seed: u64, options: ImportOptions) {
    let mut rng = StdRng::seed_from_u64(seed);
    let text = file(&mut rng, rows());
    let (expected, told) =
        tokio::join!(undisturbed(&text, options), Box::pin(disturbed(installation, &text, options, &mut rng, seed)));
    let different = expected.iter().zip(&told).find(|(expected, told)| expected != told);
    assert!(different.is_none() && expected.len() == told.len(), "seed {seed}: {different:?}");
}

async fn disturbed(
    installation: Installation,
    text: &str,
    options: ImportOptions,
    rng: &mut StdRng,
    seed: u64,
) -> Vec<String> {
    let installation = installation.set("KONTOR_LIMITS__IMPORT_BATCH_ROWS", BATCH);
    let mut server = installation.serve().await;
    let import = importing::start(&installation.admin(&server).await, text, options).await;
    let mut moments: Vec<_> =
        (0..times(4, 20)).map(|_| rng.random_range(0..i64::try_from(rows()).expect("few") * 9 / 10)).collect();
    moments.sort_unstable();
    for moment in moments {
        let db = installation.db();
        let moment = moment.max(import.processed(&db).await + 1);
        import.let_lease_run_out(&db).await;
        eventually_within(PATIENCE, "it gets ahead", async || import.processed(&db).await >= moment).await;
        sleep(Duration::from_millis(rng.random_range(0..60))).await;
        assert_ne!(import.status(&db).await, "completed", "seed {seed}: too quick to die in the middle");
        let postmaster = installation.is_embedded().then(|| installation.postmaster()).flatten();
        server.kill().await;
        if let Some(postmaster) = postmaster
            && rng.random_bool(0.6)
        {
            // while it takes back what was under way; it may be gone by itself already
            sleep(Duration::from_millis(rng.random_range(0..30))).await;
            let _ = kill_process(postmaster, Signal::KILL);
        }
        if rng.random_bool(0.3) {
            dies_early(&installation, &import, rng).await;
        }
        server = installation.serve().await;
    }
    let db = installation.db();
    import.let_lease_run_out(&db).await;
    until_it_ends(&import, &db).await;
    let adds_up = "SELECT (total_rows = processed_rows AND processed_rows = created_rows + updated_rows + \
                    unchanged_rows + skipped_rows + failed_rows AND created_rows = (SELECT count(*) FROM contacts) \
                    AND failed_rows = (SELECT count(*) FROM import_errors))::text AS value FROM imports";
    assert_eq!(sql::texts(&db, adds_up).await, ["true"], "seed {seed}");
    assert_eq!(import.job_row(&db).await.2, 0, "seed {seed}: a death is no failure of the job");
    eventually("nothing is left staged", async || staged(&db).await == 0).await;
    let outcome = outcome(&db).await;
    assert!(server.stop().await.status.success());
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_at_any_moment_of_an_import_ends_it_all_the_same() {
    for (number, options) in [(1, UPDATE), (2, NEITHER)].into_iter().take(times(1, 2)) {
        dies_and_goes_on(Installation::external().await, seed(number), options).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_with_its_own_postgresql_it_ends_it_all_the_same() {
    dies_and_goes_on(Installation::embedded(), seed(3), SKIP).await;
}
