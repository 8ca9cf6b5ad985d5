//! What tests need: a database of their own, a running server, clients.

pub mod database;
