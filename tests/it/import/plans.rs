//! A table that an import has just filled is read by its indexes, without waiting for PostgreSQL's
//! own renewal of its statistics.

use std::fmt::Write;

use super::lab::{Lab, SKIP};
use crate::support::{eventually, sql};

const COUNTRIES: [&str; 4] = ["DE", "FR", "IT", "XX"];

fn people(rows: usize) -> String {
    let mut text = "email,country\n".to_owned();
    for row in 0..rows {
        // one in four thousand is rare
        let country = if row % 4_000 == 0 { COUNTRIES[3] } else { COUNTRIES[row % 3] };
        writeln!(text, "p{row}@x.de,{country}").expect("a text grows");
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_just_filled_is_known_to_the_planner() {
    let lab = Lab::in_batches(1_000).await;
    let db = &lab.ctx.db;
    for table in ["contacts", "record_changes"] {
        sql::run(db, &format!("ALTER TABLE {table} SET (autovacuum_enabled = off)")).await;
    }
    let known = async || {
        let known = "SELECT reltuples::bigint AS value FROM pg_class WHERE relname = 'contacts'";
        sql::number(db, known).await
    };
    assert!(known().await <= 0);

    // while it runs: the import waits for a row that somebody holds, with most of it done
    lab.import("email,country\nheld@x.de,DE\n", SKIP).await;
    let mut holder = db.system().await.expect("a transaction");
    let text = format!("{}held@x.de,DE\n", people(12_000));
    sql::run_in(&mut holder, "UPDATE contacts SET email = 'other@x.de' WHERE email = 'held@x.de'").await;
    let import = lab.create(text, SKIP).await;
    let _worker = lab.worker();
    eventually("the planner knows of the first rows", async || known().await >= 4_000).await;
    holder.commit().await.expect("committed");
    lab.ended(import.id).await;

    assert!((11_000..13_000).contains(&known().await), "{}", known().await);
    let page = |country: &str| {
        format!(
            "EXPLAIN SELECT id FROM contacts WHERE workspace_id = '{}' AND deleted_at IS NULL \
               AND country = '{country}' ORDER BY id DESC LIMIT 51",
            lab.caller.workspace
        )
    };
    for country in COUNTRIES {
        let plan = sql::plan(db, &page(country)).await;
        assert!(plan.contains("Index") && !plan.contains("Sort") && !plan.contains("Seq Scan"), "{plan}");
    }
    assert!(sql::plan(db, &page(COUNTRIES[3])).await.contains("contacts_country_idx"));
}
