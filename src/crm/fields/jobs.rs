//! What follows a change of a definition and may take long: the rows of an index are written or
//! removed, the values of a deleted field go. In batches; a run that is started again walks from the
//! beginning, and finds nothing to do where the last one was.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{definitions_in, queries};
use crate::{
    base::{
        Error,
        ids::{CustomFieldId, WorkspaceId},
    },
    crm::record::{RecordKind, custom},
    ctx::Ctx,
    jobs::{Job, JobError, Progress, Run},
};

/// Records that one transaction looks at.
const BATCH: i64 = 2_000;

/// Makes the rows of a field what its definition says by now: one for each record that has a value,
/// or none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FillCustomField {
    pub kind: RecordKind,
    pub field: CustomFieldId,
}

impl Job<Ctx> for FillCustomField {
    const NAME: &'static str = "crm.fill_custom_field";
    const PRIORITY: i16 = 40;
    const LONG: bool = true;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let workspace = workspace(&run)?;
        let (mut after, mut progress) = (Uuid::nil(), Progress::default());
        loop {
            run.check_stop()?;
            let mut tx = ctx.db.begin(&workspace).await?;
            run.hold_in(&mut tx).await?;
            let known = definitions_in(&mut tx, workspace, self.kind).await?;
            let Some(field) = known.iter().find(|field| field.id == self.field && field.has_rows()) else {
                drop(tx);
                return clear(&ctx, &run, workspace, self.field).await;
            };
            if progress.total.is_none() {
                progress.total = Some(custom::count_in(&mut tx, workspace, self.kind).await?);
            }
            let walked = queries::fill(tx.connection(), workspace, field, after, Some(BATCH)).await?;
            count(&mut progress, &walked);
            run.report_in(&mut tx, progress.clone()).await?;
            if walked.last.is_none() {
                queries::end_filling(tx.connection(), workspace, self.field, run.job).await?;
            }
            tx.commit().await?;
            let Some(last) = walked.last else { return Ok(()) };
            after = last;
        }
    }
}

/// Takes the values of a field that was deleted from the records, without a trace in their
/// histories: nobody changed them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveCustomField {
    pub kind: RecordKind,
    pub field: CustomFieldId,
    pub key: String,
}

impl Job<Ctx> for RemoveCustomField {
    const NAME: &'static str = "crm.remove_custom_field";
    const LONG: bool = true;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let workspace = workspace(&run)?;
        let (mut after, mut progress) = (Uuid::nil(), Progress::default());
        loop {
            run.check_stop()?;
            let mut tx = ctx.db.begin(&workspace).await?;
            run.hold_in(&mut tx).await?;
            let known = definitions_in(&mut tx, workspace, self.kind).await?;
            // somebody has defined the key anew, over the values that were still there
            if known.iter().any(|field| field.key == self.key) {
                break;
            }
            // deleted records are walked through as well, so there is no total
            let walked = queries::remove_values(tx.connection(), workspace, self.kind, &self.key, after, BATCH).await?;
            count(&mut progress, &walked);
            run.report_in(&mut tx, progress.clone()).await?;
            tx.commit().await?;
            match walked.last {
                Some(last) => after = last,
                None => break,
            }
        }
        clear(&ctx, &run, workspace, self.field).await
    }
}

/// Removes all rows of a field.
async fn clear(ctx: &Ctx, run: &Run, workspace: WorkspaceId, field: CustomFieldId) -> Result<(), JobError> {
    loop {
        run.check_stop()?;
        let mut tx = ctx.db.begin(&workspace).await?;
        run.hold_in(&mut tx).await?;
        let cleared = queries::clear_rows(tx.connection(), workspace, field, BATCH).await?;
        tx.commit().await?;
        if cleared == 0 {
            return Ok(());
        }
    }
}

fn count(progress: &mut Progress, walked: &queries::Walked) {
    progress.processed += walked.seen;
    progress.succeeded += walked.done;
    progress.skipped += walked.seen - walked.done;
}

fn workspace(run: &Run) -> Result<WorkspaceId, JobError> {
    run.workspace.ok_or_else(|| JobError::Fail(Error::NotFound("Workspace")))
}
