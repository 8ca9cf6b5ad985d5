//! One attempt at a job, as its `run` sees it: whom it works for, whether it should end, how to
//! write safely, how to tell its progress.

use std::{fmt, sync::Arc};

use tokio::time::Instant;

use super::{
    JobError, JobNews, JobState, OnNews, Progress, Stop,
    lease::Hold,
    progress::Unwritten,
    queries::{self, Fence},
};
use crate::{
    base::{
        Clock, Result,
        ids::{JobId, UserId, WorkspaceId},
    },
    db::{Db, Tx, in_time},
};

/// One attempt at a job. Clones are the same attempt.
#[derive(Clone)]
pub struct Run {
    pub job: JobId,
    /// The workspace the job's body is bound to; `None` for the installation's chores.
    pub workspace: Option<WorkspaceId>,
    /// For whom it works.
    pub created_by: Option<UserId>,
    /// Counts from 1. Each claim raises it; it is the fencing token of the lease.
    pub attempt: i32,
    pub(super) kind: &'static str,
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub db: Db,
    pub clock: Clock,
    pub hold: Arc<Hold>,
    pub unwritten: Unwritten,
    pub on_news: OnNews,
}

impl Run {
    /// Call it first in each batch's transaction: afterwards nobody else can take the job until
    /// that ends, so what it commits was written by the job's one holder. `Lost` where somebody
    /// else has it, `Cancelled` where a person asked it to end; return either as it is.
    pub async fn hold_in(&self, tx: &mut Tx) -> Result<(), JobError> {
        if queries::hold(tx.connection(), self.fence()).await?.ok_or(JobError::Lost)? {
            self.inner.hold.ask_to_stop(Stop::Cancel);
            return Err(JobError::Cancelled);
        }
        Ok(())
    }

    /// Tells how far it has come; written at most a few times a second, and at the end. A
    /// database that does not answer is no reason to stop, so that is only logged.
    pub async fn report(&self, progress: Progress) -> Result<(), JobError> {
        let Some(progress) = self.inner.unwritten.offer(progress, Instant::now()) else { return Ok(()) };
        match in_time(self.write(&progress)).await {
            Ok(None) => Err(JobError::Lost),
            Ok(Some(cancel_requested)) => {
                if cancel_requested {
                    self.inner.hold.ask_to_stop(Stop::Cancel);
                }
                self.tell(progress);
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, job = %self.job, "progress could not be written");
                Ok(())
            }
        }
    }

    /// Writes the progress with a batch and its resume point, as the last statement before the
    /// commit. It also renews the lease, and forgives earlier crashes: the job gets ahead.
    pub async fn report_in(&self, tx: &mut Tx, progress: Progress) -> Result<(), JobError> {
        let asked_at = Instant::now();
        let lease = self.inner.hold.lease;
        let held = queries::get_ahead(tx.connection(), self.fence(), lease, &progress).await?;
        if !held {
            return Err(JobError::Lost);
        }
        self.inner.hold.extend(asked_at);
        if self.inner.unwritten.written(asked_at) {
            self.tell(progress);
        }
        Ok(())
    }

    /// Returns when the run should end: at its next safe point it returns what
    /// [`Run::check_stop`] then says. Runs that do not end are cut off when the worker stops.
    pub async fn stopped(&self) -> Stop {
        let mut stop = self.inner.hold.stop();
        loop {
            if let Some(why) = *stop.borrow_and_update() {
                return why;
            }
            // the sender lives in `inner`, so this cannot fail while we are here
            let _ = stop.changed().await;
        }
    }

    /// Whether the run should end, and why.
    pub fn stop(&self) -> Option<Stop> {
        *self.inner.hold.stop().borrow()
    }

    /// For the safe points of a long run: `Cancelled` after a cancel; after a shutdown `Later`,
    /// now, which costs no attempt.
    pub fn check_stop(&self) -> Result<(), JobError> {
        match self.stop() {
            None => Ok(()),
            Some(Stop::Cancel) => Err(JobError::Cancelled),
            Some(Stop::Shutdown) => Err(JobError::Later(self.inner.clock.now())),
        }
    }

    fn fence(&self) -> Fence {
        Fence { job: self.job, attempt: self.attempt }
    }

    /// Whether somebody cancelled the job; `None` where it is no longer ours.
    async fn write(&self, progress: &Progress) -> Result<Option<bool>> {
        let mut tx = self.inner.db.system().await?;
        let held = queries::note_progress(tx.connection(), self.fence(), progress).await?;
        tx.commit().await?;
        Ok(held)
    }

    fn tell(&self, progress: Progress) {
        (self.inner.on_news)(self.news(JobState::Running, progress));
    }

    pub(super) fn news(&self, state: JobState, progress: Progress) -> JobNews {
        let Self { job, workspace, created_by, kind, .. } = *self;
        JobNews { job, workspace, created_by, kind, state, progress }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("kind", &self.kind)
            .field("job", &self.job)
            .field("workspace", &self.workspace)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}
