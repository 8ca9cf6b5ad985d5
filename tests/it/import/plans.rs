//! A table that an import has just filled is read by its indexes, without waiting for PostgreSQL's
//! own renewal of its statistics.

use std::fmt::Write;

use kontor::{
    base::page::PageArgs,
    crm::{
        Contact,
        record::{
            ops,
            select::{self, Order},
        },
    },
};

use super::lab::{Lab, SKIP};
use crate::support::{eventually, sql, statements};

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

/// A statement that is planned anew each time costs many times what it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_and_single_records_are_planned_once() {
    let lab = Lab::new().await;
    lab.import(people(12_000), SKIP).await;
    let workspace = lab.caller.workspace;
    let page = select::page::<Contact>(&lab.ctx, &lab.caller, None, Order::NEWEST_FIRST, PageArgs::default());
    let (page, mut seen) = statements::caused_by(workspace, page).await;
    let page = page.expect("a page").rows;
    assert_eq!(page.len(), 50);
    let id = page[7].1.id;
    let (one, more) = statements::caused_by(workspace, ops::get::<Contact>(&lab.ctx, &lab.caller, id.0)).await;
    assert_eq!(one.expect("it is there").id, id);
    seen.extend(more);
    let reads: Vec<_> = seen.iter().filter(|text| text.contains("FROM \"contacts\"")).collect();
    assert_eq!(reads.len(), 2, "{seen:?}");
    let mut tx = lab.ctx.db.begin(&lab.caller).await.expect("a transaction");
    for (name, read) in ["page", "one"].into_iter().zip(reads) {
        let text = read.split(" -- binds").next().expect("the text");
        sql::run_in(&mut tx, &format!("PREPARE {name} AS {text}")).await;
        for _ in 0..8 {
            sql::run_in(&mut tx, &format!("EXECUTE {name}('{workspace}', '{id}')")).await;
        }
        let plans = format!("SELECT generic_plans AS value FROM pg_prepared_statements WHERE name = '{name}'");
        assert!(sql::number_in(&mut tx, &plans).await > 0, "{text}");
    }
}
