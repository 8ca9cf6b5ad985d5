//! What a job is.

use std::{future::Future, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::{JobError, Run};

/// A kind of job, and one job of it: the struct's fields are its payload. Generic over the context
/// it runs in, so that this floor need not know the application's.
///
/// A run may die anywhere and be started again by another worker: effects must be idempotent, and
/// long runs save a resume point in each batch's own transaction, checked by [`Run::hold_in`].
pub trait Job<C>: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// `feature.imperative`, for example `transfer.run_import`; stored, so it never changes.
    const NAME: &'static str;
    /// Smaller goes first. 10: a person waits for it; 50: soon; 90: chores.
    const PRIORITY: i16 = 50;
    /// After so many errors it goes to the dead letters.
    const MAX_ATTEMPTS: i32 = 10;
    /// At most this many of the kind run at once for one workspace, over all workers.
    const PER_WORKSPACE: i32 = 4;
    /// Whether it may run for minutes. However many of these wait, one of a worker's slots is left to
    /// the others (where it has more than one).
    const LONG: bool = false;
    /// The lease; renewed at a third of it.
    const LEASE: Duration = Duration::from_secs(30);

    fn run(self, context: C, run: Run) -> impl Future<Output = Result<(), JobError>> + Send;
}
