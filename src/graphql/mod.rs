//! The GraphQL face. It parses, calls an operation, and shapes the answer; it holds no rules.
//!
//! Its transport is our own, thin, on async-graphql's `Schema`: [`http`] answers POST and GET,
//! `stream` speaks `text/event-stream`, [`socket`] speaks `graphql-transport-ws`, and [`fanout`]
//! lets subscribers of the same thing share one execution. What they need of the application is
//! [`gateway::Gateway`], which [`application`] is.

pub mod addresses;
pub mod application;
pub mod bulk;
pub mod changes;
pub mod context;
pub mod cost;
pub mod criteria;
pub mod errors;
pub mod fanout;
pub mod fields;
pub mod gateway;
pub mod http;
pub mod imports;
pub mod jobs;
pub mod leads;
pub mod leaves;
pub mod line_items;
pub mod list_changes;
pub mod lists;
pub mod loaders;
pub mod merges;
mod negotiate;
pub mod notes;
pub mod objects;
mod operation;
pub mod order;
pub mod page;
mod parameters;
pub mod pipelines;
pub mod position;
pub mod records;
mod refusal;
pub mod reminders;
pub mod schema;
mod seats;
pub mod socket;
mod standing;
mod stream;
pub mod team;
pub mod transport;

pub use application::Application;
pub use gateway::{Arrival, Gateway};
pub use http::router;
pub use refusal::refuse;
pub use transport::{Timings, Transport};
