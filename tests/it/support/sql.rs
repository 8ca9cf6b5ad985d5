//! Looking into the database and changing it behind the program's back. Here alone, for
//! diesel-async's trait gives its `load` and `execute` to everything where it is imported.

use diesel::{
    QueryableByName, sql_query,
    sql_types::{BigInt, Text},
};
use diesel_async::RunQueryDsl;
use kontor::db::{Db, Tx};

/// Runs a statement in this transaction.
pub async fn run_in(tx: &mut Tx, statement: &str) {
    sql_query(statement).execute(tx.connection()).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// Tries to run a statement; whether that went well.
pub async fn try_run_in(tx: &mut Tx, statement: &str) -> bool {
    sql_query(statement).execute(tx.connection()).await.is_ok()
}

/// Runs a statement as the system role.
pub async fn run(db: &Db, statement: &str) {
    let mut tx = db.system().await.expect("a transaction");
    run_in(&mut tx, statement).await;
    tx.commit().await.expect("committed");
}

/// The one number that this returns in its column `value`.
pub async fn number_in(tx: &mut Tx, statement: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        value: i64,
    }
    let row = sql_query(statement).get_result::<Row>(tx.connection()).await;
    row.unwrap_or_else(|error| panic!("{statement}: {error}")).value
}

pub async fn number(db: &Db, query: &str) -> i64 {
    let mut tx = db.system().await.expect("a transaction");
    number_in(&mut tx, query).await
}

/// The texts that this returns in its column `value`.
pub async fn texts(db: &Db, query: &str) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        value: String,
    }
    let mut tx = db.system().await.expect("a transaction");
    let rows = sql_query(query).load::<Row>(tx.connection()).await;
    rows.unwrap_or_else(|error| panic!("{query}: {error}")).into_iter().map(|row| row.value).collect()
}

/// How this would be run.
pub async fn plan(db: &Db, explain: &str) -> String {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
        line: String,
    }
    let mut tx = db.system().await.expect("a transaction");
    let rows = sql_query(explain).load::<Row>(tx.connection()).await;
    let lines = rows.unwrap_or_else(|error| panic!("{explain}: {error}")).into_iter().map(|row| row.line);
    lines.collect::<Vec<_>>().join("\n")
}
