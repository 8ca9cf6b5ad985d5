//! Many records of one kind at once: their rows and their histories, each by one statement. The rows
//! come as JSON, because which columns change is known only when it happens.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, Int4, Jsonb, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value as Json;
use uuid::Uuid;

use super::super::RecordKind;
use crate::{
    auth::{Actor, Via},
    base::{
        Error, Result,
        ids::{JobId, WorkspaceId},
    },
};

/// Writes these columns, besides version and time, of the records that the rows name by their ids. The
/// rows hold a value for each.
pub async fn update_rows(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    table: &'static str,
    columns: &[&'static str],
    rows: Json,
) -> Result<()> {
    let assignments: String = columns.iter().map(|column| format!(", {column} = n.{column}")).collect();
    let statement = format!(
        "UPDATE {table} t SET version = n.version, updated_at = n.updated_at{assignments} \
           FROM jsonb_populate_recordset(NULL::{table}, $2) AS n WHERE t.workspace_id = $1 AND t.id = n.id"
    );
    sql_query(statement).bind::<SqlUuid, _>(workspace).bind::<Jsonb, _>(rows).execute(connection).await?;
    Ok(())
}

/// What many changes have in common.
pub struct Common<'a> {
    pub kind: RecordKind,
    pub at: DateTime<Utc>,
    pub actor: &'a Actor,
    pub origin: Via,
    pub batch: JobId,
}

/// Writes the history of many changes: id, version, before and after of each.
pub async fn insert_changes(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    common: Common<'_>,
    changes: Json,
) -> Result<()> {
    let actor = serde_json::to_value(common.actor).map_err(Error::internal)?;
    sql_query(
        "INSERT INTO record_changes \
                (workspace_id, kind, record_id, version, at, actor, origin, before, after, batch) \
         SELECT $1, $2, n.id, n.version, $3, $4, $5, n.before, n.after, $6 \
           FROM jsonb_to_recordset($7) AS n (id uuid, version integer, before jsonb, after jsonb)",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Text, _>(common.kind)
    .bind::<Timestamptz, _>(common.at)
    .bind::<Jsonb, _>(actor)
    .bind::<Text, _>(common.origin.as_str())
    .bind::<SqlUuid, _>(common.batch)
    .bind::<Jsonb, _>(changes)
    .execute(connection)
    .await?;
    Ok(())
}

/// What a bulk change did to a record.
#[derive(QueryableByName)]
pub struct Done {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// The record's after it.
    #[diesel(sql_type = Int4)]
    pub version: i32,
    #[diesel(sql_type = Jsonb)]
    pub before: Json,
}

/// What a bulk change did to these records.
pub async fn done_to(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    batch: JobId,
    kind: RecordKind,
    ids: &[Uuid],
) -> Result<Vec<Done>> {
    let done = sql_query(
        "SELECT record_id AS id, version, before FROM record_changes \
          WHERE workspace_id = $1 AND batch = $2 AND kind = $3 AND record_id = ANY($4)",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(batch)
    .bind::<Text, _>(kind)
    .bind::<Array<SqlUuid>, _>(ids);
    Ok(done.load(connection).await?)
}
