//! Lists whose criteria take too long to be kept up to date. One of them must not hold up the others: when a
//! statement about many lists runs into its limit, each list is asked alone, and those that run into theirs
//! are noted as broken. They keep the members that they have; new criteria begin anew.

use std::time::Duration;

use crate::{
    base::{
        Error, Result,
        ids::{ContactListId, WorkspaceId},
    },
    ctx::Ctx,
    db::Tx,
    jobs::{JobError, Run},
    lists::kept,
};

/// Why such a list is broken. Nothing but other criteria mends that, or somebody who refreshes it.
pub const SLOW: &str = "takes too long to be kept up to date; ask for less";

/// How long one statement about many lists may take: three times as long as one of criteria elsewhere.
pub fn limit(ctx: &Ctx) -> Duration {
    Duration::from_millis(ctx.limits.criteria_millis) * 3
}

/// How long one statement about one list may take: half as long as one of criteria elsewhere.
pub fn limit_of_one(ctx: &Ctx) -> Duration {
    Duration::from_millis(ctx.limits.criteria_millis) / 2
}

/// A transaction in which one list is asked.
pub async fn alone(ctx: &Ctx, workspace: WorkspaceId) -> Result<Tx> {
    let mut tx = ctx.db.system_in(workspace).await?;
    tx.limit_statements(limit_of_one(ctx)).await?;
    Ok(tx)
}

/// Whether this was the answer of a list that takes too long.
pub fn is_slow(answer: Result<()>) -> Result<bool> {
    match answer {
        Ok(()) => Ok(false),
        Err(Error::TimedOut) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Notes these lists, each of this version, as broken. Where there are none, something else took too long: it is tried again.
pub async fn note(ctx: &Ctx, run: &Run, workspace: WorkspaceId, slow: &[(ContactListId, i32)]) -> Result<(), JobError> {
    if slow.is_empty() {
        return Err(JobError::Retry(Error::TimedOut));
    }
    let mut tx = ctx.db.system_in(workspace).await?;
    run.hold_in(&mut tx).await?;
    for (list, version) in slow {
        tracing::warn!(%workspace, %list, "a list takes too long to be kept up to date");
        kept::break_in(&mut tx, workspace, ctx.clock.now(), &[*list], Some(*version), SLOW).await?;
    }
    Ok(tx.commit().await?)
}
