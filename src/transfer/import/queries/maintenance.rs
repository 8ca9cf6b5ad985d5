//! SQL that keeps a table in good order, under the system role, which owns the tables.

use tokio_postgres::Client;

use crate::{base::Result, db::from_postgres};

/// Rows of a table as the planner knows them; 0 where it knows nothing yet.
pub async fn known_rows(client: &Client, table: &str) -> Result<i64> {
    let known = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass($1)";
    let row = client.query_opt(known, &[&table]).await.map_err(from_postgres)?;
    Ok(row.map_or(0, |row| row.get(0)))
}

/// Looks at a sample of each table anew. Plans that were kept are made anew, too. A table that
/// somebody else is busy with in this way is left out.
pub async fn renew_statistics(client: &Client, tables: &[&str]) -> Result<()> {
    let statement = format!("ANALYZE (SKIP_LOCKED) {}", tables.join(", "));
    client.batch_execute(&statement).await.map_err(from_postgres)
}

/// Puts into the search index of a table what waits in its list.
pub async fn finish_search_index(client: &Client, table: &str) -> Result<()> {
    let statement = format!("SELECT gin_clean_pending_list('{table}_search_idx')");
    client.batch_execute(&statement).await.map_err(from_postgres)
}
