//! The chore of reminders.

use serde::{Deserialize, Serialize};

use super::reminders;
use crate::{
    ctx::Ctx,
    jobs::{Job, JobError, Run},
};

/// Gives all reminders that are due.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Remind {}

impl Job<Ctx> for Remind {
    const NAME: &'static str = "crm.remind";
    const PRIORITY: i16 = 30;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        loop {
            run.check_stop()?;
            if !reminders::give_due(&ctx).await? {
                return Ok(());
            }
        }
    }
}
