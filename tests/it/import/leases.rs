//! A worker that dies at any moment, any number of times, changes nothing about the outcome.

use std::time::Duration;

use kontor::transfer::import::ImportOptions;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::lab::{Lab, NEITHER, SKIP, UPDATE};
use crate::support::sql;

/// Rows of every sort: new ones, duplicates near and far, bad ones, quoted line breaks.
fn file(rng: &mut StdRng, rows: usize) -> String {
    let mut text = "email,city,notes,status\r\n".to_owned();
    for row in 0..rows {
        let person = if rng.random_bool(0.2) { rng.random_range(0..=row) } else { row };
        let city = rng.random_range(0..3);
        text.push_str(&match rng.random_range(0..20) {
            0 => format!("not an address,{city},,\r\n"),
            1 => format!("u{person}@x.de,{city}\r\n"),
            2 => format!("u{person}@x.de,{city},\"a\r\n\r\n\"\"b\"\"\",\r\n"),
            3 => ",,,\r\n".to_owned(),
            4 => format!("u{person}@x.de,,,nonsense\n"),
            5 => format!("\r\n,City of row {row},row {row},\r\n"),
            6 => format!(",Rom,{row},lead\r\n"),
            _ => format!("u{person}@x.de,{city},,customer\r\n"),
        });
    }
    text
}

/// Everything that an import leaves behind, but for ids and times.
async fn outcome(lab: &Lab) -> Vec<String> {
    let mut all = lab.contacts("jsonb_build_array(email, city, notes, status, source, version, tags)").await;
    let history = "SELECT concat_ws(' ', c.email, h.version, h.before, h.after) AS value FROM record_changes h \
                    JOIN contacts c ON c.id = h.record_id ORDER BY c.email, h.version";
    all.extend(lab.texts(history).await);
    let errors = "SELECT concat_ws('|', row, line, \"column\", value, code, message, cells) AS value FROM import_errors \
                   ORDER BY import_id, row";
    all.extend(lab.texts(errors).await);
    let counts = "SELECT concat_ws('|', status, total_rows, processed_rows, created_rows, updated_rows, unchanged_rows, \
                   skipped_rows, failed_rows, resume_row, resume_byte, resume_line) AS value FROM imports ORDER BY id";
    all.extend(lab.texts(counts).await);
    // every record is told once, whatever the batches
    let told = "SELECT concat_ws(' ', name, payload, cardinality(record_ids)) AS value FROM outbox \
                 WHERE name LIKE 'record.%' ORDER BY id";
    all.extend(lab.texts(told).await);
    all
}

async fn dies_and_goes_on(seed: u64, options: ImportOptions) {
    let mut rng = StdRng::seed_from_u64(seed);
    let text = file(&mut rng, 600);
    let batch = rng.random_range(5..40);

    let undisturbed = Lab::in_batches(batch).await;
    undisturbed.import("email,city\nu1@x.de,first\nu20@x.de,first\n", NEITHER).await;
    undisturbed.import(&text, options).await;

    let lab = Lab::in_batches(batch).await;
    lab.import("email,city\nu1@x.de,first\nu20@x.de,first\n", NEITHER).await;
    let import = lab.create(&text, options).await;
    let mut deaths = 0;
    loop {
        let worker = lab.worker();
        // longer and longer, so that a slow machine comes to the end as well
        let life = Duration::from_millis(rng.random_range(20..200 + 25 * deaths));
        let died = tokio::time::timeout(life, lab.ended(import.id)).await;
        drop(worker);
        if died.is_ok() {
            break;
        }
        deaths += 1;
        // time for the lease to run out; a death is no failure of the job
        let forget = format!(
            "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE id = '{0}' AND lease_until IS NOT NULL; \
             UPDATE jobs SET crashes = 0 WHERE id = '{0}'",
            import.job
        );
        for statement in forget.split(';') {
            sql::run(&lab.ctx.db, statement).await;
        }
    }
    assert!(deaths > 0, "the test is of no use if nothing died: {seed}");
    assert_eq!(outcome(&lab).await, outcome(&undisturbed).await, "seed {seed}, {deaths} deaths");
    let left = "SELECT count(*) AS value FROM pg_tables WHERE schemaname = 'staging'";
    assert_eq!(lab.number(left).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_dies_anywhere_ends_as_if_it_had_not() {
    for (seed, options) in [(1, NEITHER), (2, SKIP), (3, UPDATE), (4, UPDATE)] {
        dies_and_goes_on(seed, options).await;
    }
}

/// Two workers believe that the job is theirs: the one that was too slow writes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_lost_its_lease_disturbs_nobody() {
    let mut rng = StdRng::seed_from_u64(5);
    let text = file(&mut rng, 600);
    let undisturbed = Lab::in_batches(10).await;
    undisturbed.import(&text, UPDATE).await;

    let lab = Lab::in_batches(10).await;
    let import = lab.create(&text, UPDATE).await;
    let workers = [lab.worker(), lab.worker(), lab.worker()];
    let ended = lab.ended(import.id);
    let stolen = async {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(rng.random_range(10..80))).await;
            let steal = "UPDATE jobs SET lease_until = now() - interval '1 s', crashes = 0 WHERE state = 'running'";
            sql::run(&lab.ctx.db, steal).await;
        }
    };
    tokio::join!(ended, stolen);
    drop(workers);
    assert_eq!(outcome(&lab).await, outcome(&undisturbed).await);
}
