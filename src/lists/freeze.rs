//! A dynamic list becomes a static one with the members that it has, in place.

use super::{
    events,
    queries::{builds, lists},
};
use crate::{
    base::{Error, Result, ids::ContactListId},
    db::Tx,
    events::outbox,
    lists::{
        segment,
        steps::{self, By},
    },
};

/// Why its members are not kept yet.
pub const BUILDING: &str = "The list is being built; keep its members when that is done";

/// Whether it was dynamic until now. While a job makes its members what its criteria say it is refused: what
/// it has is a part of them, or the members of former criteria.
pub async fn freeze_in(tx: &mut Tx, by: &By, list: ContactListId) -> Result<bool> {
    let job = lists::lock_build(tx.connection(), by.workspace, list).await?;
    if segment::is_building_in(tx, by.workspace, job).await? {
        return Err(Error::conflict(BUILDING));
    }
    let frozen = lists::freeze(tx.connection(), by.workspace, list, by.at).await?;
    if frozen {
        // of a job that failed
        builds::clear(tx.connection(), by.workspace, list).await?;
        steps::suspend_in(tx, by, list).await?;
        outbox::emit(tx, &by.actor, by.at, &[events::updated(list, &["listType", "criteria"])]).await?;
    }
    Ok(frozen)
}
