//! The one integration binary: one module per noun, behaviour through real connections to a real
//! PostgreSQL, a fresh database per test.
#![allow(clippy::expect_used, clippy::panic, reason = "a test's helper fails the test")]

mod support;

mod database;
mod events;
mod reactors;
