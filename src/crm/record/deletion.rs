//! How long what was deleted can be restored. The same for who restores and for who removes: nobody
//! restores what is being removed.

use chrono::{DateTime, TimeDelta, Utc};

use super::Record;
use crate::{
    base::{Error, Result},
    ctx::Ctx,
};

/// What was deleted before this moment is gone for good.
pub fn kept_since(ctx: &Ctx) -> DateTime<Utc> {
    ctx.clock.now() - TimeDelta::days(ctx.limits.deleted_records_days)
}

/// A deleted record that can be restored no more is not there, whether it was removed yet or not.
pub(super) fn require_kept<R: Record>(ctx: &Ctx, record: &R) -> Result<()> {
    match record.meta().deleted_at {
        Some(at) if at < kept_since(ctx) => Err(Error::NotFound(R::NOUN)),
        _ => Ok(()),
    }
}
