//! The chore of merges.

use serde::{Deserialize, Serialize};

use super::{model::UNDOABLE_FOR, queries};
use crate::{
    ctx::Ctx,
    jobs::{Job, JobError, Run},
};

/// Rows that one transaction removes.
const AT_ONCE: i64 = 5_000;

/// Removes what is kept for undoing merges that can be undone no more. That they were stays known: the
/// histories of the merged records are read by it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PurgeMerges {}

impl Job<Ctx> for PurgeMerges {
    const NAME: &'static str = "crm.purge_merges";
    const PRIORITY: i16 = 90;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let before = ctx.clock.now() - UNDOABLE_FOR;
        loop {
            run.check_stop()?;
            let mut tx = ctx.db.system().await?;
            let gone = queries::purge_moves(tx.connection(), before, AT_ONCE).await?;
            tx.commit().await?;
            if gone == 0 {
                return Ok(());
            }
        }
    }
}
