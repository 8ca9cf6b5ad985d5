//! How far a job has come. It may be told as often as the job likes: the row is written, and
//! watchers are told, a few times a second.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Least time between two writes of one job's progress.
const EVERY: Duration = Duration::from_millis(250);

/// Counts of a job's units of work; what a unit is, the job knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    pub processed: i64,
    /// `None` while it is not known.
    pub total: Option<i64>,
    pub succeeded: i64,
    pub failed: i64,
    pub skipped: i64,
    /// What it is at, for the person who waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The progress of one run that was told but not written yet.
#[derive(Debug, Default)]
pub(super) struct Unwritten(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    progress: Option<Progress>,
    written_at: Option<Instant>,
}

impl Unwritten {
    /// Keeps it for the next write, and gives it back where that is now.
    pub(super) fn offer(&self, progress: Progress, now: Instant) -> Option<Progress> {
        let mut state = self.state();
        if state.written_at.is_some_and(|at| now < at + EVERY) {
            state.progress = Some(progress);
            return None;
        }
        state.progress = None;
        state.written_at = Some(now);
        Some(progress)
    }

    /// Notes that a batch wrote newer progress itself; whether watchers are to be told now.
    pub(super) fn written(&self, now: Instant) -> bool {
        let mut state = self.state();
        state.progress = None;
        let due = state.written_at.is_none_or(|at| now >= at + EVERY);
        if due {
            state.written_at = Some(now);
        }
        due
    }

    /// What the last write did not hold.
    pub(super) fn take(&self) -> Option<Progress> {
        self.state().progress.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_reports_in_a_second_are_a_few_writes_and_the_last_one_is_kept() {
        let unwritten = Unwritten::default();
        let start = Instant::now();
        let writes = (0..1000)
            .filter_map(|millis| {
                let now = start + Duration::from_millis(millis);
                unwritten.offer(Progress { processed: millis as i64, ..Progress::default() }, now)
            })
            .map(|progress| progress.processed)
            .collect::<Vec<_>>();
        assert_eq!(writes, [0, 250, 500, 750]);
        assert_eq!(unwritten.take().map(|progress| progress.processed), Some(999));
        assert_eq!(unwritten.take(), None);
    }

    #[test]
    fn the_row_of_a_job_that_told_nothing_reads_as_nothing_done() {
        assert_eq!(serde_json::from_str::<Progress>("{}").expect("read"), Progress::default());
    }
}
