//! What was deleted: how long it can be restored, and what there is of it. The same for who restores and for
//! who removes: nobody restores what is being removed.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Record, Sight, order::DeletedPlace, queries::deleted as queries};
use crate::{
    auth::{Actor, Caller},
    base::{
        Error, Result,
        page::{PageArgs, Slice},
    },
    ctx::Ctx,
};

/// A deleted record that can be restored.
#[derive(Debug, Clone)]
pub struct Deleted<R> {
    /// As it was.
    pub record: R,
    pub at: DateTime<Utc>,
    /// Who deleted it, as far as the history reaches.
    pub by: Option<Actor>,
    /// From then on it is gone for good.
    pub kept_until: DateTime<Utc>,
}

impl<R: Record> Deleted<R> {
    pub fn place(&self) -> DeletedPlace {
        DeletedPlace(self.at, self.record.meta().id)
    }
}

/// What was deleted before this moment is gone for good.
pub fn kept_since(ctx: &Ctx) -> DateTime<Utc> {
    ctx.clock.now() - kept_for(ctx)
}

fn kept_for(ctx: &Ctx) -> TimeDelta {
    TimeDelta::days(ctx.limits.deleted_records_days)
}

/// A deleted record that can be restored no more is not there, whether it was removed yet or not.
pub(super) fn require_kept<R: Record>(ctx: &Ctx, record: &R) -> Result<()> {
    match record.meta().deleted_at {
        Some(at) if at < kept_since(ctx) => Err(Error::NotFound(R::NOUN)),
        _ => Ok(()),
    }
}

/// The refusal to restore by itself what a merge made a part of another record: it would take nothing of its own
/// with it, and the merge could not be undone.
pub(super) fn merged() -> Error {
    Error::conflict("This record is part of another one by a merge; undoMerge brings it back")
}

/// A page of the deleted records of a kind that can be restored, what was deleted last first. Those that
/// became part of another one are not among them: undoing the merge brings them back.
pub async fn page<R: Record>(ctx: &Ctx, caller: &Caller, args: PageArgs) -> Result<Slice<Deleted<R>>> {
    let sight = Sight::of::<R>(caller)?;
    let page = args.parse::<DeletedPlace>()?;
    page.require_cursor(DeletedPlace::is_sound)?;
    let mut tx = ctx.db.read(caller).await?;
    let found = queries::page(tx.connection(), caller.workspace, R::KIND, sight, kept_since(ctx), &page).await?;
    let ids: Vec<_> = found.iter().map(|row| row.id).collect();
    let records = R::deleted_rows(tx.connection(), caller.workspace, &ids).await?;
    let mut records: HashMap<_, _> = records.into_iter().map(|record| (record.meta().id, record)).collect();
    let found = page.slice(found);
    let with_record = |row: queries::DeletedRow| {
        let record = records.remove(&row.id)?;
        let (at, by) = (row.deleted_at, row.actor.map(Actor::read));
        Some(Deleted { record, at, by, kept_until: at + kept_for(ctx) })
    };
    // one that was restored between the two statements is left out
    let rows = found.rows.into_iter().filter_map(with_record).collect();
    Ok(Slice { rows, has_next: found.has_next, has_previous: found.has_previous })
}

/// How many [`page`] shows in all; exact.
pub async fn count<R: Record>(ctx: &Ctx, caller: &Caller) -> Result<i64> {
    let sight = Sight::of::<R>(caller)?;
    let mut tx = ctx.db.read(caller).await?;
    queries::count(tx.connection(), caller.workspace, R::KIND, sight, kept_since(ctx)).await
}
