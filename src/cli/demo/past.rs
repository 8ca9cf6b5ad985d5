//! Doing things in the past: the same operations, by a clock that is set back.

use chrono::TimeDelta;

use crate::{base::Clock, ctx::Ctx};

/// The tools as they were so long ago. The events that come of it are logged now, as all are.
pub fn ago(ctx: &Ctx, time: TimeDelta) -> Ctx {
    let clock = Clock::default();
    clock.advance(ctx.clock.now() - clock.now() - time);
    Ctx { clock, ..ctx.clone() }
}
