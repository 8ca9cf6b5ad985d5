//! The chore that removes what was deleted long ago.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ops, queries};
use crate::{
    crm::record::deletion,
    ctx::Ctx,
    jobs::{Job, JobError, Run},
};

/// Workspaces that are looked up at once.
const WORKSPACES: i64 = 100;

/// Removes the records and notes of all workspaces that can be restored no more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PurgeRecords {}

impl Job<Ctx> for PurgeRecords {
    const NAME: &'static str = "crm.purge_records";
    const PRIORITY: i16 = 90;
    // two would leave to the next night what the other one holds
    const PER_WORKSPACE: i32 = 1;
    const LONG: bool = true;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let (before, mut after, mut failed) = (deletion::kept_since(&ctx), Uuid::nil(), None);
        loop {
            run.check_stop()?;
            let mut tx = ctx.db.system().await?;
            let some = queries::workspaces(tx.connection(), before, after, WORKSPACES).await?;
            tx.commit().await?;
            let Some(last) = some.last() else { break };
            after = last.0;
            for workspace in some {
                match ops::purge(&ctx, &run, workspace, before).await {
                    Ok(()) => {}
                    // what is wrong with one workspace keeps none of the others
                    Err(error @ (JobError::Retry(_) | JobError::Fail(_))) => {
                        tracing::warn!(%workspace, ?error, "deleted records could not be removed");
                        failed = Some(error);
                    }
                    Err(ends) => return Err(ends),
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }
}
