//! The records of the trade: contacts and accounts now, leads, deals, products and tasks by the
//! same pattern.
//!
//! Each kind has a room with its fields and its own rules. What is the same for all kinds stands
//! once in [`record`]: checking input against the field table, creating, updating with a history
//! and a version, soft delete and restore, pages, search, events and permissions.

pub mod accounts;
pub mod contacts;
pub mod criteria;
pub mod record;

pub use accounts::Account;
pub use contacts::Contact;
pub use record::RecordKind;
