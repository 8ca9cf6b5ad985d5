//! The compatibility routes, line by line of their contract, over real HTTP.

mod accounts;
mod auth;
mod contacts;
mod deals;
mod document;
mod hostile;
pub mod import;
mod leads;
mod products;
mod records;
mod tasks;
mod users;
