//! Imports: what becomes of rows, what is said about bad ones, and that a run which dies anywhere
//! ends as if it had not.

mod access;
mod crash;
mod faults;
mod lab;
mod options;
mod rows;
