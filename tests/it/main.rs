//! The one integration binary: one module per noun, behaviour through real connections to a real
//! PostgreSQL, a fresh database per test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that panics has said what is wrong"
)]

mod support;

mod access;
mod architecture;
mod audit;
mod bulk;
mod cli;
mod clients;
mod config;
mod cookies;
mod counts;
mod criteria;
mod criteria_faces;
mod custom_fields;
mod database;
mod doors;
mod edge;
mod embedded;
mod events;
mod files;
mod graphql_cost;
mod graphql_errors;
mod graphql_fanout;
mod graphql_http;
mod graphql_socket;
mod history;
mod import;
mod jobs;
mod leads;
mod letters;
mod line_items;
mod listening;
mod lists;
mod live_records;
mod mail;
mod merge;
mod notes;
mod outbound;
mod owners;
mod pipelines;
mod process;
mod progress;
mod purge;
mod reactors;
mod records;
mod reminders;
mod repeat;
mod rest;
mod schema;
mod team;
mod time_limits;
mod timeline;
mod upkeep;
mod uploads;
mod web;
