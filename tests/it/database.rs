//! Migrations, tenancy and transactions on a real database.

use diesel::{QueryableByName, sql_query, sql_types::Text};
use diesel_async::RunQueryDsl;
use kontor::{
    base::ids::WorkspaceId,
    db::{Connector, migrate},
};

use crate::support::database::{self, database};

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Tables of the public schema that hold no tenant's rows, by decision.
const GLOBAL: &[&str] = &[
    "__diesel_schema_migrations",
    "instance_settings",
    "workspaces",
    "users",
    "members",
    "sessions",
    "session_secrets",
    "tokens",
    "one_time_links",
    "sign_in_failures",
    "outbox",
    "events",
    "event_log_state",
    "reactors",
    "jobs",
    "schedules",
];

#[tokio::test]
async fn every_tenant_table_has_both_locks() {
    let test = database().await;
    let mut tx = test.db.system().await.expect("a transaction");
    let unlocked: Vec<Name> = sql_query(
        "SELECT relname::text AS name FROM pg_class t
          WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
            AND NOT (relname = ANY($1))
            AND NOT (relrowsecurity AND relforcerowsecurity
                 AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = t.oid AND attname = 'workspace_id' AND attnotnull)
                 AND EXISTS (SELECT FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
                              WHERE c.conrelid = t.oid AND c.contype = 'p' AND a.attname = 'workspace_id')
                 AND (SELECT array_agg(polname::text ORDER BY polname) FROM pg_policy WHERE polrelid = t.oid) = '{system,tenant}')",
    )
    .bind::<diesel::sql_types::Array<Text>, _>(GLOBAL)
    .load(tx.connection())
    .await
    .expect("the catalogue answers");
    let names: Vec<_> = unlocked.into_iter().map(|table| table.name).collect();
    assert!(names.is_empty(), "without workspace_id in the key or without forced row-level security: {names:?}");
}

#[tokio::test]
async fn another_workspaces_rows_cannot_be_seen_or_made() {
    let test = database().await;
    let (ours, theirs) = (WorkspaceId::new(), WorkspaceId::new());
    let mut tx = test.db.system().await.expect("a transaction");
    for workspace in [ours, theirs] {
        let make = format!(
            "INSERT INTO workspaces (id, name) VALUES ('{workspace}', 'w');
             INSERT INTO accounts (workspace_id, id, name, created_by, created_at, updated_at)
             VALUES ('{workspace}', gen_random_uuid(), 'a', gen_random_uuid(), now(), now())"
        );
        diesel_async::SimpleAsyncConnection::batch_execute(tx.connection(), &make).await.expect("inserted");
    }
    tx.commit().await.expect("committed");

    let mut tx = test.db.begin(&ours).await.expect("a transaction");
    let seen: Vec<Name> =
        sql_query("SELECT workspace_id::text AS name FROM accounts").load(tx.connection()).await.expect("read");
    assert_eq!(seen.into_iter().map(|row| row.name).collect::<Vec<_>>(), [ours.to_string()]);
    let smuggle = format!(
        "INSERT INTO accounts (workspace_id, id, name, created_by, created_at, updated_at)
         VALUES ('{theirs}', gen_random_uuid(), 'a', gen_random_uuid(), now(), now())"
    );
    sql_query(smuggle).execute(tx.connection()).await.expect_err("row-level security refuses it");
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing_and_its_connection_is_used_again() {
    let test = database().await;
    for _ in 0..50 {
        let mut tx = test.db.system().await.expect("a transaction");
        sql_query("INSERT INTO workspaces (id, name) VALUES (gen_random_uuid(), 'w')")
            .execute(tx.connection())
            .await
            .expect("inserted");
    }
    let mut tx = test.db.system().await.expect("a transaction");
    let left: Vec<Name> = sql_query("SELECT name FROM workspaces").load(tx.connection()).await.expect("read");
    assert!(left.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_migration_goes_down_and_up_again() {
    let test = database().await;
    let connector = Connector::new(&database::config(&test.url)).expect("valid");
    let mut reverted = 0;
    while migrate::revert_last(&connector).await.is_ok() {
        reverted += 1;
        assert!(reverted < 1000);
    }
    assert_eq!(migrate::pending(&connector).await.expect("looked").len(), reverted);
    let ran = migrate::prepare(&connector).await.expect("up again");
    assert_eq!(ran.len(), reverted);
}
