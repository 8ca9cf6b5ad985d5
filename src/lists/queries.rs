//! The SQL of lists: their rows, their members, what is read beside them, and dynamic lists that are kept
//! up to date.

pub mod beside;
pub mod builds;
pub mod kept;
pub mod lists;
pub mod members;
pub mod merge;
pub mod moves;
pub mod purge;
