//! Kontor: the backend and web app a company runs its customer data on.
//!
//! The modules stand in floor order; each may use what stands below it. `docs/architecture.md`
//! tells the plan, and `tests/it/architecture.rs` holds us to it.

// Floor 0
pub mod base;
// Floor 1: tools
pub mod auth;
pub mod db;
pub mod events;
pub mod jobs;
// Floor 5: faces
pub mod graphql;
