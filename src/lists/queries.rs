//! The SQL of lists: their rows, their members, and what is read beside them.

pub mod beside;
pub mod lists;
pub mod members;
pub mod merge;
