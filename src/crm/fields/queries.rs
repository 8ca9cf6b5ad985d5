//! The SQL of definitions, and of what they say about the records that are there.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Bool, Int4, Jsonb, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value as Json;
use uuid::Uuid;

use super::CustomField;
use crate::{
    base::{
        Result,
        ids::{CustomFieldId, JobId, UserId, WorkspaceId},
    },
    crm::{RecordKind, criteria::LIST_SEEN},
    db::schema::custom_fields,
};

pub async fn find(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: CustomFieldId,
) -> Result<Option<CustomField>> {
    let row = custom_fields::table.find((workspace, id)).select(CustomField::as_select());
    Ok(row.first(connection).await.optional()?)
}

pub async fn insert(connection: &mut AsyncPgConnection, workspace: WorkspaceId, field: &CustomField) -> Result<()> {
    let insert = diesel::insert_into(custom_fields::table).values((custom_fields::workspace_id.eq(workspace), field));
    insert.execute(connection).await?;
    Ok(())
}

pub async fn update(connection: &mut AsyncPgConnection, workspace: WorkspaceId, field: &CustomField) -> Result<()> {
    let row =
        custom_fields::table.filter(custom_fields::workspace_id.eq(workspace)).filter(custom_fields::id.eq(field.id));
    diesel::update(row).set(field).execute(connection).await?;
    Ok(())
}

pub async fn delete(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: CustomFieldId) -> Result<()> {
    diesel::delete(custom_fields::table.find((workspace, id))).execute(connection).await?;
    Ok(())
}

/// Puts these into this order; their places count from 1.
pub async fn set_positions(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    ids: &[CustomFieldId],
) -> Result<()> {
    let places: Vec<i32> = (1..).take(ids.len()).collect();
    sql_query(
        "UPDATE custom_fields f SET position = wanted.position FROM unnest($2, $3) AS wanted (id, position) \
          WHERE f.workspace_id = $1 AND f.id = wanted.id",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Array<Int4>, _>(places)
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct HeldValue {
    #[diesel(sql_type = Nullable<Jsonb>)]
    value: Option<Json>,
}

/// The different values that records have under a key, deleted ones too, up to so many; `None` stands
/// for those that are longer than 16 KiB.
pub async fn held_values(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    key: &str,
    most: i64,
) -> Result<Vec<Option<Json>>> {
    let found: Vec<HeldValue> = sql_query(format!(
        "SELECT DISTINCT CASE WHEN octet_length((custom_fields -> $2)::text) <= 16384 THEN custom_fields -> $2 END AS value \
           FROM {} WHERE workspace_id = $1 AND custom_fields ? $2 LIMIT $3",
        kind.table()
    ))
    .bind::<SqlUuid, _>(workspace)
    .bind::<Text, _>(key)
    .bind::<BigInt, _>(most)
    .load(connection)
    .await?;
    Ok(found.into_iter().map(|found| found.value).collect())
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many values more than one live record has.
pub async fn collisions(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    key: &str,
) -> Result<i64> {
    let counted: Counted = sql_query(format!(
        "SELECT count(*) AS count FROM (SELECT lower(custom_fields ->> $2) FROM {} \
          WHERE workspace_id = $1 AND deleted_at IS NULL AND custom_fields ->> $2 IS NOT NULL \
          GROUP BY 1 HAVING count(*) > 1) AS several",
        kind.table()
    ))
    .bind::<SqlUuid, _>(workspace)
    .bind::<Text, _>(key)
    .get_result(connection)
    .await?;
    Ok(counted.count)
}

/// How many live records have one of these choices.
pub async fn choosing(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    field: &CustomField,
    choices: &[&str],
) -> Result<i64> {
    let counted: Counted = sql_query(format!(
        "SELECT count(*) AS count FROM {} WHERE workspace_id = $1 AND deleted_at IS NULL \
            AND CASE WHEN $4 THEN custom_fields -> $2 ?| $3 ELSE custom_fields ->> $2 = ANY($3) END",
        field.kind.table()
    ))
    .bind::<SqlUuid, _>(workspace)
    .bind::<Text, _>(&field.key)
    .bind::<Array<Text>, _>(choices)
    .bind::<Bool, _>(field.field_type == super::CustomType::MultiChoice)
    .get_result(connection)
    .await?;
    Ok(counted.count)
}

/// A list whose criteria name a field.
#[derive(Debug, QueryableByName)]
pub struct ListUse {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Jsonb)]
    pub criteria: Json,
    /// To the one who asks.
    #[diesel(sql_type = Bool)]
    pub is_visible: bool,
}

/// Lists whose criteria name this key, of whatever kind's field: criteria reach other kinds through
/// relations.
pub async fn lists_naming(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    key: &str,
) -> Result<Vec<ListUse>> {
    // at the end of a text, for a path may stand before it
    let named = format!("custom.{key}\"");
    let rows = sql_query(format!(
        "SELECT l.id, l.name, l.criteria, {LIST_SEEN} AS is_visible FROM contact_lists l \
          WHERE l.workspace_id = $1 AND l.deleted_at IS NULL AND position($3 IN l.criteria::text) > 0 \
          ORDER BY l.name, l.id"
    ));
    let rows = rows.bind::<SqlUuid, _>(workspace).bind::<SqlUuid, _>(user).bind::<Text, _>(named);
    Ok(rows.load(connection).await?)
}

/// How far a walk through the records of a kind has come.
#[derive(Debug, QueryableByName)]
pub struct Walked {
    /// The last record of the batch; `None` behind the last of all.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub last: Option<Uuid>,
    #[diesel(sql_type = BigInt)]
    pub seen: i64,
    /// Of these, those that something was done for.
    #[diesel(sql_type = BigInt)]
    pub done: i64,
}

/// Writes the rows of a field for the live records behind this one, so many or all. The records are
/// locked, so that none changes or goes between being read and being written about.
pub async fn fill(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    field: &CustomField,
    after: Uuid,
    most: Option<i64>,
) -> Result<Walked> {
    let statement = format!(
        "WITH batch AS ( \
             SELECT id, custom_fields FROM {} WHERE workspace_id = $1 AND id > $4 AND deleted_at IS NULL \
              ORDER BY workspace_id, id LIMIT $5 FOR SHARE), \
         written AS ( \
             INSERT INTO custom_values \
             SELECT rows.* FROM batch CROSS JOIN custom_value_rows($1, $2, batch.id, batch.custom_fields) AS rows \
              WHERE rows.field_id = $3 \
             ON CONFLICT ON CONSTRAINT custom_values_pkey DO UPDATE SET text_value = EXCLUDED.text_value, \
                number_value = EXCLUDED.number_value, time_value = EXCLUDED.time_value, \
                unique_value = EXCLUDED.unique_value \
             RETURNING 1) \
         SELECT (SELECT id FROM batch ORDER BY id DESC LIMIT 1) AS last, \
                (SELECT count(*) FROM batch) AS seen, (SELECT count(*) FROM written) AS done",
        field.kind.table()
    );
    let walked = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Text, _>(field.kind)
        .bind::<SqlUuid, _>(field.id)
        .bind::<SqlUuid, _>(after)
        .bind::<Nullable<BigInt>, _>(most);
    Ok(walked.get_result(connection).await?)
}

/// Which job is at the rows of a field, if any.
pub async fn set_filling(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    field: CustomFieldId,
    job: Option<JobId>,
) -> Result<()> {
    sql_query("UPDATE custom_fields SET filling_job_id = $3 WHERE workspace_id = $1 AND id = $2")
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(field)
        .bind::<Nullable<SqlUuid>, _>(job)
        .execute(connection)
        .await?;
    Ok(())
}

/// That this job is through with them; where another has begun meanwhile, that one still is at it.
pub async fn end_filling(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    field: CustomFieldId,
    job: JobId,
) -> Result<()> {
    sql_query(
        "UPDATE custom_fields SET filling_job_id = NULL WHERE workspace_id = $1 AND id = $2 AND filling_job_id = $3",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(field)
    .bind::<SqlUuid, _>(job)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes the rows of a field, so many; how many there were.
pub async fn clear_rows(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    field: CustomFieldId,
    most: i64,
) -> Result<usize> {
    // an array and not a join, which without statistics reads the table once for each row
    let deleted = sql_query(
        "DELETE FROM custom_values WHERE workspace_id = $1 AND field_id = $2 AND record_id = ANY(ARRAY( \
             SELECT record_id FROM custom_values WHERE workspace_id = $1 AND field_id = $2 LIMIT $3))",
    );
    let deleted = deleted.bind::<SqlUuid, _>(workspace).bind::<SqlUuid, _>(field).bind::<BigInt, _>(most);
    Ok(deleted.execute(connection).await?)
}

/// Removes the values under a key from the records behind this one, deleted ones too, so many.
pub async fn remove_values(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    key: &str,
    after: Uuid,
    most: i64,
) -> Result<Walked> {
    let table = kind.table();
    let statement = format!(
        "WITH batch AS ( \
             SELECT id FROM {table} WHERE workspace_id = $1 AND id > $3 ORDER BY workspace_id, id LIMIT $4), \
         changed AS ( \
             UPDATE {table} SET custom_fields = custom_fields - $2 \
              WHERE workspace_id = $1 AND id = ANY(ARRAY(SELECT id FROM batch)) AND custom_fields ? $2 RETURNING 1) \
         SELECT (SELECT id FROM batch ORDER BY id DESC LIMIT 1) AS last, \
                (SELECT count(*) FROM batch) AS seen, (SELECT count(*) FROM changed) AS done"
    );
    let walked = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Text, _>(key)
        .bind::<SqlUuid, _>(after)
        .bind::<BigInt, _>(most);
    Ok(walked.get_result(connection).await?)
}
