//! The GraphQL face.
//!
//! Its transport is our own, thin, on async-graphql's `Schema`: [`http`] answers POST and GET,
//! [`stream`] speaks `text/event-stream`, [`socket`] speaks `graphql-transport-ws`, and
//! [`fanout`] lets subscribers of the same thing share one execution. What they need of the
//! application is [`gateway::Gateway`].

pub mod errors;
pub mod fanout;
pub mod gateway;
pub mod http;
mod negotiate;
mod operation;
mod parameters;
mod refusal;
mod seats;
pub mod socket;
mod standing;
mod stream;
pub mod transport;

pub use gateway::{Arrival, Gateway, Sharing};
pub use http::router;
pub use transport::{Timings, Transport};
