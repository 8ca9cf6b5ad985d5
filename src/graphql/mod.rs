//! The GraphQL face. It parses, calls an operation, and shapes the answer; it holds no rules.

pub mod context;
pub mod error;
pub mod loaders;
pub mod objects;
pub mod page;
pub mod records;
pub mod schema;
pub mod team;
