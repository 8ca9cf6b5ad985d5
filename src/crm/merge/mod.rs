//! Several records become one, and may become several again.
//!
//! One of them stays with its id: its empty fields are filled from the others, or the caller says whose
//! value is to stand; tags and custom fields are united. The others are deleted, and everything that led
//! to them leads to the one that stays: the [`relink`] steps see to that, those of other features too,
//! all in one transaction. What each step moved is kept, so that [`undo`] can take it back, as far as it
//! is still where the merge has put it. Histories stay whose they are; that of the record that stays is
//! read together with those of the others.
//!
//! Everybody locks in one order: the definitions of custom fields, the addresses of contacts, the records
//! in the order of their ids, what leads to them, lists in the order of their ids.

mod addresses;
pub mod duplicates;
mod fields;
pub mod jobs;
mod links;
mod model;
mod ops;
mod queries;
pub mod relink;
mod steps;
mod undo;

pub use model::{DuplicateGroup, FieldChoice, MergeRequest, RecordMerge, UNDOABLE_FOR, Undone};
pub use ops::{into, merge, of_record};
pub use undo::undo;
