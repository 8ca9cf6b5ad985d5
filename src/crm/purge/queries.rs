//! The SQL of the purge. Rows that are to go are named by where they stand (`ctid`), so that no plan can
//! look through a large table for them; locked ones are passed over.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::attached::{self, Attached};
use crate::{
    base::{Result, ids::WorkspaceId},
    crm::RecordKind,
};

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

fn ids(found: Vec<Found>) -> Vec<Uuid> {
    found.into_iter().map(|found| found.id).collect()
}

/// Workspaces behind one in which something was deleted before this time.
pub async fn workspaces(
    connection: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    after: Uuid,
    most: i64,
) -> Result<Vec<WorkspaceId>> {
    let tables = RecordKind::ALL.iter().map(|kind| kind.table()).chain(["notes"]);
    let has = |table| format!("EXISTS (SELECT FROM {table} t WHERE t.workspace_id = w.id AND t.deleted_at < $1)");
    let any: Vec<_> = tables.map(has).collect();
    let statement =
        format!("SELECT w.id FROM workspaces w WHERE w.id > $2 AND ({}) ORDER BY w.id LIMIT $3", any.join(" OR "));
    let found = sql_query(statement)
        .bind::<Timestamptz, _>(before)
        .bind::<SqlUuid, _>(after)
        .bind::<BigInt, _>(most)
        .load(connection)
        .await?;
    Ok(ids(found).into_iter().map(WorkspaceId).collect())
}

/// A record that is to go.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Due {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    pub deleted_at: DateTime<Utc>,
}

/// Which records.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub kind: RecordKind,
    /// Deleted before this time.
    pub before: DateTime<Utc>,
    /// Merges from this time on can be undone.
    pub undoable: DateTime<Utc>,
    /// Deleted after this one.
    pub after: Option<Due>,
    pub most: i64,
}

/// Locks the records that were deleted first, but those that a merge needs which can still be undone.
/// FOR UPDATE: nothing new can lead to them.
pub async fn lock_due(connection: &mut AsyncPgConnection, workspace: WorkspaceId, wanted: Wanted) -> Result<Vec<Due>> {
    let Wanted { kind, before, undoable, after, most } = wanted;
    let statement = format!(
        "SELECT t.id, t.deleted_at FROM {} t WHERE t.workspace_id = $1 AND t.deleted_at < $2 \
            AND ($4 IS NULL OR (t.deleted_at, t.id) > ($4, $5)) \
            AND NOT EXISTS (SELECT FROM record_merge_losers l \
                              JOIN record_merges m ON m.workspace_id = $1 AND m.id = l.merge_id AND m.kind = '{kind}' \
                             WHERE l.workspace_id = $1 AND l.record_id = t.id AND m.undone_at IS NULL \
                               AND m.merged_at >= $3) \
          ORDER BY t.deleted_at, t.id LIMIT $6 FOR UPDATE OF t SKIP LOCKED",
        kind.table()
    );
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Timestamptz, _>(before)
        .bind::<Timestamptz, _>(undoable)
        .bind::<Nullable<Timestamptz>, _>(after.map(|due| due.deleted_at))
        .bind::<Nullable<SqlUuid>, _>(after.map(|due| due.id))
        .bind::<BigInt, _>(most)
        .load(connection)
        .await?)
}

/// Rows of the table that name these records and that nobody holds: `$1` the workspace, `$2` the records,
/// `$3` how many at most.
fn free(attached: &Attached, lock: &str) -> String {
    let Attached { to, table, .. } = attached;
    format!(
        "ctid = ANY(ARRAY(SELECT x.ctid FROM {table} x WHERE x.workspace_id = $1 AND x.{} = ANY($2) \
         LIMIT $3 FOR {lock} SKIP LOCKED))",
        to.link()
    )
}

/// Removes the rows; how many there were.
pub async fn remove(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    attached: &Attached,
    records: &[Uuid],
    most: i64,
) -> Result<i64> {
    let rows = free(attached, "UPDATE");
    let statement = format!("DELETE FROM {} WHERE workspace_id = $1 AND {rows}", attached.table);
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Array<SqlUuid>, _>(records)
        .bind::<BigInt, _>(most)
        .execute(connection)
        .await? as i64)
}

fn unlinking(attached: &Attached) -> String {
    let rows = free(attached, "NO KEY UPDATE");
    format!("UPDATE {} SET {} = NULL WHERE workspace_id = $1 AND {rows}", attached.table, attached.to.link())
}

/// Lets the rows lead nowhere; how many there were.
pub async fn unlink(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    attached: &Attached,
    records: &[Uuid],
    most: i64,
) -> Result<i64> {
    Ok(sql_query(unlinking(attached))
        .bind::<SqlUuid, _>(workspace)
        .bind::<Array<SqlUuid>, _>(records)
        .bind::<BigInt, _>(most)
        .execute(connection)
        .await? as i64)
}

/// The same of records; which they were.
pub async fn unlink_records(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    attached: &Attached,
    records: &[Uuid],
    most: i64,
) -> Result<Vec<Uuid>> {
    let found = sql_query(format!("{} RETURNING id", unlinking(attached)))
        .bind::<SqlUuid, _>(workspace)
        .bind::<Array<SqlUuid>, _>(records)
        .bind::<BigInt, _>(most)
        .load(connection)
        .await?;
    Ok(ids(found))
}

/// Which of these records are still named by a row: somebody holds it.
pub async fn still_named(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    records: &[Uuid],
) -> Result<Vec<Uuid>> {
    let link = kind.link();
    let naming = |attached: &Attached| {
        format!("SELECT x.{link} AS id FROM {} x WHERE x.workspace_id = $1 AND x.{link} = ANY($2)", attached.table)
    };
    let all: Vec<_> = attached::to(kind).map(naming).collect();
    let found = sql_query(all.join(" UNION "))
        .bind::<SqlUuid, _>(workspace)
        .bind::<Array<SqlUuid>, _>(records)
        .load(connection)
        .await?;
    Ok(ids(found))
}

/// Of whom nothing is to be remembered once these records are gone: of themselves, and of those that were
/// merged into them and are gone already. But not of one that was merged, by whichever way, into a record
/// that stays.
pub async fn ended(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    going: &[Uuid],
) -> Result<Vec<Uuid>> {
    let table = kind.table();
    let statement = format!(
        "WITH RECURSIVE below (id) AS ( \
             SELECT unnest($3) \
             UNION \
             SELECT l.record_id FROM below \
               JOIN record_merges m ON m.workspace_id = $1 AND m.kind = $2 AND m.record_id = below.id \
                AND m.undone_at IS NULL \
               JOIN record_merge_losers l ON l.workspace_id = $1 AND l.merge_id = m.id), \
           gone AS ( \
             SELECT b.id FROM below b WHERE b.id = ANY($3) \
                 OR NOT EXISTS (SELECT FROM {table} t WHERE t.workspace_id = $1 AND t.id = b.id)), \
           way (start, id) AS ( \
             SELECT id, id FROM gone \
             UNION \
             SELECT way.start, m.record_id FROM way \
               JOIN record_merge_losers l ON l.workspace_id = $1 AND l.record_id = way.id \
               JOIN record_merges m ON m.workspace_id = $1 AND m.id = l.merge_id AND m.kind = $2 \
                AND m.undone_at IS NULL) \
         SELECT g.id FROM gone g \
          WHERE NOT EXISTS (SELECT FROM way JOIN {table} t ON t.workspace_id = $1 AND t.id = way.id \
                             WHERE way.start = g.id AND t.id <> ALL($3))"
    );
    let found = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Text, _>(kind)
        .bind::<Array<SqlUuid>, _>(going)
        .load(connection)
        .await?;
    Ok(ids(found))
}

/// The rows that tell of records without a foreign key, each as table, alias and condition: `$1` the
/// workspace, `$2` the kind, `$3` the records.
pub const HISTORIES: [(&str, &str); 3] = [
    ("record_changes", "record_changes x WHERE x.workspace_id = $1 AND x.kind = $2 AND x.record_id = ANY($3)"),
    ("timeline", "timeline x WHERE x.workspace_id = $1 AND x.kind = $2 AND x.record_id = ANY($3)"),
    (
        "record_merge_moves",
        "record_merges m JOIN record_merge_moves x ON x.workspace_id = $1 AND x.merge_id = m.id \
          WHERE m.workspace_id = $1 AND m.kind = $2 AND m.record_id = ANY($3)",
    ),
];

/// Removes so many rows at most that tell of these records; how many there were.
pub async fn remove_history(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    (table, rows): (&str, &str),
    kind: RecordKind,
    records: &[Uuid],
    most: i64,
) -> Result<i64> {
    let statement = format!(
        "DELETE FROM {table} WHERE workspace_id = $1 AND ctid = ANY(ARRAY(SELECT x.ctid FROM {rows} LIMIT $4))"
    );
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Text, _>(kind)
        .bind::<Array<SqlUuid>, _>(records)
        .bind::<BigInt, _>(most)
        .execute(connection)
        .await? as i64)
}

/// Removes what is known of merges into these records. What they moved is gone already.
pub async fn remove_merges(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    records: &[Uuid],
) -> Result<()> {
    sql_query("DELETE FROM record_merges WHERE workspace_id = $1 AND kind = $2 AND record_id = ANY($3)")
        .bind::<SqlUuid, _>(workspace)
        .bind::<Text, _>(kind)
        .bind::<Array<SqlUuid>, _>(records)
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes the records; how many there were.
pub async fn remove_records(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    records: &[Uuid],
) -> Result<i64> {
    let statement =
        format!("DELETE FROM {} WHERE workspace_id = $1 AND id = ANY($2) AND deleted_at IS NOT NULL", kind.table());
    Ok(sql_query(statement).bind::<SqlUuid, _>(workspace).bind::<Array<SqlUuid>, _>(records).execute(connection).await?
        as i64)
}

/// Removes so many notes at most that were deleted before this time; how many there were.
pub async fn remove_notes(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    before: DateTime<Utc>,
    most: i64,
) -> Result<i64> {
    Ok(sql_query(
        "DELETE FROM notes WHERE workspace_id = $1 AND ctid = ANY(ARRAY( \
             SELECT x.ctid FROM notes x WHERE x.workspace_id = $1 AND x.deleted_at < $2 \
              ORDER BY x.deleted_at LIMIT $3 FOR UPDATE SKIP LOCKED))",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Timestamptz, _>(before)
    .bind::<BigInt, _>(most)
    .execute(connection)
    .await? as i64)
}
