//! Signing in, people, tokens, the workspace and its audit log.

pub mod access;
pub mod people;
pub mod tokens;
pub mod workspace;

use async_graphql::{MergedObject, SimpleObject};

use self::{
    access::{AccessMutation, AccessQuery},
    people::{PeopleMutation, PeopleQuery},
    tokens::{TokenMutation, TokenQuery},
    workspace::{WorkspaceMutation, WorkspaceQuery},
};

/// Queries about the team.
#[derive(MergedObject, Default)]
#[graphql(name = "TeamQuery")]
pub struct TeamQuery(AccessQuery, PeopleQuery, TokenQuery, WorkspaceQuery);

/// Mutations of the team.
#[derive(MergedObject, Default)]
#[graphql(name = "TeamMutation")]
pub struct TeamMutation(AccessMutation, PeopleMutation, TokenMutation, WorkspaceMutation);

/// Nothing to tell but that it was done.
#[derive(SimpleObject)]
#[graphql(name = "DonePayload")]
pub struct DonePayload {
    done: bool,
}

const DONE: DonePayload = DonePayload { done: true };
