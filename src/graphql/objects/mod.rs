//! The published shapes of our nouns: one method per field, so that what is public is written
//! down. Field names and loader calls only, no rules.

pub mod account;
pub mod change;
pub mod contact;
pub mod input;
pub mod list;
pub mod record;
pub mod scalars;
pub mod user;
pub mod workspace;
