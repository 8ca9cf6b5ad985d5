//! The chore of the kept counts.

use serde::{Deserialize, Serialize};

use super::queries;
use crate::{
    ctx::Ctx,
    jobs::{Job, JobError, Run},
};

/// Folds what is summed up for the counts of records, so that reading one stays cheap.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FoldCounts {}

impl Job<Ctx> for FoldCounts {
    const NAME: &'static str = "crm.fold_counts";
    const PRIORITY: i16 = 80;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        loop {
            run.check_stop()?;
            let mut tx = ctx.db.system().await?;
            let folded = queries::counts::fold(tx.connection()).await?;
            tx.commit().await?;
            if folded < queries::counts::FOLDED {
                return Ok(());
            }
        }
    }
}
