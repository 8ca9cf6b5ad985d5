//! The SQL of building a list anew: who would enter and leave, until all of them are known.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Bool, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::{
    Result,
    ids::{ContactListId, WorkspaceId},
};

#[derive(QueryableByName)]
struct Noted {
    #[diesel(sql_type = SqlUuid)]
    record_id: Uuid,
    #[diesel(sql_type = Bool)]
    enters: bool,
}

/// Notes the contacts behind the first id, up to the second, that match and are no members, and the
/// members that do not match.
pub async fn note(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    list: ContactListId,
    (from, to): (Uuid, Uuid),
    matching: &[Uuid],
) -> Result<()> {
    sql_query(
        "INSERT INTO list_builds (workspace_id, list_id, record_id, enters) \
         SELECT $1, $2, coalesce(found.id, m.record_id), m.record_id IS NULL \
           FROM unnest($5) AS found (id) \
           FULL JOIN (SELECT record_id FROM list_members WHERE workspace_id = $1 AND list_id = $2 \
                         AND record_id > $3 AND record_id <= $4 AND NOT is_suspended) AS m ON m.record_id = found.id \
          WHERE found.id IS NULL OR m.record_id IS NULL \
         ON CONFLICT ON CONSTRAINT list_builds_pkey DO UPDATE SET enters = EXCLUDED.enters",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(list)
    .bind::<SqlUuid, _>(from)
    .bind::<SqlUuid, _>(to)
    .bind::<Array<SqlUuid>, _>(matching)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes the first of those who were noted of a list: who enters, and who leaves.
pub async fn take(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    list: ContactListId,
    most: usize,
) -> Result<(Vec<Uuid>, Vec<Uuid>)> {
    // up to one of them, and not joined with so many: without statistics that would be walked for each row
    let rows: Vec<Noted> = sql_query(
        "DELETE FROM list_builds WHERE workspace_id = $1 AND list_id = $2 \
            AND record_id <= coalesce((SELECT record_id FROM list_builds WHERE workspace_id = $1 AND list_id = $2 \
                                        ORDER BY record_id OFFSET $3 - 1 LIMIT 1), \
                                      'ffffffff-ffff-ffff-ffff-ffffffffffff') \
         RETURNING record_id, enters",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(list)
    .bind::<BigInt, _>(most as i64)
    .load(connection)
    .await?;
    let (entered, left): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.enters);
    let ids = |rows: Vec<Noted>| rows.into_iter().map(|row| row.record_id).collect();
    Ok((ids(entered), ids(left)))
}

/// What was noted of these contacts is not so any more.
pub async fn forget(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    lists: &[ContactListId],
    records: &[Uuid],
) -> Result<()> {
    sql_query("DELETE FROM list_builds WHERE workspace_id = $1 AND list_id = ANY($2) AND record_id = ANY($3)")
        .bind::<SqlUuid, _>(workspace)
        .bind::<Array<SqlUuid>, _>(lists)
        .bind::<Array<SqlUuid>, _>(records)
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets all that was noted of a list.
pub async fn clear(connection: &mut AsyncPgConnection, workspace: WorkspaceId, list: ContactListId) -> Result<()> {
    sql_query("DELETE FROM list_builds WHERE workspace_id = $1 AND list_id = $2")
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(list)
        .execute(connection)
        .await?;
    Ok(())
}
