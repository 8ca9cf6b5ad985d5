//! The published shapes of our nouns: one method per field, so that what is public is written
//! down. Field names and loader calls only, no rules.

pub mod account;
pub mod address;
pub mod change;
pub mod contact;
pub mod conversion;
pub mod criteria;
pub mod custom_field;
pub mod deal;
pub mod deleted;
pub mod input;
pub mod lead;
pub mod line_item;
pub mod list;
pub mod merge;
pub mod note;
pub mod pipeline;
pub mod product;
pub mod record;
pub mod scalars;
pub mod task;
pub mod team;
pub mod timeline;
pub mod user;
pub mod workspace;
