//! The edge that all faces share: who calls and from where, how refusals look over HTTP, how many
//! requests may come, and whether the server is well. Knows no feature.

pub mod body;
pub mod bounds;
pub mod caller;
pub mod client;
pub mod cors;
pub mod guard;
pub mod health;
pub mod listen;
pub mod origin;
pub mod problem;
pub mod repeat;
pub mod request_id;
pub mod time_limit;

pub use caller::Signed;
pub use problem::{problem_body, status_of};
