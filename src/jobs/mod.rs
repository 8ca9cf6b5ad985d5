//! The job queue: work that outlives its request, can die at any instruction, and is done all the
//! same. Jobs are rows; a worker holds one by a lease, not by a lock.
//!
//! A job is one struct with a stable name and a `run`: see [`Job`]. Operations [`enqueue`] it
//! inside their transaction; the [`Registry`] knows all kinds and schedules; the [`Runner`]
//! claims, renews, retries and buries.
//!
//! - **Once at a time.** Claiming raises the row's `attempt`. Whatever a run writes about its job,
//!   and every batch by [`Run::hold_in`], demands that same attempt: a worker that slept through
//!   its lease cannot write. At least once, though: effects are idempotent.
//! - **Fair.** At most so many of a kind run at once for one workspace, and a workspace that waits
//!   goes before a second job of a busy one.
//! - **Ends.** Errors are retried with backoff until the attempts are used up; crashes count
//!   apart, and only until the job gets ahead again. What is given up is a dead letter, which a
//!   person can see and run again.
//! - **Two clocks.** When a job is due is told by the injected clock, how long a lease holds by the
//!   database's.

mod attempt;
mod claimer;
mod enqueue;
mod error;
mod job;
mod lease;
mod model;
mod ops;
mod progress;
mod queries;
mod registry;
mod retry;
mod run;
mod runner;
mod schedule;
mod shared;

pub use enqueue::{Enqueued, enqueue, enqueue_unless_waiting};
pub use error::JobError;
pub use job::Job;
pub use lease::Stop;
pub use model::{CancelOutcome, JobFilter, JobNews, JobState, JobSummary, OnNews};
pub use ops::{PURGE_BATCH, cancel, count, dead_letters, find, find_many, open, page, purge_finished, rerun};
pub use progress::Progress;
pub use registry::Registry;
pub use retry::delay;
pub use run::Run;
pub use runner::{Runner, RunnerHandle};
pub use shared::Config;

use serde::{Deserialize, Serialize};

use crate::base::ids::JobId;

/// Where a job's [`Told`] is told as it changes; watched on the bus.
pub fn topic(job: JobId) -> String {
    format!("job:{job}")
}

/// A job's state and progress as all nodes hear them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    pub state: JobState,
    pub progress: Progress,
}
