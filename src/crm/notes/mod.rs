//! Notes: what people write down about a record. Who sees the record reads its notes; who may write
//! records of its kind writes some, and changes and deletes their own. Managers and admins do that
//! with everybody's.

pub mod events;
mod model;
mod ops;
mod queries;

pub use model::{About, NewNote, Note, NotePatch, Place};
pub use ops::{by_ids, counts, create, delete, pages, update};
