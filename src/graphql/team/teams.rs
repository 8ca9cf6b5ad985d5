//! Teams of members.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{DONE, DonePayload};
use crate::{
    base::{
        Result,
        ids::{TeamId, UserId},
        page::{self, PageArgs},
    },
    connection,
    graphql::{
        context::{Repeatable, both, once},
        errors::{Nullable, found, nullable, parse_id},
        objects::team::TeamObject,
    },
    id_input,
    team::teams,
};

impl crate::graphql::leaves::Leaves for TeamObject {}

connection!(TeamConnection TeamEdge of TeamObject, "TeamConnection" "TeamEdge", count(_all: (), context) {
    let (ctx, caller) = both(context)?;
    teams::count(ctx, caller).await?
});

#[derive(SimpleObject)]
#[graphql(name = "TeamPayload")]
pub struct TeamPayload {
    team: TeamObject,
}

#[derive(InputObject)]
#[graphql(name = "CreateTeamInput")]
pub struct CreateTeamInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    /// Unique in the workspace.
    name: String,
    /// Users of the workspace; at most 500.
    #[graphql(default)]
    members: Vec<ID>,
}

#[derive(InputObject)]
#[graphql(name = "UpdateTeamInput")]
pub struct UpdateTeamInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    /// Unique in the workspace.
    name: String,
}

id_input!(DeleteTeamInput "DeleteTeamInput");

#[derive(InputObject)]
#[graphql(name = "SetTeamMembersInput")]
pub struct SetTeamMembersInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    /// Users who come in, or are in already; at most 500.
    #[graphql(default)]
    add: Vec<ID>,
    /// Users who go out, or are out already; at most 500.
    #[graphql(default)]
    remove: Vec<ID>,
}

/// Queries about teams.
#[derive(Default)]
pub struct TeamsQuery;

#[Object(name = "TeamsQuery")]
impl TeamsQuery {
    /// The teams of the workspace, the newest first.
    async fn teams(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] after: Option<String>,
        #[graphql(desc = "At most 500; 50 unless told.")] last: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] before: Option<String>,
    ) -> async_graphql::Result<TeamConnection> {
        let (ctx, caller) = both(context)?;
        let slice = teams::page(ctx, caller, PageArgs { first, after, last, before }).await?;
        Ok(TeamConnection::new(slice, (), |team| (page::encode(&team.id), TeamObject(team))))
    }

    /// One team; null where there is none.
    async fn team(&self, context: &Context<'_>, id: ID) -> Nullable<TeamObject> {
        nullable(async {
            let (ctx, caller) = both(context)?;
            let Ok(id) = id.parse::<TeamId>() else { return Ok(None) };
            Ok(found(teams::get(ctx, caller, id).await)?.map(TeamObject))
        })
        .await
    }
}

/// Mutations of teams.
#[derive(Default)]
pub struct TeamsMutation;

#[Object(name = "TeamsMutation")]
impl TeamsMutation {
    /// Makes a team. For admins and managers.
    async fn create_team(&self, context: &Context<'_>, input: CreateTeamInput) -> async_graphql::Result<TeamPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let new = teams::NewTeam { name: input.name, members: users("members", &input.members)? };
        Ok(TeamPayload { team: teams::create(ctx, &caller, new).await.map(TeamObject)? })
    }

    /// Gives a team another name. For admins and managers.
    async fn update_team(&self, context: &Context<'_>, input: UpdateTeamInput) -> async_graphql::Result<TeamPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id = parse_id::<TeamId>("id", &input.id)?;
        Ok(TeamPayload { team: teams::rename(ctx, &caller, id, &input.name).await.map(TeamObject)? })
    }

    /// Deletes a team; what was shared with it is shared with it no more. For admins and managers.
    async fn delete_team(&self, context: &Context<'_>, input: DeleteTeamInput) -> async_graphql::Result<DonePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        teams::delete(ctx, &caller, parse_id::<TeamId>("id", &input.id)?).await?;
        Ok(DONE)
    }

    /// Lets people into a team and out of it. For admins and managers.
    async fn set_team_members(
        &self,
        context: &Context<'_>,
        input: SetTeamMembersInput,
    ) -> async_graphql::Result<TeamPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id = parse_id::<TeamId>("id", &input.id)?;
        let changes = teams::MemberChanges { add: users("add", &input.add)?, remove: users("remove", &input.remove)? };
        Ok(TeamPayload { team: teams::set_members(ctx, &caller, id, changes).await.map(TeamObject)? })
    }
}

fn users(field: &'static str, ids: &[ID]) -> Result<Vec<UserId>> {
    ids.iter().map(|id| parse_id(field, id)).collect()
}
