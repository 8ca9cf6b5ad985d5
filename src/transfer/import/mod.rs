//! Imports: a file of rows becomes records of one kind.
//!
//! [`create`] notes what is wanted and enqueues the job, which works in a line: a thread of its own
//! reads and checks rows (`read`, `check`), gathers them into batches and encodes them (`batch`);
//! each batch is copied into a staging table (`stage`), and then one transaction decides what
//! becomes of every row, does it, and moves the resume point (`apply`). While the database applies
//! one batch, the next one is read and staged; what is in between is bounded, so memory does not
//! grow with the file.
//!
//! Four things hold it together. A batch is applied wholly or not at all, and its counts, errors,
//! history and events are in the same transaction. Batches follow from the file and the resume
//! point alone, so a run that died anywhere goes on as if it had not. Who no longer holds the job
//! can write nothing: the transaction checks the lease, the resume point and the status. And all
//! that is particular to a kind of record is its field table and a [`Target`](target::Target).
//!
//! What a row means: the key (a contact's e-mail address) of a live record, or of an earlier row,
//! makes a duplicate. That is an error, or is skipped, or updates the record, as the options say.
//! An empty cell says nothing: a new record gets the default, an existing one keeps what it has.
//! Rows without a key always make new records; rows in which every cell is empty are passed over.

mod apply;
mod batch;
mod check;
mod count;
mod events;
mod head;
mod jobs;
mod maintenance;
mod map;
mod model;
mod ops;
mod pipeline;
mod queries;
mod read;
mod report;
mod stage;
mod statements;
mod target;

pub use jobs::{RunImport, SettleImports};
pub use model::{Counts, Import, ImportFilter, ImportOptions, ImportStatus, Mapping, NewImport};
pub use ops::{cancel, count, create, error_pages, errors_of, fields, get, page, require_may_import};
pub use report::{RowError, RowErrorCode};
