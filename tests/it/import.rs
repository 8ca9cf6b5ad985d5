//! Imports: what becomes of rows, what is said about bad ones, and that a run which dies anywhere
//! ends as if it had not.

mod access;
mod faults;
pub mod lab;
mod leases;
mod options;
mod plans;
mod rows;
