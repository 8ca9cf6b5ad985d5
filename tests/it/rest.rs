//! The compatibility routes, line by line of their contract, over real HTTP.

mod accounts;
mod auth;
mod contacts;
mod document;
mod hostile;
mod records;
mod users;
