//! The one integration binary: one module per noun, behaviour through real connections to a real
//! PostgreSQL, a fresh database per test.

mod support;

mod clients;
mod database;
mod graphql_fanout;
mod graphql_http;
mod graphql_socket;
