//! How a run of a job may end, if not well.

use chrono::{DateTime, Utc};

use crate::base::Error;

/// Why a run ended before its work was done.
#[derive(Debug)]
pub enum JobError {
    /// Try again with backoff, until the attempts are used up.
    Retry(Error),
    /// Trying again cannot help: goes to the dead letters at once.
    Fail(Error),
    /// Not yet; come back at this time. Costs no attempt.
    Later(DateTime<Utc>),
    /// The same, because of an error that people should see.
    Wait { until: DateTime<Utc>, error: Error },
    /// Somebody asked for it to end.
    Cancelled,
    /// The lease is gone: another worker has the job. Nothing may be written any more.
    Lost,
}

impl From<Error> for JobError {
    /// Faults of the surroundings are retried; refusals are final.
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(_) | Error::TimedOut | Error::Limited { .. } | Error::Internal(_) => Self::Retry(error),
            refusal => Self::Fail(refusal),
        }
    }
}
