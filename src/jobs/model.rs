//! The nouns of the queue as others see them.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Progress;
use crate::{
    base::ids::{JobId, UserId, WorkspaceId},
    text_enum,
};

text_enum! {
    /// Where a job stands. A dead letter is a failed one.
    pub enum JobState {
        Queued = "queued",
        Running = "running",
        Completed = "completed",
        Failed = "failed",
        Cancelled = "cancelled",
    }
}

impl JobState {
    /// Whether nothing more happens to it by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// A job as a person sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSummary {
    pub id: JobId,
    pub workspace: Option<WorkspaceId>,
    pub kind: String,
    pub state: JobState,
    /// How often it was started.
    pub attempt: i32,
    /// How many of those ended with an error; given up at `max_attempts`.
    pub failures: i32,
    pub max_attempts: i32,
    /// It runs, and was asked to end.
    pub cancel_requested: bool,
    pub progress: Progress,
    /// Of the last attempt that failed; safe to show.
    pub last_error: Option<String>,
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
    /// When it goes, or went, at the earliest.
    pub run_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// Which jobs a page holds; what is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    pub state: Option<JobState>,
    pub kind: Option<String>,
    pub created_by: Option<UserId>,
}

/// What came of the wish to cancel a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It was waiting and will not run.
    Cancelled,
    /// It runs; it was asked to end, and will not be started again.
    Requested,
    /// It had ended already.
    TooLate,
}

/// That a job started, got ahead or ended, for those who watch it. The state is `Queued` where it
/// will be tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct JobNews {
    pub job: JobId,
    pub workspace: Option<WorkspaceId>,
    pub created_by: Option<UserId>,
    pub kind: &'static str,
    pub state: JobState,
    /// That of a running batch may be ahead of what is committed.
    pub progress: Progress,
}

/// Told of every start, progress and end, from the worker's tasks: it must not block.
pub type OnNews = Arc<dyn Fn(JobNews) + Send + Sync>;
