//! Lists of contacts: static ones, whose members are chosen, and dynamic ones, whose members are
//! those that the criteria match.
//!
//! The membership is materialised, and its count is kept on the list: both move in one transaction,
//! with the list's row locked first, and only through [`steps`]. Whoever sees a list, and who may
//! change it, is decided by its [`access`]; a list that one may not see does not exist.

pub mod access;
pub mod build;
pub mod events;
pub mod explain;
pub mod folders;
mod freeze;
pub mod jobs;
mod kept;
pub mod live;
pub mod members;
mod memo;
pub mod merge;
pub mod model;
pub mod ops;
pub mod purge;
mod queries;
pub mod react;
mod room;
pub mod segment;
mod slow;
pub mod steps;
pub mod views;

pub use model::{ContactList, ENTERED_AT, ListFilter, ListType, Sharing, Source};
