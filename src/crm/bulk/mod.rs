//! Changing, deleting, restoring and reassigning many records by one request: a job does it, a batch
//! at a time, by the rules of `record::bulk`.
//!
//! Which records those are is settled when the job starts: their ids are put into `bulk_targets`, and
//! each batch takes its own away in the transaction that changes them. So a record that stops matching
//! because of the change disturbs nothing, and a run that dies anywhere leaves out none and does none
//! twice. What a bulk change did stands in the histories of its records, under its job's id; by those
//! it is taken back.

pub mod jobs;
mod model;
pub mod ops;
mod queries;

pub use crate::crm::record::bulk::Failure;
pub use model::{Asked, Bulk, BulkAction, Noted};
pub use ops::{Chosen, NewBulk, Started};
