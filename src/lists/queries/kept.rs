//! The SQL of dynamic lists that are kept up to date: what they ask, what they still have to look at, and
//! how far the clock has come.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, Binary, Bool, Int4, Int8, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    base::{
        Result,
        ids::{ContactListId, UserId, WorkspaceId},
    },
    crm::criteria::Sql,
    db::schema::list_changes,
    team::Weekday,
};

/// A dynamic list's row.
#[derive(Debug, Clone, QueryableByName)]
pub struct KeptRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: ContactListId,
    #[diesel(sql_type = Int4)]
    pub version: i32,
    /// Whether its members are still those of former criteria.
    #[diesel(sql_type = Bool)]
    pub is_rebuilding: bool,
    #[diesel(sql_type = SqlUuid)]
    pub created_by: UserId,
    /// What its criteria are known by.
    #[diesel(sql_type = Binary)]
    pub digest: Vec<u8>,
    #[diesel(sql_type = Nullable<Array<Text>>)]
    pub reads: Option<Vec<String>>,
}

/// Criteria, and what they are known by.
#[derive(Debug, Clone, QueryableByName)]
pub struct CriteriaRow {
    #[diesel(sql_type = Binary)]
    pub digest: Vec<u8>,
    #[diesel(sql_type = Jsonb)]
    pub criteria: Json,
}

const KEPT: &str = "SELECT l.id, l.version, l.built_version BETWEEN 1 AND l.version - 1 AS is_rebuilding, \
     l.created_by, l.criteria_digest AS digest, l.reads FROM contact_lists l \
     WHERE l.workspace_id = $1 AND l.list_type = 'dynamic' AND l.deleted_at IS NULL";

/// The lists whose criteria can be answered, as far as is known: those that read any of these, or all.
pub async fn rows(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    reading: Option<&[String]>,
) -> Result<Vec<KeptRow>> {
    let statement =
        format!("{KEPT} AND l.broken IS NULL AND ($2 IS NULL OR l.reads IS NULL OR l.reads && $2) ORDER BY l.id");
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Nullable<Array<Text>>, _>(reading)
        .load(connection)
        .await?)
}

/// The lists whose criteria could not be answered, but for these reasons.
pub async fn broken_rows(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    but: &[&str],
) -> Result<Vec<KeptRow>> {
    let statement = format!("{KEPT} AND l.broken <> ALL($2) ORDER BY l.id");
    Ok(sql_query(statement).bind::<SqlUuid, _>(workspace).bind::<Array<Text>, _>(but).load(connection).await?)
}

/// The criteria of these dynamic lists.
pub async fn criteria(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    lists: &[ContactListId],
) -> Result<Vec<CriteriaRow>> {
    let statement = "SELECT DISTINCT ON (l.criteria_digest) l.criteria_digest AS digest, l.criteria FROM contact_lists l \
          WHERE l.workspace_id = $1 AND l.id = ANY($2) AND l.list_type = 'dynamic'";
    let rows = sql_query(statement).bind::<SqlUuid, _>(workspace).bind::<Array<SqlUuid>, _>(lists);
    Ok(rows.load(connection).await?)
}

/// The list, its row locked, if this is still its version.
pub async fn lock(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ContactListId,
    version: i32,
) -> Result<Option<KeptRow>> {
    let statement = format!("{KEPT} AND l.id = $2 AND l.version = $3 FOR NO KEY UPDATE");
    let row = sql_query(statement).bind::<SqlUuid, _>(workspace).bind::<SqlUuid, _>(id).bind::<Int4, _>(version);
    Ok(row.get_result(connection).await.optional()?)
}

/// Notes what this version of a list reads.
pub async fn set_reads(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ContactListId,
    version: i32,
    reads: &[String],
) -> Result<()> {
    sql_query("UPDATE contact_lists SET reads = $4 WHERE workspace_id = $1 AND id = $2 AND version = $3")
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(id)
        .bind::<Int4, _>(version)
        .bind::<Array<Text>, _>(reads)
        .execute(connection)
        .await?;
    Ok(())
}

/// A list of any workspace.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Listed {
    #[diesel(sql_type = SqlUuid)]
    pub workspace_id: WorkspaceId,
    #[diesel(sql_type = SqlUuid)]
    pub id: ContactListId,
    #[diesel(sql_type = Int4)]
    pub version: i32,
}

/// Every dynamic list of every workspace.
pub async fn all(connection: &mut AsyncPgConnection) -> Result<Vec<Listed>> {
    let statement = "SELECT workspace_id, id, version FROM contact_lists \
          WHERE list_type = 'dynamic' AND deleted_at IS NULL ORDER BY workspace_id, id";
    Ok(sql_query(statement).load(connection).await?)
}

/// Dynamic lists whose criteria were not asked since they were written, and that no job builds.
pub async fn unfollowed(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<Vec<Listed>> {
    let statement = "SELECT workspace_id, id, version FROM contact_lists WHERE workspace_id = $1 \
          AND list_type = 'dynamic' AND deleted_at IS NULL AND broken IS NULL AND reads IS NULL AND build_job_id IS NULL \
          ORDER BY id";
    Ok(sql_query(statement).bind::<SqlUuid, _>(workspace).load(connection).await?)
}

/// What the lists of a workspace read, together.
#[derive(QueryableByName)]
pub struct Reads {
    #[diesel(sql_type = SqlUuid)]
    pub workspace_id: WorkspaceId,
    /// Whether that is not known of one of them.
    #[diesel(sql_type = Bool)]
    pub anything: bool,
    #[diesel(sql_type = Array<Text>)]
    pub reads: Vec<String>,
}

/// What the dynamic lists of each of these workspaces read; a workspace without any is not among them.
pub async fn reads(connection: &mut AsyncPgConnection, workspaces: &[WorkspaceId]) -> Result<Vec<Reads>> {
    let statement = "SELECT l.workspace_id, bool_or(l.reads IS NULL) AS anything, \
                coalesce(array_agg(DISTINCT r.read) FILTER (WHERE r.read IS NOT NULL), '{}') AS reads \
           FROM contact_lists l LEFT JOIN LATERAL unnest(l.reads) AS r (read) ON true \
          WHERE l.workspace_id = ANY($1) AND l.list_type = 'dynamic' AND l.deleted_at IS NULL GROUP BY l.workspace_id";
    Ok(sql_query(statement).bind::<Array<SqlUuid>, _>(workspaces).load(connection).await?)
}

/// Something that dynamic lists have still to look at.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = list_changes)]
pub struct NewChange {
    pub workspace_id: WorkspaceId,
    pub source: String,
    pub fields: Option<Vec<String>>,
    pub record_ids: Vec<Uuid>,
    pub list_ids: Option<Vec<Uuid>>,
    pub is_bulk: bool,
    pub at: DateTime<Utc>,
}

pub async fn add_changes(connection: &mut AsyncPgConnection, changes: &[NewChange]) -> Result<()> {
    // a statement has at most 65,535 values
    for some in changes.chunks(5_000) {
        diesel::insert_into(list_changes::table).values(some).execute(connection).await?;
    }
    Ok(())
}

/// The same, taken to be looked at.
#[derive(Debug, Clone, QueryableByName)]
pub struct Change {
    #[diesel(sql_type = Text)]
    pub source: String,
    #[diesel(sql_type = Nullable<Array<Text>>)]
    pub fields: Option<Vec<String>>,
    #[diesel(sql_type = Array<SqlUuid>)]
    pub record_ids: Vec<Uuid>,
    #[diesel(sql_type = Nullable<Array<SqlUuid>>)]
    pub list_ids: Option<Vec<Uuid>>,
}

/// Takes the oldest changes, so many at most.
pub async fn take_changes(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    is_bulk: bool,
    most: i64,
) -> Result<Vec<Change>> {
    let statement = "DELETE FROM list_changes WHERE workspace_id = $1 AND is_bulk = $2 AND id IN \
         (SELECT id FROM list_changes WHERE workspace_id = $1 AND is_bulk = $2 ORDER BY id LIMIT $3) \
         RETURNING source, fields, record_ids, list_ids";
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Bool, _>(is_bulk)
        .bind::<Int8, _>(most)
        .load(connection)
        .await?)
}

#[derive(QueryableByName)]
struct At {
    #[diesel(sql_type = Nullable<Timestamptz>)]
    at: Option<DateTime<Utc>>,
}

/// When the last of the many changes came that are still to be looked at; none where there are none.
pub async fn last_bulk(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<Option<DateTime<Utc>>> {
    let statement =
        "SELECT (SELECT at FROM list_changes WHERE workspace_id = $1 AND is_bulk ORDER BY id DESC LIMIT 1) AS at";
    let row: At = sql_query(statement).bind::<SqlUuid, _>(workspace).get_result(connection).await?;
    Ok(row.at)
}

/// A workspace's days, and how far its lists were told of time's passing.
pub struct Present {
    pub time_zone: String,
    pub week_start: Weekday,
    pub clock: Option<Clock>,
}

pub struct Clock {
    pub at: DateTime<Utc>,
    pub time_zone: String,
    pub week_start: Weekday,
    /// How long telling them took.
    pub took_millis: i64,
    /// When that was tried last; not written by [`set_clock`], which is told of success.
    pub tried_at: Option<DateTime<Utc>>,
}

#[derive(QueryableByName)]
struct PresentRow {
    #[diesel(sql_type = Text)]
    time_zone: String,
    #[diesel(sql_type = Text)]
    week_start: Weekday,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    told_zone: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    told_start: Option<Weekday>,
    #[diesel(sql_type = Nullable<Int8>)]
    took_millis: Option<i64>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    tried_at: Option<DateTime<Utc>>,
}

pub async fn present(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<Present> {
    let row: PresentRow = sql_query(
        "SELECT w.time_zone, w.week_start, c.at, c.time_zone AS told_zone, c.week_start AS told_start, \
                c.took_millis, c.tried_at \
           FROM workspaces w LEFT JOIN list_clocks c ON c.workspace_id = $1 WHERE w.id = $1",
    )
    .bind::<SqlUuid, _>(workspace)
    .get_result(connection)
    .await?;
    let clock = match (row.at, row.told_zone, row.told_start) {
        (Some(at), Some(time_zone), Some(week_start)) => {
            let took_millis = row.took_millis.unwrap_or_default();
            Some(Clock { at, time_zone, week_start, took_millis, tried_at: row.tried_at })
        }
        _ => None,
    };
    Ok(Present { time_zone: row.time_zone, week_start: row.week_start, clock })
}

/// Notes how far the lists were told of time's passing.
pub async fn set_clock(connection: &mut AsyncPgConnection, workspace: WorkspaceId, clock: &Clock) -> Result<()> {
    sql_query(
        "INSERT INTO list_clocks (workspace_id, at, time_zone, week_start, took_millis) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (workspace_id) DO UPDATE SET at = excluded.at, time_zone = excluded.time_zone, \
             week_start = excluded.week_start, took_millis = excluded.took_millis, tried_at = NULL",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Timestamptz, _>(clock.at)
    .bind::<Text, _>(&clock.time_zone)
    .bind::<Text, _>(clock.week_start)
    .bind::<Int8, _>(clock.took_millis)
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that telling them was tried, in vain, and how long that took.
pub async fn note_tried(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    at: DateTime<Utc>,
    took_millis: i64,
) -> Result<()> {
    sql_query("UPDATE list_clocks SET tried_at = $2, took_millis = $3 WHERE workspace_id = $1")
        .bind::<SqlUuid, _>(workspace)
        .bind::<Timestamptz, _>(at)
        .bind::<Int8, _>(took_millis)
        .execute(connection)
        .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct Workspace {
    #[diesel(sql_type = SqlUuid)]
    workspace_id: WorkspaceId,
}

/// The workspaces with lists to which any of this matters, or of which that is not known.
pub async fn workspaces_reading(connection: &mut AsyncPgConnection, reads: &[&str]) -> Result<Vec<WorkspaceId>> {
    let statement = "SELECT DISTINCT workspace_id FROM contact_lists \
          WHERE list_type = 'dynamic' AND deleted_at IS NULL AND broken IS NULL AND (reads IS NULL OR reads && $1)";
    let rows: Vec<Workspace> = sql_query(statement).bind::<Array<Text>, _>(reads).load(connection).await?;
    Ok(rows.into_iter().map(|row| row.workspace_id).collect())
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// The ids that a statement finds in its column `id`.
pub async fn found(connection: &mut AsyncPgConnection, sql: &Sql) -> Result<Vec<Uuid>> {
    let rows: Vec<IdRow> = sql.query().load(connection).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

#[derive(QueryableByName)]
struct FlippedRow {
    #[diesel(sql_type = Int8)]
    place: i64,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// The same with the column `place`, which says whose id it is.
pub async fn found_by_place(connection: &mut AsyncPgConnection, sql: &Sql) -> Result<Vec<(i64, Uuid)>> {
    let rows: Vec<FlippedRow> = sql.query().load(connection).await?;
    Ok(rows.into_iter().map(|row| (row.place, row.id)).collect())
}

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = SqlUuid)]
    id: ContactListId,
}

/// Locks those of these lists that still have this version, in the order of their ids; which they are.
pub async fn lock_many(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    lists: &[(ContactListId, i32)],
) -> Result<Vec<ContactListId>> {
    let (ids, versions): (Vec<_>, Vec<_>) = lists.iter().copied().unzip();
    let rows: Vec<Locked> = sql_query(
        "SELECT l.id FROM contact_lists l JOIN unnest($2, $3) AS known (id, version) USING (id, version) \
          WHERE l.workspace_id = $1 AND l.list_type = 'dynamic' AND l.deleted_at IS NULL \
          ORDER BY l.id FOR NO KEY UPDATE OF l",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Array<Int4>, _>(versions)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
