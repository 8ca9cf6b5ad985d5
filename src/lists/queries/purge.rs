//! The SQL that forgets contacts which are removed for good.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::{
    Result,
    ids::{ContactListId, WorkspaceId},
};

#[derive(QueryableByName)]
struct OfList {
    #[diesel(sql_type = SqlUuid)]
    list_id: ContactListId,
}

/// A list that counts one of these contacts as a member; the first such by its id.
pub async fn list_with(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    records: &[Uuid],
) -> Result<Option<ContactListId>> {
    let row: Option<OfList> = sql_query(
        "SELECT m.list_id FROM list_members m \
           JOIN contact_lists l ON l.workspace_id = $1 AND l.id = m.list_id AND l.deleted_at IS NULL \
          WHERE m.workspace_id = $1 AND m.record_id = ANY($2) AND NOT m.is_suspended ORDER BY m.list_id LIMIT 1",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Array<SqlUuid>, _>(records)
    .get_result(connection)
    .await
    .optional()?;
    Ok(row.map(|row| row.list_id))
}

/// Removes the memberships of these contacts that nobody holds, so many at most; how many there were. No
/// list counts them.
pub async fn forget_members(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    records: &[Uuid],
    most: i64,
) -> Result<i64> {
    forget(connection, workspace, "list_members", records, most).await
}

/// The same of the entries in the lists' logs.
pub async fn forget_log(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    records: &[Uuid],
    most: i64,
) -> Result<i64> {
    forget(connection, workspace, "list_log", records, most).await
}

async fn forget(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    table: &'static str,
    records: &[Uuid],
    most: i64,
) -> Result<i64> {
    let statement = format!(
        "DELETE FROM {table} WHERE workspace_id = $1 AND ctid = ANY(ARRAY( \
             SELECT x.ctid FROM {table} x WHERE x.workspace_id = $1 AND x.record_id = ANY($2) \
              LIMIT $3 FOR UPDATE SKIP LOCKED))"
    );
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Array<SqlUuid>, _>(records)
        .bind::<BigInt, _>(most)
        .execute(connection)
        .await? as i64)
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = SqlUuid)]
    record_id: Uuid,
}

/// Which of these contacts lists still know.
pub async fn known(connection: &mut AsyncPgConnection, workspace: WorkspaceId, records: &[Uuid]) -> Result<Vec<Uuid>> {
    let rows: Vec<Found> = sql_query(
        "SELECT record_id FROM list_members WHERE workspace_id = $1 AND record_id = ANY($2) \
         UNION SELECT record_id FROM list_log WHERE workspace_id = $1 AND record_id = ANY($2)",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Array<SqlUuid>, _>(records)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.record_id).collect())
}
