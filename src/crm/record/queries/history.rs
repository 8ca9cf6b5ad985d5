//! The SQL of the history: one row per change of a record, read field by field.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Int4, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value as Json;
use uuid::Uuid;

use super::super::{RecordKind, order::Place};
use crate::{
    auth::{Actor, Via},
    base::{
        Error, Result,
        ids::{UserId, WorkspaceId},
        page::PageRequest,
    },
    db::schema::record_changes,
};

/// One row of the history about to be written.
pub struct NewChange<'a> {
    pub kind: RecordKind,
    pub record: Uuid,
    pub version: i32,
    pub at: DateTime<Utc>,
    pub actor: &'a Actor,
    pub origin: Via,
    pub before: Json,
    pub after: Json,
}

pub async fn insert_change(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    change: NewChange<'_>,
) -> Result<()> {
    let actor = serde_json::to_value(change.actor).map_err(Error::internal)?;
    diesel::insert_into(record_changes::table)
        .values((
            record_changes::workspace_id.eq(workspace),
            record_changes::kind.eq(change.kind),
            record_changes::record_id.eq(change.record),
            record_changes::version.eq(change.version),
            record_changes::at.eq(change.at),
            record_changes::actor.eq(actor),
            record_changes::origin.eq(change.origin.as_str()),
            record_changes::before.eq(change.before),
            record_changes::after.eq(change.after),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct Taken {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Which of these changes, each named by its record and the version after it, gave a record that was this
/// user's or nobody's to another owner.
pub async fn taken(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    user: UserId,
    changes: &[(Uuid, i32)],
) -> Result<Vec<Uuid>> {
    let (records, versions): (Vec<_>, Vec<_>) = changes.iter().copied().unzip();
    let found: Vec<Taken> = sql_query(
        "SELECT c.record_id AS id FROM unnest($3, $4) AS w (record_id, version) JOIN record_changes c \
             ON c.workspace_id = $1 AND c.kind = $2 AND c.record_id = w.record_id AND c.version = w.version \
          WHERE c.after ? 'owner_id' AND coalesce(c.before ->> 'owner_id', $5::text) = $5::text \
            AND c.after ->> 'owner_id' <> $5::text",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Text, _>(kind)
    .bind::<Array<SqlUuid>, _>(records)
    .bind::<Array<Int4>, _>(versions)
    .bind::<SqlUuid, _>(user)
    .load(connection)
    .await?;
    Ok(found.into_iter().map(|found| found.id).collect())
}

/// The `after` of each change since a version, the oldest first.
pub async fn changes_since(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    record: Uuid,
    version: i32,
) -> Result<Vec<Json>> {
    Ok(record_changes::table
        .filter(record_changes::workspace_id.eq(workspace))
        .filter(record_changes::kind.eq(kind))
        .filter(record_changes::record_id.eq(record))
        .filter(record_changes::version.gt(version))
        .order(record_changes::version)
        .select(record_changes::after)
        .load(connection)
        .await?)
}

/// One field of one change.
#[derive(QueryableByName)]
pub struct FieldRow {
    #[diesel(sql_type = SqlUuid)]
    pub record: Uuid,
    /// Whose change it was.
    #[diesel(sql_type = SqlUuid)]
    pub source: Uuid,
    #[diesel(sql_type = Int4)]
    pub version: i32,
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    #[diesel(sql_type = Jsonb)]
    pub actor: Json,
    #[diesel(sql_type = Text)]
    pub origin: String,
    #[diesel(sql_type = Text)]
    pub field: String,
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub before: Option<Json>,
    #[diesel(sql_type = Jsonb)]
    pub after: Json,
}

/// Which of a change's keys are fields: these columns, and custom fields.
const WANTED: &str = "(changed.key = ANY($3) OR starts_with(changed.key, 'custom.'))";

/// Whether a change is one of the record `wanted`, or of one that was merged into it.
const OF_WANTED: &str = "c.record_id IN (SELECT wanted.id UNION ALL SELECT records_merged_into($1, $2, wanted.id))";

/// What a [`FieldRow`] is made of besides its record, from `c` and the fields of its change.
const FIELD_ROW: &str = "c.record_id AS source, c.version, c.at, c.actor, c.origin, changed.key AS field, \
     c.before -> changed.key AS before, changed.value AS after";

/// The fields of these changes, each named by its record and the version after it; only those with
/// these columns, and custom fields.
pub async fn fields_of_versions(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    columns: &[&str],
    versions: &[(Uuid, i32)],
) -> Result<Vec<FieldRow>> {
    let (ids, versions): (Vec<_>, Vec<_>) = versions.iter().copied().unzip();
    let statement = format!(
        "SELECT c.record_id AS record, {FIELD_ROW} FROM unnest($4, $5) AS wanted (id, version) \
           JOIN record_changes c ON c.workspace_id = $1 AND c.kind = $2 AND c.record_id = wanted.id \
                AND c.version = wanted.version \
          CROSS JOIN jsonb_each(c.after) AS changed WHERE {WANTED}"
    );
    let rows = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Text, _>(kind)
        .bind::<Array<Text>, _>(columns)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Int4>, _>(versions);
    Ok(rows.load(connection).await?)
}

/// For each of these records the fields of its changes, the newest first, beyond a place and one
/// more than the page shows; only those with these columns, and custom fields.
pub async fn fields_of_records(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    columns: &[&str],
    records: &[Uuid],
    page: &PageRequest<Place>,
) -> Result<Vec<FieldRow>> {
    let from = page.from.as_ref();
    let statement = format!(
        "SELECT wanted.id AS record, found.* FROM unnest($4) AS wanted (id) CROSS JOIN LATERAL ( \
             SELECT {FIELD_ROW} FROM record_changes c CROSS JOIN jsonb_each(c.after) AS changed \
              WHERE c.workspace_id = $1 AND c.kind = $2 AND {OF_WANTED} AND {WANTED} \
                AND ($5 IS NULL OR (c.at, c.record_id, c.version) < ($5, $6, $7) \
                     OR (c.at, c.record_id, c.version) = ($5, $6, $7) AND changed.key COLLATE \"C\" > $8) \
              ORDER BY c.at DESC, c.record_id DESC, c.version DESC, changed.key COLLATE \"C\" LIMIT $9) AS found \
          ORDER BY wanted.id, found.at DESC, found.source DESC, found.version DESC, found.field COLLATE \"C\""
    );
    let rows = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Text, _>(kind)
        .bind::<Array<Text>, _>(columns)
        .bind::<Array<SqlUuid>, _>(records)
        .bind::<Nullable<Timestamptz>, _>(from.map(|place| place.0))
        .bind::<Nullable<SqlUuid>, _>(from.map(|place| place.1))
        .bind::<Nullable<Int4>, _>(from.map(|place| place.2))
        .bind::<Nullable<Text>, _>(from.map(|place| place.3.as_str()))
        .bind::<BigInt, _>(page.fetch());
    Ok(rows.load(connection).await?)
}

#[derive(QueryableByName)]
pub struct Counted {
    #[diesel(sql_type = SqlUuid)]
    pub record: Uuid,
    #[diesel(sql_type = BigInt)]
    pub fields: i64,
}

/// How many fields the changes of each of these records have in all; none for a record without.
pub async fn count_fields(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    columns: &[&str],
    records: &[Uuid],
) -> Result<Vec<Counted>> {
    let rows = sql_query(format!(
        "SELECT wanted.id AS record, count(*) AS fields FROM unnest($4) AS wanted (id) \
           JOIN record_changes c ON c.workspace_id = $1 AND c.kind = $2 AND {OF_WANTED} \
          CROSS JOIN jsonb_object_keys(c.after) AS changed (key) WHERE {WANTED} GROUP BY wanted.id"
    ))
    .bind::<SqlUuid, _>(workspace)
    .bind::<Text, _>(kind)
    .bind::<Array<Text>, _>(columns)
    .bind::<Array<SqlUuid>, _>(records);
    Ok(rows.load(connection).await?)
}
