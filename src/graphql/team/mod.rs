//! Signing in, people, teams, tokens, the workspace and its audit log.

pub mod access;
pub mod people;
pub mod teams;
pub mod tokens;
pub mod workspace;

use async_graphql::{MergedObject, SimpleObject};

use self::{
    access::{AccessMutation, AccessQuery},
    people::{PeopleMutation, PeopleQuery},
    teams::{TeamsMutation, TeamsQuery},
    tokens::{TokenMutation, TokenQuery},
    workspace::{WorkspaceMutation, WorkspaceQuery},
};

/// Queries about the team.
#[derive(MergedObject, Default)]
#[graphql(name = "TeamQuery")]
pub struct TeamQuery(AccessQuery, PeopleQuery, TeamsQuery, TokenQuery, WorkspaceQuery);

/// Mutations of the team.
#[derive(MergedObject, Default)]
#[graphql(name = "TeamMutation")]
pub struct TeamMutation(AccessMutation, PeopleMutation, TeamsMutation, TokenMutation, WorkspaceMutation);

/// Nothing to tell but that it was done.
#[derive(SimpleObject)]
#[graphql(name = "DonePayload")]
pub struct DonePayload {
    done: bool,
}

const DONE: DonePayload = DonePayload { done: true };
