//! The SQL of merges: their own rows, and the links that their steps move. What finds duplicates stands
//! in `queries::duplicates`.

pub mod duplicates;

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Bool, Int4, Jsonb, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{model::RecordMerge, relink::Moved};
use crate::{
    auth::{Actor, Via},
    base::{
        Error, Result,
        ids::{MergeId, UserId, WorkspaceId},
    },
    crm::record::RecordKind,
};

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// A merge as it is read.
const COLUMNS: &str = "m.id, m.kind, m.record_id, m.merged_at, m.merged_by, m.before, m.after, m.undone_at, m.undone_by, \
     ARRAY(SELECT l.record_id FROM record_merge_losers l WHERE l.workspace_id = m.workspace_id AND l.merge_id = m.id \
            ORDER BY l.record_id) AS losers";

pub async fn insert(connection: &mut AsyncPgConnection, workspace: WorkspaceId, merge: &RecordMerge) -> Result<()> {
    sql_query(
        "WITH merged AS (INSERT INTO record_merges \
                 (workspace_id, id, kind, record_id, merged_at, merged_by, before, after) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)) \
         INSERT INTO record_merge_losers (workspace_id, merge_id, record_id) SELECT $1, $2, id FROM unnest($9) AS of (id)",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(merge.id)
    .bind::<Text, _>(merge.kind)
    .bind::<SqlUuid, _>(merge.record_id)
    .bind::<Timestamptz, _>(merge.merged_at)
    .bind::<SqlUuid, _>(merge.merged_by)
    .bind::<Jsonb, _>(&merge.before)
    .bind::<Jsonb, _>(&merge.after)
    .bind::<Array<SqlUuid>, _>(&merge.losers)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn find(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: MergeId,
) -> Result<Option<RecordMerge>> {
    let statement = format!("SELECT {COLUMNS} FROM record_merges m WHERE m.workspace_id = $1 AND m.id = $2");
    let row = sql_query(statement).bind::<SqlUuid, _>(workspace).bind::<SqlUuid, _>(id);
    Ok(row.get_result(connection).await.optional()?)
}

/// Waits for those who are making something that leads to these rows, which are locked already, and keeps others
/// from it: what is relinked is then all that there is.
pub async fn hold_alone(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    table: &'static str,
    ids: &[Uuid],
) -> Result<()> {
    sql_query(format!("SELECT id FROM {table} WHERE workspace_id = $1 AND id = ANY($2) ORDER BY id FOR UPDATE"))
        .bind::<SqlUuid, _>(workspace)
        .bind::<Array<SqlUuid>, _>(ids)
        .execute(connection)
        .await?;
    Ok(())
}

/// The merges of which the record is one that stayed or one that did not, the newest first.
pub async fn of_record(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    record: Uuid,
    most: i64,
) -> Result<Vec<RecordMerge>> {
    let statement = format!(
        "SELECT {COLUMNS} FROM record_merges m \
          WHERE m.workspace_id = $1 AND m.kind = $2 \
            AND m.id IN (SELECT o.id FROM record_merges o WHERE o.workspace_id = $1 AND o.kind = $2 AND o.record_id = $3 \
                         UNION ALL SELECT l.merge_id FROM record_merge_losers l \
                                    WHERE l.workspace_id = $1 AND l.record_id = $3) \
          ORDER BY m.id DESC LIMIT $4"
    );
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Text, _>(kind)
        .bind::<SqlUuid, _>(record)
        .bind::<BigInt, _>(most)
        .load(connection)
        .await?)
}

/// What this record is part of, by way of however many merges; none where it is part of none.
pub async fn into(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    record: Uuid,
) -> Result<Option<Uuid>> {
    let found: Option<Found> = sql_query(
        "WITH RECURSIVE way (id, step) AS ( \
             SELECT $3::uuid, 0 \
             UNION ALL \
             SELECT m.record_id, way.step + 1 FROM way \
               JOIN record_merge_losers l ON l.workspace_id = $1 AND l.record_id = way.id \
               JOIN record_merges m ON m.workspace_id = $1 AND m.id = l.merge_id AND m.kind = $2 AND m.undone_at IS NULL \
              WHERE way.step < 1000) \
         SELECT id FROM way WHERE step > 0 ORDER BY step DESC LIMIT 1",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Text, _>(kind)
    .bind::<SqlUuid, _>(record)
    .get_result(connection)
    .await
    .optional()?;
    Ok(found.map(|found| found.id))
}

/// Whether there is such a row, live or deleted.
pub async fn is_there(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    table: &'static str,
    id: Uuid,
) -> Result<bool> {
    let row: Option<Found> = sql_query(format!("SELECT id FROM {table} WHERE workspace_id = $1 AND id = $2"))
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(id)
        .get_result(connection)
        .await
        .optional()?;
    Ok(row.is_some())
}

pub async fn insert_moves(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    merge: MergeId,
    step: &str,
    moved: &[Moved],
) -> Result<()> {
    if moved.is_empty() {
        return Ok(());
    }
    let (rows, data): (Vec<_>, Vec<_>) = moved.iter().map(|moved| (moved.row, &moved.data)).unzip();
    sql_query(
        "INSERT INTO record_merge_moves (workspace_id, merge_id, step, row_id, data) \
         SELECT $1, $2, $3, row_id, data FROM unnest($4, $5) AS moved (row_id, data)",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(merge)
    .bind::<Text, _>(step)
    .bind::<Array<SqlUuid>, _>(rows)
    .bind::<Array<Jsonb>, _>(data)
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct Move {
    #[diesel(sql_type = SqlUuid)]
    row_id: Uuid,
    #[diesel(sql_type = Jsonb)]
    data: Json,
}

/// What a step of a merge moved, in its order.
pub async fn moves(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    merge: MergeId,
    step: &str,
) -> Result<Vec<Moved>> {
    let rows: Vec<Move> = sql_query(
        "SELECT row_id, data FROM record_merge_moves WHERE workspace_id = $1 AND merge_id = $2 AND step = $3 ORDER BY id",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(merge)
    .bind::<Text, _>(step)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| Moved { row: row.row_id, data: row.data }).collect())
}

/// Notes that a merge is undone; what it moved is not needed any more.
pub async fn set_undone(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    merge: MergeId,
    at: DateTime<Utc>,
    by: UserId,
) -> Result<()> {
    sql_query(
        "WITH gone AS (DELETE FROM record_merge_moves WHERE workspace_id = $1 AND merge_id = $2) \
         UPDATE record_merges SET undone_at = $3, undone_by = $4 WHERE workspace_id = $1 AND id = $2",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(merge)
    .bind::<Timestamptz, _>(at)
    .bind::<SqlUuid, _>(by)
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes so many rows at most of what merges moved that can be undone no more; how many there were.
/// Of all workspaces, for the chore.
pub async fn purge_moves(connection: &mut AsyncPgConnection, before: DateTime<Utc>, most: i64) -> Result<usize> {
    Ok(sql_query(
        "DELETE FROM record_merge_moves WHERE (workspace_id, merge_id, id) IN ( \
             SELECT v.workspace_id, v.merge_id, v.id FROM record_merges m \
               JOIN record_merge_moves v ON v.workspace_id = m.workspace_id AND v.merge_id = m.id \
              WHERE m.merged_at < $1 LIMIT $2)",
    )
    .bind::<Timestamptz, _>(before)
    .bind::<BigInt, _>(most)
    .execute(connection)
    .await?)
}

/// Links of records by a column, and who changes them.
pub struct Links {
    pub of: RecordKind,
    pub column: &'static str,
    pub at: DateTime<Utc>,
    pub actor: Actor,
    pub origin: Via,
}

/// A row whose link was changed.
#[derive(QueryableByName)]
pub struct Linked {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// A record's, after the change.
    #[diesel(sql_type = Int4)]
    pub version: i32,
    /// Where it led to.
    #[diesel(sql_type = SqlUuid)]
    pub former: Uuid,
    #[diesel(sql_type = Bool)]
    pub live: bool,
}

/// The change of links as one of each record: its next version, with its row in the history. `wanted`
/// gives the rows with where they lead and where they will lead to; `$1` is the workspace, `$2` the time,
/// `$3` the actor, `$4` the origin.
fn changing(links: &Links, wanted: &str) -> String {
    let (table, kind, column) = (links.of.table(), links.of, links.column);
    format!(
        "WITH wanted AS MATERIALIZED ({wanted}), \
              updated AS (UPDATE {table} t SET {column} = wanted.later, version = t.version + 1, updated_at = $2 \
                            FROM wanted WHERE t.workspace_id = $1 AND t.id = wanted.id \
                       RETURNING t.id, t.version, wanted.former, wanted.later, t.deleted_at IS NULL AS live), \
              kept AS (INSERT INTO record_changes \
                           (workspace_id, kind, record_id, version, at, actor, origin, before, after) \
                       SELECT $1, '{kind}', id, version, $2, $3, $4, jsonb_build_object('{column}', former::text), \
                              jsonb_build_object('{column}', later::text) FROM updated) \
         SELECT id, version, former, live FROM updated ORDER BY id"
    )
}

/// Leads the records that lead to one of the losers to the winner, deleted ones too.
pub async fn relink(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    links: &Links,
    losers: &[Uuid],
    winner: Uuid,
) -> Result<Vec<Linked>> {
    let Links { of, column, .. } = links;
    let wanted = format!(
        "SELECT id, {column} AS former, $6 AS later FROM {} WHERE workspace_id = $1 AND {column} = ANY($5) \
          ORDER BY id FOR NO KEY UPDATE",
        of.table()
    );
    Ok(sql_query(changing(links, &wanted))
        .bind::<SqlUuid, _>(workspace)
        .bind::<Timestamptz, _>(links.at)
        .bind::<Jsonb, _>(serde_json::to_value(&links.actor).map_err(Error::internal)?)
        .bind::<Text, _>(links.origin.as_str())
        .bind::<Array<SqlUuid>, _>(losers)
        .bind::<SqlUuid, _>(winner)
        .load(connection)
        .await?)
}

/// Leads these records, where they still lead to the winner, to whom they led before.
pub async fn link_back(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    links: &Links,
    winner: Uuid,
    rows: &[Uuid],
    owners: &[Uuid],
) -> Result<Vec<Linked>> {
    let Links { of, column, .. } = links;
    let wanted = format!(
        "SELECT t.id, t.{column} AS former, moved.owner AS later FROM unnest($6, $7) AS moved (id, owner) \
           JOIN {} t ON t.workspace_id = $1 AND t.id = moved.id AND t.{column} = $5 \
          ORDER BY t.id FOR NO KEY UPDATE OF t",
        of.table()
    );
    Ok(sql_query(changing(links, &wanted))
        .bind::<SqlUuid, _>(workspace)
        .bind::<Timestamptz, _>(links.at)
        .bind::<Jsonb, _>(serde_json::to_value(&links.actor).map_err(Error::internal)?)
        .bind::<Text, _>(links.origin.as_str())
        .bind::<SqlUuid, _>(winner)
        .bind::<Array<SqlUuid>, _>(rows)
        .bind::<Array<SqlUuid>, _>(owners)
        .load(connection)
        .await?)
}

/// The column by which rows are known that are no records.
fn key(table: &str) -> &'static str {
    if table == "lead_conversions" { "lead_id" } else { "id" }
}

/// The same as [`relink`] of rows that have no history of their own.
pub async fn relink_rows(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    (table, column): (&'static str, &'static str),
    losers: &[Uuid],
    winner: Uuid,
) -> Result<Vec<Linked>> {
    let key = key(table);
    let statement = format!(
        "WITH wanted AS MATERIALIZED (SELECT {key} AS id, {column} AS former FROM {table} \
                                       WHERE workspace_id = $1 AND {column} = ANY($2) ORDER BY {key} FOR NO KEY UPDATE), \
              updated AS (UPDATE {table} t SET {column} = $3 FROM wanted WHERE t.workspace_id = $1 AND t.{key} = wanted.id \
                       RETURNING wanted.id, wanted.former) \
         SELECT id, 0 AS version, former, true AS live FROM updated ORDER BY id"
    );
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Array<SqlUuid>, _>(losers)
        .bind::<SqlUuid, _>(winner)
        .load(connection)
        .await?)
}

/// The same as [`link_back`] of such rows; how many there were.
pub async fn link_rows_back(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    (table, column): (&'static str, &'static str),
    winner: Uuid,
    rows: &[Uuid],
    owners: &[Uuid],
) -> Result<usize> {
    let key = key(table);
    let statement = format!(
        "UPDATE {table} t SET {column} = moved.owner FROM unnest($3, $4) AS moved (id, owner) \
          WHERE t.workspace_id = $1 AND t.{key} = moved.id AND t.{column} = $2"
    );
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(winner)
        .bind::<Array<SqlUuid>, _>(rows)
        .bind::<Array<SqlUuid>, _>(owners)
        .execute(connection)
        .await?)
}

/// Makes the first conversion of the losers, in time, that of the winner where that has none. The row is
/// known by the winner from then on.
pub async fn take_conversion(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    losers: &[Uuid],
    winner: Uuid,
) -> Result<Vec<Linked>> {
    Ok(sql_query(
        "WITH first AS MATERIALIZED (SELECT lead_id FROM lead_conversions WHERE workspace_id = $1 AND lead_id = ANY($2) \
                 AND NOT EXISTS (SELECT FROM lead_conversions o WHERE o.workspace_id = $1 AND o.lead_id = $3) \
               ORDER BY converted_at, lead_id LIMIT 1 FOR UPDATE), \
              updated AS (UPDATE lead_conversions c SET lead_id = $3 FROM first \
                           WHERE c.workspace_id = $1 AND c.lead_id = first.lead_id RETURNING first.lead_id) \
         SELECT $3 AS id, 0 AS version, lead_id AS former, true AS live FROM updated",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Array<SqlUuid>, _>(losers)
    .bind::<SqlUuid, _>(winner)
    .load(connection)
    .await?)
}

/// Records that lead to others by a custom field.
pub struct CustomLinks<'a> {
    pub of: RecordKind,
    pub key: &'a str,
    pub at: DateTime<Utc>,
    pub actor: Actor,
    pub origin: Via,
}

/// As [`changing`], of a custom field, whose key is `$5`; ids are texts here.
fn changing_custom(of: RecordKind, wanted: &str) -> String {
    let table = of.table();
    format!(
        "WITH wanted AS MATERIALIZED ({wanted}), \
              updated AS (UPDATE {table} t SET custom_fields = jsonb_set(t.custom_fields, ARRAY[$5], to_jsonb(wanted.later)), \
                                 version = t.version + 1, updated_at = $2 \
                            FROM wanted WHERE t.workspace_id = $1 AND t.id = wanted.id \
                       RETURNING t.id, t.version, wanted.former, wanted.later, t.deleted_at IS NULL AS live), \
              kept AS (INSERT INTO record_changes \
                           (workspace_id, kind, record_id, version, at, actor, origin, before, after) \
                       SELECT $1, '{of}', id, version, $2, $3, $4, jsonb_build_object('custom.' || $5, former), \
                              jsonb_build_object('custom.' || $5, later) FROM updated) \
         SELECT id, version, former::uuid AS former, live FROM updated ORDER BY id"
    )
}

/// Leads the records that lead to one of the losers by this custom field to the winner; but for the
/// merged ones themselves. Reads all records of the kind: there is no index over values of all keys.
pub async fn relink_custom(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    links: &CustomLinks<'_>,
    losers: &[Uuid],
    winner: Uuid,
) -> Result<Vec<Linked>> {
    let wanted = format!(
        "SELECT id, custom_fields ->> $5 AS former, $7::text AS later FROM {} \
          WHERE workspace_id = $1 AND custom_fields ->> $5 = ANY($6) AND id::text <> ALL($6) AND id::text <> $7 \
          ORDER BY id FOR NO KEY UPDATE",
        links.of.table()
    );
    let losers: Vec<_> = losers.iter().map(ToString::to_string).collect();
    Ok(sql_query(changing_custom(links.of, &wanted))
        .bind::<SqlUuid, _>(workspace)
        .bind::<Timestamptz, _>(links.at)
        .bind::<Jsonb, _>(serde_json::to_value(&links.actor).map_err(Error::internal)?)
        .bind::<Text, _>(links.origin.as_str())
        .bind::<Text, _>(links.key)
        .bind::<Array<Text>, _>(losers)
        .bind::<Text, _>(winner.to_string())
        .load(connection)
        .await?)
}

/// Leads these records, where they still lead to the winner by this custom field, to whom they led
/// before.
pub async fn link_custom_back(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    links: &CustomLinks<'_>,
    winner: Uuid,
    rows: &[Uuid],
    owners: &[Uuid],
) -> Result<Vec<Linked>> {
    let wanted = format!(
        "SELECT t.id, t.custom_fields ->> $5 AS former, moved.owner::text AS later \
           FROM unnest($7, $8) AS moved (id, owner) \
           JOIN {} t ON t.workspace_id = $1 AND t.id = moved.id AND t.custom_fields ->> $5 = $6 \
          ORDER BY t.id FOR NO KEY UPDATE OF t",
        links.of.table()
    );
    Ok(sql_query(changing_custom(links.of, &wanted))
        .bind::<SqlUuid, _>(workspace)
        .bind::<Timestamptz, _>(links.at)
        .bind::<Jsonb, _>(serde_json::to_value(&links.actor).map_err(Error::internal)?)
        .bind::<Text, _>(links.origin.as_str())
        .bind::<Text, _>(links.key)
        .bind::<Text, _>(winner.to_string())
        .bind::<Array<SqlUuid>, _>(rows)
        .bind::<Array<SqlUuid>, _>(owners)
        .load(connection)
        .await?)
}
