//! A dynamic list becomes a static one with the members that it has, in place.

use super::{events, queries::lists};
use crate::{
    base::{Error, Result, ids::ContactListId},
    db::Tx,
    events::outbox,
    lists::steps::{self, By},
};

/// Refuses to keep members that are not those of the list's criteria: some of them only, or those of former
/// criteria. `broken` says why they are not, where nothing makes them that just now.
pub fn unbuilt(broken: Option<&str>) -> Error {
    Error::conflict(match broken {
        None => "The list is being built; take its members when that is done".to_owned(),
        Some(why) => format!("The list was not built after its criteria were written: it {why}"),
    })
}

/// Whether it was dynamic until now.
pub async fn freeze_in(tx: &mut Tx, by: &By, list: ContactListId) -> Result<bool> {
    let Some(built) = lists::lock_built(tx.connection(), by.workspace, list).await? else { return Ok(false) };
    if !built.is_built {
        return Err(unbuilt(built.broken.as_deref()));
    }
    lists::freeze(tx.connection(), by.workspace, list, by.at).await?;
    steps::suspend_in(tx, by, list).await?;
    outbox::emit(tx, &by.actor, by.at, &[events::updated(list, &["listType", "criteria"])]).await?;
    Ok(true)
}
