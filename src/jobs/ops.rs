//! What others do with jobs that stand in the queue: look, cancel, run again, clean up. Who may do
//! so is for the caller to check; each takes the workspace, so that no id reaches across.

use chrono::{DateTime, Utc};

use super::{CancelOutcome, Job, JobFilter, JobState, JobSummary, queries};
use crate::{
    base::{
        Error, Result,
        ids::{JobId, WorkspaceId},
        page::{PageRequest, Slice},
    },
    db::Tx,
};

/// Most rows that one call of [`purge_finished`] deletes.
pub const PURGE_BATCH: usize = 5_000;

pub async fn find(tx: &mut Tx, workspace: WorkspaceId, job: JobId) -> Result<Option<JobSummary>> {
    queries::find(tx.connection(), workspace, job).await
}

/// Those of these that there are.
pub async fn find_many(tx: &mut Tx, workspace: WorkspaceId, jobs: &[JobId]) -> Result<Vec<JobSummary>> {
    queries::find_many(tx.connection(), workspace, jobs).await
}

/// Newest first.
pub async fn page(
    tx: &mut Tx,
    workspace: WorkspaceId,
    filter: &JobFilter,
    page: &PageRequest<JobId>,
) -> Result<Slice<JobSummary>> {
    let rows = queries::page(tx.connection(), workspace, filter, page).await?;
    Ok(page.slice(rows))
}

/// How many jobs the filter leaves.
pub async fn count(tx: &mut Tx, workspace: WorkspaceId, filter: &JobFilter) -> Result<i64> {
    queries::count(tx.connection(), workspace, filter).await
}

/// The jobs of a kind that have not ended.
pub async fn open<C, J: Job<C>>(tx: &mut Tx, workspace: WorkspaceId) -> Result<Vec<J>> {
    let open = queries::open(tx.connection(), workspace, J::NAME).await?;
    open.into_iter().map(|payload| serde_json::from_value(payload).map_err(Error::internal)).collect()
}

/// How many jobs of each kind were given up and wait for somebody, over all workspaces. Needs a
/// transaction of the system role.
pub async fn dead_letters(tx: &mut Tx) -> Result<Vec<(String, i64)>> {
    let depths = queries::depths(tx.connection()).await?;
    let dead = depths.into_iter().filter(|depth| depth.state == JobState::Failed);
    Ok(dead.map(|depth| (depth.kind, depth.jobs)).collect())
}

/// Cancels a waiting job at once and asks a running one to end, which it does at its next safe
/// point, or not at all where it is too short to look. Either way it is not started again, so
/// what the owner of the job has to note about it belongs into this transaction.
pub async fn cancel(tx: &mut Tx, workspace: WorkspaceId, job: JobId, now: DateTime<Utc>) -> Result<CancelOutcome> {
    match lock(tx, workspace, job).await? {
        JobState::Queued => {
            queries::cancel_queued(tx.connection(), job, now).await?;
            Ok(CancelOutcome::Cancelled)
        }
        JobState::Running => {
            queries::request_cancel(tx.connection(), job).await?;
            Ok(CancelOutcome::Requested)
        }
        JobState::Completed | JobState::Failed | JobState::Cancelled => Ok(CancelOutcome::TooLate),
    }
}

/// Runs a dead letter again, with all its attempts; its last error stays until it has ended.
pub async fn rerun(tx: &mut Tx, workspace: WorkspaceId, job: JobId, now: DateTime<Utc>) -> Result<()> {
    if lock(tx, workspace, job).await? != JobState::Failed {
        return Err(Error::conflict("Only a job that failed can be run again"));
    }
    queries::requeue(tx.connection(), job, now).await?;
    tx.note_enqueued();
    Ok(())
}

/// Deletes jobs that were completed or cancelled before the one time, and dead letters from
/// before the other; at most [`PURGE_BATCH`] of each, so call it until it answers 0. Needs a
/// transaction of the system role.
pub async fn purge_finished(tx: &mut Tx, ended_before: DateTime<Utc>, failed_before: DateTime<Utc>) -> Result<usize> {
    let ended = [JobState::Completed, JobState::Cancelled];
    let ended = queries::purge(tx.connection(), &ended, ended_before, PURGE_BATCH as i64).await?;
    let failed = queries::purge(tx.connection(), &[JobState::Failed], failed_before, PURGE_BATCH as i64).await?;
    Ok(ended + failed)
}

async fn lock(tx: &mut Tx, workspace: WorkspaceId, job: JobId) -> Result<JobState> {
    queries::lock(tx.connection(), workspace, job).await?.ok_or(Error::NotFound("Job"))
}
