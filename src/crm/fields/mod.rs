//! Custom fields: people define them for a kind of record, and from then on values under the field's
//! key are checked, kept in one form, and can be looked up. Here stands who may define what, and
//! what a change of a definition does to the values that are there. (Writing values is
//! `crm::record::custom`.)

pub mod events;
pub mod jobs;
mod key;
pub mod ops;
mod queries;

pub use crate::crm::record::custom::{CustomField, CustomType, bag, definitions_in, definitions_now};
