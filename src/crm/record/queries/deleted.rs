//! The SQL of what was deleted and can be restored: not what became part of another record, which the undoing
//! of that merge brings back.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value as Json;
use uuid::Uuid;

use super::super::{RecordKind, Sight, order::DeletedPlace};
use crate::base::{Result, ids::WorkspaceId, page::PageRequest};

/// Which record, when, and the actor of that as the history has it: none for one whose history is gone.
#[derive(Debug, QueryableByName)]
pub struct DeletedRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    pub deleted_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub actor: Option<Json>,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// `$1` the workspace, `$2` since when deleted records are kept.
fn deleted(kind: RecordKind, sight: Sight) -> String {
    format!(
        "FROM {} t WHERE t.workspace_id = $1 AND t.deleted_at >= $2{} \
            AND NOT EXISTS (SELECT FROM record_merge_losers l \
                              JOIN record_merges m ON m.workspace_id = $1 AND m.id = l.merge_id AND m.kind = '{kind}' \
                             WHERE l.workspace_id = $1 AND l.record_id = t.id AND m.undone_at IS NULL)",
        kind.table(),
        sight.condition()
    )
}

#[derive(QueryableByName)]
struct Merged {
    #[diesel(sql_type = SqlUuid)]
    record_id: Uuid,
}

/// Those of these records that are part of another one by a merge.
pub async fn merged(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    ids: &[Uuid],
) -> Result<Vec<Uuid>> {
    let rows: Vec<Merged> = sql_query(
        "SELECT DISTINCT l.record_id FROM record_merge_losers l \
           JOIN record_merges m ON m.workspace_id = $1 AND m.id = l.merge_id AND m.kind = $2 AND m.undone_at IS NULL \
          WHERE l.workspace_id = $1 AND l.record_id = ANY($3)",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Text, _>(kind)
    .bind::<Array<SqlUuid>, _>(ids)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.record_id).collect())
}

/// A page, what was deleted last first; one row more than it shows.
pub async fn page(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    sight: Sight,
    since: DateTime<Utc>,
    page: &PageRequest<DeletedPlace>,
) -> Result<Vec<DeletedRow>> {
    let (beyond, order) = if page.is_backward() { (">", "ASC") } else { ("<", "DESC") };
    let statement = format!(
        "SELECT found.id, found.deleted_at, \
                (SELECT c.actor FROM record_changes c \
                  WHERE c.workspace_id = $1 AND c.kind = '{kind}' AND c.record_id = found.id AND c.after ? 'deleted' \
                  ORDER BY c.version DESC LIMIT 1) AS actor \
           FROM (SELECT t.id, t.deleted_at {} AND ($3 IS NULL OR (t.deleted_at, t.id) {beyond} ($3, $4)) \
                  ORDER BY t.workspace_id {order}, t.deleted_at {order}, t.id {order} LIMIT $5) AS found \
          ORDER BY found.deleted_at {order}, found.id {order}",
        deleted(kind, sight)
    );
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Timestamptz, _>(since)
        .bind::<Nullable<Timestamptz>, _>(page.from.as_ref().map(|place| place.0))
        .bind::<Nullable<SqlUuid>, _>(page.from.as_ref().map(|place| place.1))
        .bind::<BigInt, _>(page.fetch())
        .load(connection)
        .await?)
}

/// How many there are; exact.
pub async fn count(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    sight: Sight,
    since: DateTime<Utc>,
) -> Result<i64> {
    let counted: Counted = sql_query(format!("SELECT count(*) AS count {}", deleted(kind, sight)))
        .bind::<SqlUuid, _>(workspace)
        .bind::<Timestamptz, _>(since)
        .get_result(connection)
        .await?;
    Ok(counted.count)
}
