//! All SQL of the team, by noun.

pub mod audit;
pub mod installation;
pub mod invitations;
pub mod keys;
pub mod links;
pub mod members;
pub mod passwords;
pub mod teams;
pub mod tokens;
pub mod users;
pub mod workspaces;
