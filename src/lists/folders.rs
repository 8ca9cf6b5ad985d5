//! Folders of lists: the whole workspace's, for a list's own sharing decides who sees it in one.

use super::{model::ListFolder, queries::beside};
use crate::{
    auth::{Caller, Permission},
    base::{Error, FieldErrors, Result, ids::ListFolderId, text},
    ctx::Ctx,
    team::{
        audit,
        repeat::{self, Turn},
    },
};

const NOUN: &str = "Folder";
/// Folders of a workspace.
const MOST: i64 = 2_000;

/// All folders, by name.
pub async fn all(ctx: &Ctx, caller: &Caller) -> Result<Vec<ListFolder>> {
    caller.require(Permission::ListsRead)?;
    let mut tx = ctx.db.read(caller).await?;
    beside::folders(tx.connection(), caller.workspace).await
}

/// Those that there are of these.
pub async fn by_ids(ctx: &Ctx, caller: &Caller, ids: &[ListFolderId]) -> Result<Vec<ListFolder>> {
    caller.require(Permission::ListsRead)?;
    let mut tx = ctx.db.read(caller).await?;
    beside::folders_by_ids(tx.connection(), caller.workspace, ids).await
}

pub async fn create(ctx: &Ctx, caller: &Caller, name: &str) -> Result<ListFolder> {
    caller.require(Permission::ListsWrite)?;
    let name = checked(name)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => {
            let found = beside::folders_by_ids(tx.connection(), caller.workspace, &[id]).await?;
            return found.into_iter().next().ok_or(Error::NotFound(NOUN));
        }
    };
    if beside::count_folders(tx.connection(), caller.workspace).await? >= MOST {
        return Err(Error::conflict(format!("There are {MOST} folders, and no more can be made; delete some")));
    }
    let now = ctx.clock.now();
    let folder = ListFolder { id: ListFolderId::new(), name, created_at: now, updated_at: now };
    beside::insert_folder(tx.connection(), caller.workspace, &folder).await?;
    tx.commit(folder.id).await?;
    Ok(folder)
}

pub async fn rename(ctx: &Ctx, caller: &Caller, id: ListFolderId, name: &str) -> Result<ListFolder> {
    caller.require(Permission::ListsWrite)?;
    let name = checked(name)?;
    let tx = match repeat::begin::<ListFolderId>(ctx, caller).await? {
        Turn::First(mut tx) => {
            if !beside::rename_folder(tx.connection(), caller.workspace, id, &name, ctx.clock.now()).await? {
                return Err(Error::NotFound(NOUN));
            }
            Some(tx)
        }
        Turn::Again(..) => None,
    };
    if let Some(tx) = tx {
        tx.commit(id).await?;
    }
    let mut tx = ctx.db.read(caller).await?;
    let found = beside::folders_by_ids(tx.connection(), caller.workspace, &[id]).await?;
    found.into_iter().next().ok_or(Error::NotFound(NOUN))
}

/// Deletes a folder; its lists stay, in none.
pub async fn delete(ctx: &Ctx, caller: &Caller, id: ListFolderId) -> Result<()> {
    caller.require(Permission::ListsWrite)?;
    let mut tx = match repeat::begin::<ListFolderId>(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(..) => return Ok(()),
    };
    if !beside::delete_folder(tx.connection(), caller.workspace, id).await? {
        return Err(Error::NotFound(NOUN));
    }
    audit::record_in(ctx, &mut tx, caller, audit::Entry::new("list_folder.deleted", "list_folder", id)).await?;
    tx.commit(id).await
}

fn checked(name: &str) -> Result<String> {
    let mut fields = FieldErrors::new();
    let name = text::required(&mut fields, "name", name);
    fields.into_result()?;
    Ok(name.unwrap_or_default())
}
