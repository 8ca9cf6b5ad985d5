//! The records of the trade: leads, contacts, accounts, deals, products and tasks.
//!
//! Each kind has a room with its fields and its own rules. What is the same for all kinds stands
//! once in [`record`]: checking input against the field table, creating, updating with a history
//! and a version, soft delete and restore, pages, search, events and permissions. Beside records
//! stand their [`notes`] and their [`timeline`]; several that are one are [`merge`]d. Which of them are
//! meant says the language of [`criteria`]; [`matching`] asks it for somebody, [`bulk`] changes them. What
//! was deleted long ago is removed by the [`purge`].

pub mod accounts;
pub mod bulk;
pub mod contacts;
pub mod criteria;
pub mod deals;
pub mod fields;
pub mod kinds;
pub mod leads;
pub mod matching;
pub mod merge;
pub mod notes;
pub mod pipelines;
pub mod products;
pub mod purge;
pub mod record;
pub mod stage_type;
pub mod tasks;
pub mod timeline;

pub use accounts::Account;
pub use contacts::Contact;
pub use deals::Deal;
pub use leads::Lead;
pub use products::Product;
pub use record::RecordKind;
pub use tasks::Task;
