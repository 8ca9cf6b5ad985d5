//! What was deleted long ago goes for good, with all that belongs to it.
//!
//! Deleted records and notes can be restored for `limits.deleted_records_days`; a job removes them at
//! night, the oldest first, in transactions of a few thousand rows. A record that was merged into another
//! stays at least as long as the merge can be undone.
//!
//! - What belongs to a record goes with it: notes, further addresses, line items, what became of a lead,
//!   memberships and their log. What only leads to it stays, and leads nowhere then; that is no change of
//!   it, so it has no new version. [`attached`] has all of these. A custom field that names the record
//!   stays as it is, as it did when the record was deleted.
//! - Its history goes, too, unless it was merged into a record that is there: then it is part of that one's
//!   and stays with it, as does the row that says what it became part of. So `mergedInto` answers as before.
//! - What features to the right keep about records they remove themselves, by [`steps`].
//!
//! **Nobody waits for it, and it waits for nobody** (but a list, for two seconds at most). The records are locked first, so that nothing new can
//! lead to them; of all other rows only those are touched that nobody else holds. A record with one that
//! somebody does is left for the next night. That nobody can restore a record by then (see
//! [`record::deletion`](super::record::deletion)) lets what belongs to one be removed in several
//! transactions; a run that dies anywhere has lost nothing, the next one goes on.
//!
//! The event log is told nothing: that the records are gone for whoever reads was told when they were
//! deleted. The audit log has a line for each run and workspace.

pub mod attached;
pub mod jobs;
mod ops;
mod queries;
pub mod steps;
