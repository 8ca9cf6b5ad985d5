//! Workspaces and the people in them: registration, signing in, users, teams, invitations, API tokens,
//! and the audit log of what they did.
//!
//! A person (`users`, by e-mail) is a member of one or more workspaces, with a role in each. A
//! session or token is bound to one workspace. People are never deleted: a member is deactivated,
//! and what they own stays theirs until somebody reassigns it.

pub mod access;
pub mod audit;
pub mod events;
pub mod installation;
pub mod invitations;
pub mod jobs;
pub mod letters;
pub mod model;
mod purge;
mod queries;
pub mod registration;
pub mod repeat;
pub mod teams;
pub mod tokens;
pub mod uploads;
pub mod users;
pub mod work;
pub mod workspace;

pub use model::{Team, User, UserStatus, Weekday, Workspace};
pub use purge::purge_expired;
