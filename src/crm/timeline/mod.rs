//! The timeline of a record: all that happened to it, newest first.
//!
//! Most of that stands where it belongs anyway: changes in the history, notes and tasks in their own
//! tables, the creation in the record itself. A page is put together from these when it is read, each
//! source cut before they are merged, so nothing is kept twice and nothing can be forgotten. What
//! stands nowhere else (a conversion, a merge) is written here by whoever does it, with [`add_in`] in
//! its own transaction.

mod model;
mod ops;
mod queries;

pub use model::{About, Entry, NewEntry};
pub use ops::{add_in, counts, pages};
