//! The SQL of lists whose contacts become one.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::super::model::Source;
use crate::base::{
    Result,
    ids::{ContactListId, WorkspaceId},
};

#[derive(QueryableByName)]
struct OfList {
    #[diesel(sql_type = SqlUuid)]
    list_id: ContactListId,
}

/// The static lists that have any of these contacts, suspended or not, in the order of their ids.
pub async fn static_lists_with(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    records: &[Uuid],
) -> Result<Vec<ContactListId>> {
    let rows: Vec<OfList> = sql_query(
        "SELECT DISTINCT m.list_id FROM list_members m \
           JOIN contact_lists l ON l.workspace_id = $1 AND l.id = m.list_id AND l.list_type = 'static' AND l.deleted_at IS NULL \
          WHERE m.workspace_id = $1 AND m.record_id = ANY($2) ORDER BY m.list_id",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Array<SqlUuid>, _>(records)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.list_id).collect())
}

/// The static lists of these that a contact is in by what happened at that very time, and not by what
/// somebody did since.
pub async fn entered_by_merge(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    record: Uuid,
    lists: &[Uuid],
    at: DateTime<Utc>,
) -> Result<Vec<ContactListId>> {
    let rows: Vec<OfList> = sql_query(
        "SELECT m.list_id FROM list_members m WHERE m.workspace_id = $1 AND m.record_id = $2 AND m.list_id = ANY($3) \
            AND m.entered_at = $4 AND m.source = $5",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(record)
    .bind::<Array<SqlUuid>, _>(lists)
    .bind::<Timestamptz, _>(at)
    .bind::<Text, _>(Source::Merge)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.list_id).collect())
}
