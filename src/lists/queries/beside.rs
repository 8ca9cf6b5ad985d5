//! The SQL of what stands beside lists: folders, shares, sizes, and who uses them.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{
    super::model::{ListFolder, ListUse, Share, SizePoint},
    lists::VISIBLE,
};
use crate::{
    base::{
        Result,
        ids::{ContactListId, ListFolderId, UserId, WorkspaceId},
    },
    db::schema::{list_folders, list_shares},
};

/// All folders, by name.
pub async fn folders(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<Vec<ListFolder>> {
    Ok(list_folders::table
        .filter(list_folders::workspace_id.eq(workspace))
        .order((list_folders::name, list_folders::id))
        .select(ListFolder::as_select())
        .load(connection)
        .await?)
}

pub async fn folders_by_ids(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    ids: &[ListFolderId],
) -> Result<Vec<ListFolder>> {
    Ok(list_folders::table
        .filter(list_folders::workspace_id.eq(workspace))
        .filter(list_folders::id.eq_any(ids))
        .select(ListFolder::as_select())
        .load(connection)
        .await?)
}

pub async fn count_folders(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<i64> {
    Ok(list_folders::table.filter(list_folders::workspace_id.eq(workspace)).count().get_result(connection).await?)
}

pub async fn insert_folder(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    folder: &ListFolder,
) -> Result<()> {
    diesel::insert_into(list_folders::table)
        .values((
            list_folders::workspace_id.eq(workspace),
            list_folders::id.eq(folder.id),
            list_folders::name.eq(&folder.name),
            list_folders::created_at.eq(folder.created_at),
            list_folders::updated_at.eq(folder.updated_at),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether there was such a folder.
pub async fn rename_folder(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ListFolderId,
    name: &str,
    at: DateTime<Utc>,
) -> Result<bool> {
    let row = list_folders::table.find((workspace, id));
    let renamed = (list_folders::name.eq(name), list_folders::updated_at.eq(at));
    Ok(diesel::update(row).set(renamed).execute(connection).await? == 1)
}

/// Whether there was such a folder. Its lists stay, in no folder.
pub async fn delete_folder(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ListFolderId,
) -> Result<bool> {
    Ok(diesel::delete(list_folders::table.find((workspace, id))).execute(connection).await? == 1)
}

/// With whom these lists are shared, where this user sees them.
pub async fn shares(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    lists: &[ContactListId],
) -> Result<Vec<Share>> {
    let statement = format!(
        "SELECT x.list_id, x.user_id, x.team_id, x.can_edit FROM contact_lists l \
           JOIN list_shares x ON x.workspace_id = $1 AND x.list_id = l.id \
          WHERE l.workspace_id = $1 AND l.id = ANY($3) AND l.deleted_at IS NULL AND {VISIBLE} ORDER BY x.id"
    );
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(user)
        .bind::<Array<SqlUuid>, _>(lists)
        .load(connection)
        .await?)
}

/// Puts these shares in the place of all that the list has.
pub async fn replace_shares(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    list: ContactListId,
    shares: &[Share],
) -> Result<()> {
    let old = list_shares::table.filter(list_shares::workspace_id.eq(workspace)).filter(list_shares::list_id.eq(list));
    diesel::delete(old).execute(connection).await?;
    let rows: Vec<_> = shares
        .iter()
        .map(|share| {
            (
                list_shares::workspace_id.eq(workspace),
                list_shares::id.eq(Uuid::now_v7()),
                list_shares::list_id.eq(list),
                list_shares::user_id.eq(share.user_id.map(|user| user.0)),
                list_shares::team_id.eq(share.team_id),
                list_shares::can_edit.eq(share.can_edit),
            )
        })
        .collect();
    diesel::insert_into(list_shares::table).values(rows).execute(connection).await?;
    Ok(())
}

/// The sizes that these lists had at the ends of the hours in which they changed, the oldest first;
/// before them the one that they had at the beginning.
pub async fn sizes(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    lists: &[ContactListId],
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<SizePoint>> {
    let statement = format!(
        "SELECT l.id AS list_id, found.hour, found.size FROM contact_lists l CROSS JOIN LATERAL ( \
             (SELECT z.hour, z.size FROM list_sizes z WHERE z.workspace_id = $1 AND z.list_id = l.id AND z.hour < $4 \
               ORDER BY z.hour DESC LIMIT 1) \
             UNION ALL \
             SELECT z.hour, z.size FROM list_sizes z WHERE z.workspace_id = $1 AND z.list_id = l.id \
                AND z.hour >= $4 AND z.hour < $5) found \
          WHERE l.workspace_id = $1 AND l.id = ANY($3) AND l.deleted_at IS NULL AND {VISIBLE} ORDER BY l.id, found.hour"
    );
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(user)
        .bind::<Array<SqlUuid>, _>(lists)
        .bind::<Timestamptz, _>(from)
        .bind::<Timestamptz, _>(to)
        .load(connection)
        .await?)
}

/// Live lists whose criteria name any of these, with what this user may see of them. An id is long
/// enough to be looked for as a text, in whichever of its forms it was written.
pub async fn uses(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    lists: &[ContactListId],
) -> Result<Vec<ListUse>> {
    // each list is read once, however many are asked about
    let statement = format!(
        "WITH named AS MATERIALIZED ( \
             SELECT DISTINCT l.id, found.hex[1]::uuid AS used FROM contact_lists l \
              CROSS JOIN regexp_matches(lower(replace(l.criteria::text, '-', '')), '[0-9a-f]{{32}}', 'g') AS found (hex) \
              WHERE l.workspace_id = $1 AND l.criteria IS NOT NULL AND l.deleted_at IS NULL) \
         SELECT n.used AS list_id, l.id AS by_id, l.name AS by_name, {VISIBLE} AS is_visible \
           FROM named n JOIN contact_lists l ON l.workspace_id = $1 AND l.id = n.id \
          WHERE n.used = ANY($3) AND l.id <> n.used ORDER BY n.used, l.name, l.id"
    );
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(user)
        .bind::<Array<SqlUuid>, _>(lists)
        .load(connection)
        .await?)
}
