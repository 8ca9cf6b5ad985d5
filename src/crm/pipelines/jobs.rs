//! Deleting a stage with many deals on it: they are moved in batches, then the stage goes. A run that
//! is started again goes on where the last one was, for it looks at what still stands there.

use serde::{Deserialize, Serialize};

use super::{
    queries::moves,
    removal::{self, BATCH},
};
use crate::{
    auth::Permission,
    base::{Error, ids::StageId},
    ctx::Ctx,
    jobs::{Job, JobError, Progress, Run},
    team::access,
};

/// Moves the deals of a stage to another one, and deletes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeleteStage {
    pub stage: StageId,
    pub move_to: StageId,
    /// What the token that asked for it allows.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
}

impl Job<Ctx> for DeleteStage {
    const NAME: &'static str = "crm.delete_stage";
    const PRIORITY: i16 = 40;
    const LONG: bool = true;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let gone = || JobError::Fail(Error::NotFound("Workspace"));
        let (workspace, user) = (run.workspace.ok_or_else(gone)?, run.created_by.ok_or_else(gone)?);
        let caller = access::caller_of_job(&ctx, workspace, user, run.job, self.scopes.as_deref()).await?;
        caller.require_all(Permission::PipelinesManage)?;
        let mut progress = Progress::default();
        loop {
            run.check_stop()?;
            let mut tx = ctx.db.begin(&caller).await?;
            run.hold_in(&mut tx).await?;
            let removal = match removal::begin_in(&mut tx, workspace, self.stage, Some(self.move_to)).await {
                // an earlier run, or somebody, was faster
                Err(Error::NotFound(_)) => return Ok(()),
                removal => removal?,
            };
            let Some(to) = &removal.move_to else { return Ok(()) };
            if progress.total.is_none() {
                progress.total = Some(moves::standing(tx.connection(), workspace, &[self.stage], i64::MAX).await?);
            }
            let moved = removal::move_in(&ctx, &mut tx, &caller, &removal.stage, to).await?;
            progress.processed += moved;
            progress.succeeded += moved;
            progress.total = progress.total.map(|total| total.max(progress.processed));
            // what came meanwhile is moved in the next round
            let is_done = moved < BATCH && removal::finish_in(&ctx, &mut tx, &caller, &removal).await?;
            run.report_in(&mut tx, progress.clone()).await?;
            tx.commit().await?;
            if is_done {
                return Ok(());
            }
        }
    }
}
