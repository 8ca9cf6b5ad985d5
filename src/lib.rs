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
pub mod files;
pub mod jobs;
pub mod mail;
pub mod outbound;

// Floor 2
pub mod ctx;

// Floor 3: features
pub mod team;

pub mod crm;
pub mod lists;
pub mod transfer;

pub mod upkeep;

// Floor 4: the edge
pub mod http;

// Floor 5: faces
pub mod doors;
pub mod graphql;
pub mod rest;
pub mod web;

// Floor 6: roots
pub mod cli;
pub mod config;
pub mod server;
pub mod worker;
