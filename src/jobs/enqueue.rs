//! Putting a job into the queue, inside the transaction of the operation that wants it.

use chrono::{DateTime, Utc};

use super::{Job, queries};
use crate::{
    base::{
        Error, Result,
        ids::{JobId, UserId, WorkspaceId},
    },
    db::Tx,
};

/// What is told about a job besides its payload.
#[derive(Debug, Clone, Default)]
pub struct Enqueued {
    pub workspace: Option<WorkspaceId>,
    pub created_by: Option<UserId>,
    /// Not before this time; at once when `None`.
    pub run_at: Option<DateTime<Utc>>,
    /// At most one job of this kind with this key while it is kept.
    pub unique_key: Option<String>,
}

/// Enqueues the job; it can be claimed when the transaction commits. `None` where a job of the
/// kind with the same unique key exists already.
pub async fn enqueue<C, J: Job<C>>(tx: &mut Tx, now: DateTime<Utc>, job: &J, about: Enqueued) -> Result<Option<JobId>> {
    insert(tx, row(now, job, about)?).await
}

/// Enqueues the job unless one of its kind waits for the workspace already: that one then sees what this
/// transaction has written, for nobody can start it before the transaction ends. For jobs that take
/// whatever there is to be done.
pub async fn enqueue_unless_waiting<C, J: Job<C>>(
    tx: &mut Tx,
    now: DateTime<Utc>,
    job: &J,
    workspace: WorkspaceId,
) -> Result<()> {
    if queries::hold_waiting(tx.connection(), J::NAME, workspace).await? {
        return Ok(());
    }
    let about = Enqueued { workspace: Some(workspace), ..Enqueued::default() };
    enqueue(tx, now, job, about).await?;
    Ok(())
}

/// The row of a job that was not put in yet.
pub(super) fn row<C, J: Job<C>>(now: DateTime<Utc>, job: &J, about: Enqueued) -> Result<queries::NewJob> {
    let run_at = about.run_at.unwrap_or(now);
    Ok(queries::NewJob {
        id: JobId::new(),
        workspace_id: about.workspace,
        kind: J::NAME,
        payload: serde_json::to_value(job).map_err(Error::internal)?,
        priority: J::PRIORITY,
        run_at,
        due: run_at <= now,
        max_attempts: J::MAX_ATTEMPTS,
        unique_key: about.unique_key,
        created_by: about.created_by,
        created_at: now,
    })
}

pub(super) async fn insert(tx: &mut Tx, row: queries::NewJob) -> Result<Option<JobId>> {
    let id = row.id;
    if !queries::insert(tx.connection(), row).await? {
        return Ok(None);
    }
    tx.note_enqueued();
    Ok(Some(id))
}
