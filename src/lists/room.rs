//! How many lists a workspace may have.

use super::{model::ListType, queries::lists};
use crate::{
    auth::Caller,
    base::{Error, Result},
    ctx::Ctx,
    db::{Tx, locks},
};

/// Refuses one list more of a type than there may be. Two who make the last one wait for one another.
pub async fn require_in(ctx: &Ctx, tx: &mut Tx, caller: &Caller, list_type: ListType) -> Result<()> {
    locks::hold_named_in(tx, &format!("number of lists of {}", caller.workspace)).await?;
    let present = lists::count_of_type(tx.connection(), caller.workspace, list_type).await?;
    let (most, limit) = match list_type {
        ListType::Static => (ctx.limits.static_lists, "limits.static_lists"),
        ListType::Dynamic => (ctx.limits.dynamic_lists, "limits.dynamic_lists"),
    };
    if present < most {
        return Ok(());
    }
    Err(Error::conflict(format!("There are {most} {list_type} lists already ({limit}); delete one first")))
}
