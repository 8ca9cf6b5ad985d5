//! SQL of the schema `staging`, under the system role and on connections that can COPY. Names of
//! tables are made by `stage` from ids and numbers, so they can stand in the text.

use std::pin::pin;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio_postgres::Client;

use crate::{
    base::Result,
    db::{from_postgres, quote_identifier},
};

/// Unlogged: what is in it can be read from the file again. Never analysed and never vacuumed: its
/// rows are replaced as a whole, many times a minute.
pub async fn create(client: &Client, table: &str, columns: &str, app_role: &str) -> Result<()> {
    let role = quote_identifier(app_role);
    let statements = format!(
        "CREATE UNLOGGED TABLE {table} ({columns}) WITH (autovacuum_enabled = off); GRANT SELECT ON {table} TO {role}"
    );
    client.batch_execute(&statements).await.map_err(from_postgres)
}

/// Replaces all rows, in two transactions: truncating makes a new file, and if that is rolled back
/// because we died while copying, and PostgreSQL dies within the same second, it cannot start any
/// more ("could not create file ...: File exists", of an unlogged table; seen with version 15).
pub async fn fill(client: &Client, table: &str, rows: Bytes) -> Result<()> {
    client.batch_execute(&format!("TRUNCATE {table}")).await.map_err(from_postgres)?;
    let copy = format!("COPY {table} FROM STDIN (FORMAT binary)");
    let mut sink = pin!(client.copy_in(&copy).await.map_err(from_postgres)?);
    sink.send(rows).await.map_err(from_postgres)?;
    sink.finish().await.map_err(from_postgres)?;
    Ok(())
}

/// The names of all staging tables, without the schema.
pub async fn list(client: &Client) -> Result<Vec<String>> {
    let rows = client.query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'staging'", &[]).await;
    Ok(rows.map_err(from_postgres)?.iter().map(|row| row.get(0)).collect())
}

/// Drops one, unless it is in use for longer than a moment.
pub async fn remove(client: &Client, table: &str) -> Result<()> {
    let table = quote_identifier(table);
    // several statements sent as one are one transaction
    let statements = format!("SET LOCAL lock_timeout = '2s'; DROP TABLE IF EXISTS staging.{table}");
    client.batch_execute(&statements).await.map_err(from_postgres)
}
