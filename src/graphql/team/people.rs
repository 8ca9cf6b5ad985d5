//! The people of a workspace, and those who are invited.

use async_graphql::{Context, ID, InputObject, Json, MaybeUndefined, Object, SimpleObject};
use serde_json::Value;

use super::{DONE, DonePayload};
use crate::{
    auth::{Role, password::Password},
    base::{
        ids::{InvitationId, UserId},
        page::{self, PageArgs},
    },
    connection,
    graphql::{
        context::{Repeatable, both, once},
        errors::{Nullable, found, nullable, parse_id},
        objects::user::{InvitationObject, UserObject},
    },
    id_input,
    team::{
        User, UserStatus, invitations,
        model::{PeopleFilter, PersonPlace},
        users,
    },
};

impl crate::graphql::leaves::Leaves for UserObject {}

connection!(UserConnection UserEdge of UserObject, "UserConnection" "UserEdge", count(_everybody: (), context) {
    let (ctx, caller) = both(context)?;
    users::count(ctx, caller).await?
});

connection!(PeopleConnection PeopleEdge of UserObject, "PeopleConnection" "PeopleEdge", count(filter: PeopleFilter, context) {
    let (ctx, caller) = both(context)?;
    users::count_people(ctx, caller, filter).await?
});

#[derive(SimpleObject)]
#[graphql(name = "UserPayload")]
pub struct UserPayload {
    user: UserObject,
}

#[derive(InputObject)]
#[graphql(name = "CreateUserInput")]
pub struct CreateUserInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    email: String,
    full_name: String,
    /// At least 8 characters. Inviting lets people choose their own.
    password: String,
    role: Role,
    phone: Option<String>,
    department: Option<String>,
}

#[derive(InputObject)]
#[graphql(name = "UpdateUserInput")]
pub struct UpdateUserInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    /// Yourself unless given.
    id: Option<ID>,
    full_name: Option<String>,
    phone: MaybeUndefined<String>,
    department: MaybeUndefined<String>,
    avatar_url: MaybeUndefined<String>,
    /// At most 64 KiB.
    preferences: Option<Json<Value>>,
    /// Admins only.
    role: Option<Role>,
    /// Admins only.
    status: Option<UserStatus>,
}

id_input!(DeactivateUserInput "DeactivateUserInput");
id_input!(RevokeInvitationInput "RevokeInvitationInput");

#[derive(InputObject)]
#[graphql(name = "InviteUserInput")]
pub struct InviteUserInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    email: String,
    full_name: Option<String>,
    role: Role,
}

#[derive(SimpleObject)]
#[graphql(name = "InvitationPayload")]
pub struct InvitationPayload {
    invitation: InvitationObject,
}

/// Queries about people.
#[derive(Default)]
pub struct PeopleQuery;

#[Object(name = "PeopleQuery")]
impl PeopleQuery {
    /// The people of the workspace, the newest first; yourself alone where your role shows no more.
    async fn users(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500.")] first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> async_graphql::Result<UserConnection> {
        let (ctx, caller) = both(context)?;
        let slice = users::page(ctx, caller, PageArgs { first, after, last, before }).await?;
        Ok(UserConnection::new(slice, (), |user| (page::encode(&user.id), UserObject::whole(user))))
    }

    /// The people of the workspace by name, for choosing one of them: whatever your role, as they are shown beside
    /// records.
    async fn people(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] after: Option<String>,
        #[graphql(desc = "At most 500; with `before`.")] last: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] before: Option<String>,
        #[graphql(desc = "A fragment of the name or the e-mail address.")] search: Option<String>,
        #[graphql(desc = "Those who may sign in; false for the others, null for all.", default_with = "Some(true)")]
        active: Option<bool>,
    ) -> async_graphql::Result<PeopleConnection> {
        let (ctx, caller) = both(context)?;
        let filter = PeopleFilter { search, active };
        let slice = users::people(ctx, caller, &filter, PageArgs { first, after, last, before }).await?;
        let edge = |user: User| (page::encode(&PersonPlace::from(&user)), UserObject::beside(user));
        Ok(PeopleConnection::new(slice, filter, edge))
    }

    /// One person of the workspace.
    async fn user(&self, context: &Context<'_>, id: ID) -> Nullable<UserObject> {
        nullable(async {
            let (ctx, caller) = both(context)?;
            let Ok(id) = id.parse::<UserId>() else { return Ok(None) };
            Ok(found(users::get(ctx, caller, id).await)?.map(UserObject::whole))
        })
        .await
    }

    /// Invitations that are open, for admins.
    async fn invitations(&self, context: &Context<'_>) -> async_graphql::Result<Vec<InvitationObject>> {
        let (ctx, caller) = both(context)?;
        Ok(invitations::list(ctx, caller).await?.into_iter().map(InvitationObject).collect())
    }
}

/// Mutations of people.
#[derive(Default)]
pub struct PeopleMutation;

#[Object(name = "PeopleMutation")]
impl PeopleMutation {
    /// Makes a user with a password that you tell them. Admins only.
    async fn create_user(&self, context: &Context<'_>, input: CreateUserInput) -> async_graphql::Result<UserPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let new = users::NewUser {
            email: input.email,
            full_name: input.full_name,
            password: Password::new(input.password),
            role: input.role,
            phone: input.phone,
            department: input.department,
        };
        Ok(UserPayload { user: users::create(ctx, &caller, new).await.map(UserObject::whole)? })
    }

    /// Changes your own profile or, for admins, anybody's, with role and status.
    async fn update_user(&self, context: &Context<'_>, input: UpdateUserInput) -> async_graphql::Result<UserPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id = input.id.as_ref().map(|id| parse_id::<UserId>("id", id)).transpose()?.unwrap_or(caller.user);
        let patch = users::UserPatch {
            full_name: input.full_name,
            phone: given(input.phone),
            department: given(input.department),
            avatar_url: given(input.avatar_url),
            preferences: input.preferences.map(|preferences| preferences.0),
            role: input.role,
            status: input.status,
        };
        Ok(UserPayload { user: users::update(ctx, &caller, id, patch).await.map(UserObject::whole)? })
    }

    /// Deactivates a user and ends their sessions; what they own stays theirs. Admins only.
    async fn deactivate_user(
        &self,
        context: &Context<'_>,
        input: DeactivateUserInput,
    ) -> async_graphql::Result<DonePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        users::deactivate(ctx, &caller, parse_id::<UserId>("id", &input.id)?).await?;
        Ok(DONE)
    }

    /// Invites somebody by mail. Admins only.
    async fn invite_user(
        &self,
        context: &Context<'_>,
        input: InviteUserInput,
    ) -> async_graphql::Result<InvitationPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let new = invitations::NewInvitation { email: input.email, full_name: input.full_name, role: input.role };
        let invitation = invitations::invite(ctx, &caller, new).await.map(InvitationObject)?;
        Ok(InvitationPayload { invitation })
    }

    /// Takes an open invitation back. Admins only.
    async fn revoke_invitation(
        &self,
        context: &Context<'_>,
        input: RevokeInvitationInput,
    ) -> async_graphql::Result<DonePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        invitations::revoke(ctx, &caller, parse_id::<InvitationId>("id", &input.id)?).await?;
        Ok(DONE)
    }
}

fn given<T>(value: MaybeUndefined<T>) -> Option<Option<T>> {
    match value {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}
