//! Who is calling, what they may do, and how they prove it. Owns the tables of users, members,
//! sessions and tokens; the operations on them are `team`'s.
//!
//! A face turns a cookie or an `Authorization` header into a [`Caller`] by way of [`Resolver`];
//! every operation takes `&Caller` and asks it for a [`Permission`].

pub mod caller;
pub mod permission;

pub use caller::{Actor, Caller, Origin};
pub use permission::{Grant, Permission, Role};
