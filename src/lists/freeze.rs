//! A dynamic list becomes a static one with the members that it has, in place.

use super::{
    events,
    queries::{builds, lists},
};
use crate::{
    base::{Result, ids::ContactListId},
    db::Tx,
    events::outbox,
    lists::steps::{self, By},
};

/// Whether it was dynamic until now.
pub async fn freeze_in(tx: &mut Tx, by: &By, list: ContactListId) -> Result<bool> {
    let frozen = lists::freeze(tx.connection(), by.workspace, list, by.at).await?;
    if frozen {
        // it keeps the members that it has, also of criteria that were just being changed
        builds::clear(tx.connection(), by.workspace, list).await?;
        steps::suspend_in(tx, by, list).await?;
        outbox::emit(tx, &by.actor, by.at, &[events::updated(list, &["listType", "criteria"])]).await?;
    }
    Ok(frozen)
}
