//! Who may do what with a list. Its maker, those whom it is shared with and, where it is shared with
//! all, everybody see it; for anybody else it does not exist, admins included. Changing it needs
//! having made it, or a share that says so; deleting and sharing it is its maker's. Admins may do
//! all that to the lists that they see.

use super::{
    model::ContactList,
    queries::lists::{self, Hold},
};
use crate::{
    auth::{Caller, Grant, Permission, Role},
    base::{Error, Result, ids::ContactListId},
    db::Tx,
};

/// What a list is called in errors.
pub const NOUN: &str = "Contact list";

/// The list, where the caller sees it.
pub async fn visible_in(tx: &mut Tx, caller: &Caller, id: ContactListId) -> Result<ContactList> {
    let found = lists::find(tx.connection(), caller.workspace, caller.user, id, Hold::Nothing).await?;
    found.ok_or(Error::NotFound(NOUN))
}

/// The same, with its row locked until the transaction ends.
pub async fn lock_in(tx: &mut Tx, caller: &Caller, id: ContactListId) -> Result<ContactList> {
    let found = lists::find(tx.connection(), caller.workspace, caller.user, id, Hold::Row).await?;
    found.ok_or(Error::NotFound(NOUN))
}

/// Whether the caller, who sees the list, may change it and its members.
pub fn may_edit(caller: &Caller, list: &ContactList) -> bool {
    may_write(caller) && shares_edit(caller, list)
}

/// Whether the caller, who sees the list, may delete it and decide who else sees it.
pub fn may_manage(caller: &Caller, list: &ContactList) -> bool {
    may_write(caller) && is_own(caller, list)
}

fn may_write(caller: &Caller) -> bool {
    caller.grant(Permission::ListsWrite) != Grant::No
}

fn shares_edit(caller: &Caller, list: &ContactList) -> bool {
    list.may_edit || caller.role == Role::Admin
}

fn is_own(caller: &Caller, list: &ContactList) -> bool {
    list.created_by == caller.user || caller.role == Role::Admin
}

/// Refuses who is shown the list to be seen only.
pub fn require_edit(caller: &Caller, list: &ContactList) -> Result<()> {
    if shares_edit(caller, list) {
        return Ok(());
    }
    Err(Error::Forbidden("This list is shared with you to be seen, not to be changed".into()))
}

/// Refuses who neither made the list nor is an admin.
pub fn require_own(caller: &Caller, list: &ContactList) -> Result<()> {
    if is_own(caller, list) {
        return Ok(());
    }
    Err(Error::Forbidden("Only who made this list, or an admin, may do this".into()))
}

/// Refuses who may not know which contacts are in a list, and were.
pub fn require_read(caller: &Caller) -> Result<()> {
    caller.require(Permission::ListsRead)?;
    caller.require_all(Permission::ContactsRead)
}
