//! The job queue: work that outlives its request, can die at any instruction, and is done all the
//! same. Jobs are rows; a worker holds one by a lease, not by a lock.
//!
//! A job is one struct with a stable name and a `run`: see [`Job`]. Operations enqueue it inside
//! their transaction; the registry in `worker.rs` knows all kinds; the runner claims, renews,
//! retries and buries.

pub mod enqueue;
pub mod job;
mod queries;

pub use enqueue::{Enqueued, enqueue};
pub use job::{Job, JobError, Run};
