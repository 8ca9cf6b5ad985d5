//! What becomes of a job after a run: pure, so that every rule of it can be tested without waiting
//! and without chance.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::JobError;
use crate::base::Error;

const BASE: Duration = Duration::from_secs(2);
const CAP: Duration = Duration::from_secs(600);

/// A job that took its process with it so often, without getting ahead in between, is given up.
pub const CRASH_LIMIT: i32 = 3;

/// Shown with a job given up for that reason.
pub const CRASHED: &str = "The server stopped in the middle of this job several times, so it was not started again. \
     It can be run again by hand";

/// What is written about the job when its run is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    Completed,
    Cancelled,
    /// Into the queue again, for this time.
    Again {
        run_at: DateTime<Utc>,
        failures: i32,
        last_error: Option<String>,
    },
    /// Into the queue again as if it had not run: the worker stops.
    HandedBack,
    /// To the dead letters.
    Failed {
        failures: i32,
        last_error: String,
    },
    /// Nothing: the job is another worker's.
    Lost,
}

/// Decides by how the run ended. `failures` are those before it; `jitter` is from 0 up to 1.
pub fn decide(
    result: &Result<(), JobError>,
    failures: i32,
    max_attempts: i32,
    now: DateTime<Utc>,
    jitter: f64,
) -> Ending {
    match result {
        Ok(()) => Ending::Completed,
        Err(JobError::Cancelled) => Ending::Cancelled,
        Err(JobError::Lost) => Ending::Lost,
        Err(JobError::Later(run_at)) => Ending::Again { run_at: *run_at, failures, last_error: None },
        Err(JobError::Wait { until, error }) => {
            Ending::Again { run_at: *until, failures, last_error: Some(told(error)) }
        }
        Err(JobError::Fail(error)) => Ending::Failed { failures: failures + 1, last_error: told(error) },
        Err(JobError::Retry(error)) if failures + 1 >= max_attempts => {
            Ending::Failed { failures: failures + 1, last_error: told(error) }
        }
        Err(JobError::Retry(error)) => {
            let failures = failures + 1;
            let delay = delay(failures, jitter).max(asked_delay(error));
            Ending::Again { run_at: now + delay, failures, last_error: Some(told(error)) }
        }
    }
}

/// Exponential backoff with full jitter: anything below a ceiling that doubles with each failure,
/// so that jobs which failed together do not come back together.
pub fn delay(failures: i32, jitter: f64) -> Duration {
    let doublings = u32::try_from(failures - 1).unwrap_or(0).min(16);
    let ceiling = BASE.saturating_mul(1 << doublings).min(CAP);
    ceiling.mul_f64(jitter.clamp(0.0, 1.0))
}

/// Who limits us says when to come back.
fn asked_delay(error: &Error) -> Duration {
    match error {
        Error::Limited { retry_after } => *retry_after,
        _ => Duration::ZERO,
    }
}

/// An error as it is kept with the job: what people may have made long is cut.
fn told(error: &Error) -> String {
    const LONGEST: usize = 1_000;
    let text = error.to_string();
    if text.chars().nth(LONGEST).is_none() { text } else { text.chars().take(LONGEST).chain(['\u{2026}']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn retry() -> Result<(), JobError> {
        Err(JobError::Retry(Error::TimedOut))
    }

    #[test]
    fn the_ceiling_doubles_from_two_seconds_to_ten_minutes() {
        let ceilings: Vec<_> = (1..=11).map(|failures| delay(failures, 1.0).as_secs()).collect();
        assert_eq!(ceilings, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
        assert_eq!(delay(i32::MAX, 1.0), CAP);
        assert_eq!(delay(0, 1.0), BASE);
    }

    #[test]
    fn jitter_takes_the_whole_range_below_the_ceiling() {
        assert_eq!(delay(3, 0.0), Duration::ZERO);
        assert_eq!(delay(3, 0.25), Duration::from_secs(2));
    }

    #[test]
    fn an_error_is_retried_until_the_attempts_are_used_up() {
        let text = Error::TimedOut.to_string();
        assert_eq!(
            decide(&retry(), 1, 3, NOW, 0.5),
            Ending::Again { run_at: NOW + Duration::from_secs(2), failures: 2, last_error: Some(text.clone()) }
        );
        assert_eq!(decide(&retry(), 2, 3, NOW, 0.5), Ending::Failed { failures: 3, last_error: text });
    }

    #[test]
    fn what_cannot_help_is_not_tried_again() {
        let result = Err(JobError::from(Error::NotFound("File")));
        assert_eq!(
            decide(&result, 0, 10, NOW, 0.5),
            Ending::Failed { failures: 1, last_error: "File not found".into() }
        );
    }

    #[test]
    fn coming_back_later_costs_no_attempt() {
        let at = NOW + Duration::from_secs(90);
        let ending = decide(&Err(JobError::Later(at)), 9, 10, NOW, 0.5);
        assert_eq!(ending, Ending::Again { run_at: at, failures: 9, last_error: None });
        let error = Error::Unavailable("Nobody is there".into());
        let last_error = Some(error.to_string());
        let ending = decide(&Err(JobError::Wait { until: at, error }), 9, 10, NOW, 0.5);
        assert_eq!(ending, Ending::Again { run_at: at, failures: 9, last_error });
    }

    #[test]
    fn a_limit_is_waited_for() {
        let limited = Error::Limited { retry_after: Duration::from_secs(60) };
        let last_error = Some(limited.to_string());
        let run_at = NOW + Duration::from_secs(60);
        let ending = decide(&Err(limited.into()), 0, 10, NOW, 0.5);
        assert_eq!(ending, Ending::Again { run_at, failures: 1, last_error });
    }

    #[test]
    fn the_stored_text_shows_nothing_of_a_defect() {
        let ending = decide(&Err(Error::internal("password=x").into()), 0, 1, NOW, 0.5);
        let Ending::Failed { last_error, .. } = &ending else { unreachable!("{ending:?}") };
        assert!(!last_error.contains("password"), "{last_error}");
    }
}
