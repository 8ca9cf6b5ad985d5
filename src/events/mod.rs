//! The event log: the one way in which anybody learns that something changed.
//!
//! An operation [`outbox::emit`]s inside its transaction. The relay moves committed rows into the
//! ordered log and wakes every node, each node reads a new batch once, and the bus hands it to
//! whoever listens: subscriptions with a cursor, and reactors that turn events into jobs.

pub mod event;
pub mod outbox;
mod queries;

pub use event::{LoggedEvent, NewEvent};
