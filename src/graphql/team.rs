//! Signing in, people, tokens, the workspace and its audit log.

use async_graphql::{Context, Enum, ID, InputObject, Json, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    context::{Repeatable, both, caller, ctx, once, once_by},
    errors::{found, parse_id},
    objects::{
        user::{ApiTokenObject, InvitationObject, SessionObject, UserObject},
        workspace::{AuditEntryObject, WorkspaceObject},
    },
};
use crate::{
    auth::{
        Caller, Grant, Permission, Role,
        password::Password,
        session::{SessionKind, Started},
    },
    base::{
        ids::{InvitationId, SessionId, TokenId, UserId, WorkspaceId},
        page::{self, PageArgs},
    },
    connection,
    http::{caller::COOKIE, client::ClientInfo},
    jobs::{JobFilter, JobState},
    team::{
        UserStatus,
        access::{self, Client},
        audit, invitations, registration, tokens, users, work, workspace,
    },
};

/// The signed-in person and what they may do.
pub struct Viewer;

#[Object(name = "Viewer")]
impl Viewer {
    async fn user(&self, context: &Context<'_>) -> async_graphql::Result<UserObject> {
        let (ctx, caller) = both(context)?;
        Ok(UserObject(users::me(ctx, caller).await?))
    }

    async fn workspace(&self, context: &Context<'_>) -> async_graphql::Result<WorkspaceObject> {
        let (ctx, caller) = both(context)?;
        Ok(WorkspaceObject(workspace::get(ctx, caller).await?))
    }

    /// The workspaces you can switch to.
    async fn workspaces(&self, context: &Context<'_>) -> async_graphql::Result<Vec<WorkspaceObject>> {
        let (ctx, caller) = both(context)?;
        Ok(workspace::mine(ctx, caller).await?.into_iter().map(WorkspaceObject).collect())
    }

    /// How many jobs were given up, of yours or, where your role sees all, of everybody; `jobs` with
    /// the status `FAILED` lists them. Null for a token that may see no jobs.
    async fn failed_jobs(&self, context: &Context<'_>) -> async_graphql::Result<Option<i64>> {
        let (ctx, caller) = both(context)?;
        if caller.grant(Permission::JobsRead) == Grant::No {
            return Ok(None);
        }
        let filter = JobFilter { state: Some(JobState::Failed), ..JobFilter::default() };
        Ok(Some(work::count(ctx, caller, &filter).await?))
    }

    /// What you may do, as `noun:verb`; `:own` behind it where only to what is your own.
    async fn permissions(&self, context: &Context<'_>) -> async_graphql::Result<Vec<String>> {
        let caller = caller(context)?;
        let granted = Permission::ALL.iter().filter_map(|permission| match caller.grant(*permission) {
            Grant::No => None,
            Grant::Own => Some(format!("{}:own", permission.scope())),
            Grant::All => Some(permission.scope().to_owned()),
        });
        Ok(granted.collect())
    }
}

connection!(UserConnection UserEdge of UserObject, "UserConnection" "UserEdge", count(_everybody: (), context) {
    let (ctx, caller) = both(context)?;
    users::numbered_page(ctx, caller, 0, 0).await?.1
});

connection!(AuditConnection AuditEdge of AuditEntryObject, "AuditConnection" "AuditEdge", count(_all: (), context) {
    let (ctx, caller) = both(context)?;
    audit::count(ctx, caller).await?
});

/// Queries about the team.
#[derive(Default)]
pub struct TeamQuery;

#[Object(name = "TeamQuery")]
impl TeamQuery {
    /// Who am I: the signed-in person, their workspace, what they may do.
    async fn viewer(&self, context: &Context<'_>) -> async_graphql::Result<Viewer> {
        caller(context)?;
        Ok(Viewer)
    }

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
        Ok(UserConnection::new(slice, (), |user| (page::encode(&user.id), UserObject(user))))
    }

    /// One person of the workspace.
    async fn user(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<Option<UserObject>> {
        let (ctx, caller) = both(context)?;
        let Ok(id) = id.parse::<UserId>() else { return Ok(None) };
        Ok(found(users::get(ctx, caller, id).await)?.map(UserObject))
    }

    /// Your signed-in browsers and clients, the last used first.
    async fn sessions(&self, context: &Context<'_>) -> async_graphql::Result<Vec<SessionObject>> {
        let (ctx, caller) = both(context)?;
        let rows = access::sessions(ctx, caller).await?;
        Ok(rows.into_iter().map(|row| SessionObject(row, caller.session())).collect())
    }

    /// Your API tokens, the newest first; everybody's for admins.
    async fn api_tokens(&self, context: &Context<'_>) -> async_graphql::Result<Vec<ApiTokenObject>> {
        let (ctx, caller) = both(context)?;
        Ok(tokens::list(ctx, caller).await?.into_iter().map(ApiTokenObject).collect())
    }

    /// Invitations that are open, for admins.
    async fn invitations(&self, context: &Context<'_>) -> async_graphql::Result<Vec<InvitationObject>> {
        let (ctx, caller) = both(context)?;
        Ok(invitations::list(ctx, caller).await?.into_iter().map(InvitationObject).collect())
    }

    /// Who did what, the newest first, for admins.
    async fn audit_log(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500.")] first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> async_graphql::Result<AuditConnection> {
        let (ctx, caller) = both(context)?;
        let slice = audit::page(ctx, caller, PageArgs { first, after, last, before }).await?;
        Ok(AuditConnection::new(slice, (), |entry| (page::encode(&entry.id), AuditEntryObject(entry))))
    }
}

/// What a client gets to prove who it is.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "SignInAs")]
pub enum SignInAs {
    /// An access and a refresh token in the answer.
    Tokens,
    /// An HttpOnly cookie, for browsers; the answer carries no token.
    Cookie,
}

impl SignInAs {
    fn kind(self) -> SessionKind {
        match self {
            Self::Tokens => SessionKind::Tokens,
            Self::Cookie => SessionKind::Cookie,
        }
    }
}

#[derive(InputObject)]
#[graphql(name = "SignInInput")]
pub struct SignInInput {
    email: String,
    password: String,
    #[graphql(name = "as", default_with = "SignInAs::Tokens")]
    sign_in_as: SignInAs,
}

/// Tokens, or nulls where a cookie was set instead.
#[derive(SimpleObject)]
#[graphql(name = "SignInPayload")]
pub struct SignInPayload {
    /// Send as `Authorization: Bearer <token>`.
    token: Option<String>,
    /// Works once, for the next pair.
    refresh_token: Option<String>,
    expires_at: DateTime<Utc>,
    user: UserObject,
}

#[derive(InputObject)]
#[graphql(name = "RegisterInput")]
pub struct RegisterInput {
    email: String,
    /// At least 8 characters.
    password: String,
    full_name: String,
    /// Your own name unless given.
    workspace_name: Option<String>,
    /// From the set-up link of a new installation.
    set_up_key: Option<String>,
    #[graphql(name = "as", default_with = "SignInAs::Tokens")]
    sign_in_as: SignInAs,
}

#[derive(InputObject)]
#[graphql(name = "AcceptInvitationInput")]
pub struct AcceptInvitationInput {
    /// From the link in the mail.
    token: String,
    full_name: Option<String>,
    /// A new one for a new person, the present one for somebody who has an account already.
    password: String,
    #[graphql(name = "as", default_with = "SignInAs::Tokens")]
    sign_in_as: SignInAs,
}

/// A fresh pair of tokens.
#[derive(SimpleObject)]
#[graphql(name = "RefreshPayload")]
pub struct RefreshPayload {
    token: String,
    refresh_token: String,
    expires_at: DateTime<Utc>,
}

/// Nothing to tell but that it was done.
#[derive(SimpleObject)]
#[graphql(name = "DonePayload")]
pub struct DonePayload {
    done: bool,
}

const DONE: DonePayload = DonePayload { done: true };

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

#[derive(InputObject)]
#[graphql(name = "ChangePasswordInput")]
pub struct ChangePasswordInput {
    current_password: String,
    new_password: String,
}

#[derive(InputObject)]
#[graphql(name = "ResetPasswordInput")]
pub struct ResetPasswordInput {
    /// From the link in the mail.
    token: String,
    password: String,
}

#[derive(InputObject)]
#[graphql(name = "CreateApiTokenInput")]
pub struct CreateApiTokenInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    name: String,
    /// As in `viewer.permissions`; empty means all that you may do.
    #[graphql(default)]
    scopes: Vec<String>,
    expires_at: Option<DateTime<Utc>>,
}

#[derive(SimpleObject)]
#[graphql(name = "ApiTokenPayload")]
pub struct ApiTokenPayload {
    api_token: ApiTokenObject,
    /// Shown this once.
    secret: String,
}

#[derive(InputObject)]
#[graphql(name = "UpdateWorkspaceInput")]
pub struct UpdateWorkspaceInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    name: Option<String>,
    /// An IANA name such as `Europe/Berlin`.
    time_zone: Option<String>,
    /// The English name of a day, in lower case.
    week_start: Option<String>,
}

#[derive(SimpleObject)]
#[graphql(name = "WorkspacePayload")]
pub struct WorkspacePayload {
    workspace: WorkspaceObject,
}

/// Mutations of the team.
#[derive(Default)]
pub struct TeamMutation;

#[Object(name = "TeamMutation")]
impl TeamMutation {
    /// Signs in by e-mail address and password.
    async fn sign_in(&self, context: &Context<'_>, input: SignInInput) -> async_graphql::Result<SignInPayload> {
        let password = Password::new(input.password);
        let kind = input.sign_in_as.kind();
        let client = client(context);
        let done = access::sign_in(ctx(context)?, &input.email, &password, kind, &client).await?;
        signed_in(context, done.user, done.workspace, done.started).await
    }

    /// Makes a workspace with you as its admin; on a new installation, or where registration is
    /// open.
    async fn register(&self, context: &Context<'_>, input: RegisterInput) -> async_graphql::Result<SignInPayload> {
        let registration = registration::Registration {
            email: input.email,
            password: Password::new(input.password),
            full_name: input.full_name,
            workspace_name: input.workspace_name,
            set_up_key: input.set_up_key,
        };
        let kind = input.sign_in_as.kind();
        let made = registration::register(ctx(context)?, registration, &client(context), kind).await?;
        signed_in(context, made.0, made.1, made.2).await
    }

    /// Joins a workspace by the link of an invitation.
    async fn accept_invitation(
        &self,
        context: &Context<'_>,
        input: AcceptInvitationInput,
    ) -> async_graphql::Result<SignInPayload> {
        let kind = input.sign_in_as.kind();
        let password = Password::new(input.password);
        let acceptance = invitations::Acceptance { link: input.token, full_name: input.full_name, password };
        let made = invitations::accept(ctx(context)?, acceptance, kind, &client(context)).await?;
        signed_in(context, made.0, made.1, made.2).await
    }

    /// Trades a refresh token for a fresh pair; each works once.
    async fn refresh_session(
        &self,
        context: &Context<'_>,
        refresh_token: String,
    ) -> async_graphql::Result<RefreshPayload> {
        let started = access::refresh(ctx(context)?, &refresh_token).await?;
        Ok(RefreshPayload {
            token: started.access.text,
            refresh_token: started.refresh.map(|refresh| refresh.text).unwrap_or_default(),
            expires_at: started.expires_at,
        })
    }

    /// Ends this session.
    async fn sign_out(&self, context: &Context<'_>) -> async_graphql::Result<DonePayload> {
        let (ctx, caller) = both(context)?;
        access::sign_out(ctx, caller).await?;
        context.insert_http_header("set-cookie", format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"));
        Ok(DONE)
    }

    /// Ends one of your sessions.
    async fn end_session(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<DonePayload> {
        let (ctx, caller) = both(context)?;
        access::end_session(ctx, caller, parse_id::<SessionId>("id", &id)?).await?;
        Ok(DONE)
    }

    /// Goes on with another workspace of yours.
    async fn switch_workspace(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<DonePayload> {
        let (ctx, caller) = both(context)?;
        access::switch_workspace(ctx, caller, parse_id::<WorkspaceId>("id", &id)?).await?;
        Ok(DONE)
    }

    /// Mails a link to set a new password, if the address is somebody's; the answer does not tell.
    async fn request_password_reset(&self, context: &Context<'_>, email: String) -> async_graphql::Result<DonePayload> {
        access::forgot_password(ctx(context)?, &email, &client(context)).await?;
        Ok(DONE)
    }

    /// Sets a new password by the link in the mail, and ends all sessions.
    async fn reset_password(
        &self,
        context: &Context<'_>,
        input: ResetPasswordInput,
    ) -> async_graphql::Result<DonePayload> {
        let password = Password::new(input.password);
        access::reset_password(ctx(context)?, &input.token, &password).await?;
        Ok(DONE)
    }

    /// Changes your password, and ends your other sessions.
    async fn change_password(
        &self,
        context: &Context<'_>,
        input: ChangePasswordInput,
    ) -> async_graphql::Result<DonePayload> {
        let (ctx, caller) = both(context)?;
        let (current, new) = (Password::new(input.current_password), Password::new(input.new_password));
        access::change_password(ctx, caller, &current, &new).await?;
        Ok(DONE)
    }

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
        Ok(UserPayload { user: users::create(ctx, &caller, new).await.map(UserObject)? })
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
        Ok(UserPayload { user: users::update(ctx, &caller, id, patch).await.map(UserObject)? })
    }

    /// Deactivates a user and ends their sessions; what they own stays theirs. Admins only.
    async fn deactivate_user(
        &self,
        context: &Context<'_>,
        id: ID,
        #[graphql(desc = "Sent again with the same key, it is done once: see the inputs of other mutations.")]
        client_mutation_id: Option<String>,
    ) -> async_graphql::Result<DonePayload> {
        let (ctx, caller) = once_by(context, client_mutation_id.as_deref())?;
        users::deactivate(ctx, &caller, parse_id::<UserId>("id", &id)?).await?;
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
        id: ID,
        #[graphql(desc = "Sent again with the same key, it is done once: see the inputs of other mutations.")]
        client_mutation_id: Option<String>,
    ) -> async_graphql::Result<DonePayload> {
        let (ctx, caller) = once_by(context, client_mutation_id.as_deref())?;
        invitations::revoke(ctx, &caller, parse_id::<InvitationId>("id", &id)?).await?;
        Ok(DONE)
    }

    /// Makes an API token for you. Its secret is in this answer only: sent again with the same
    /// `clientMutationId`, the mutation makes no second token and is a `CONFLICT` whose
    /// `details.tokenId` names the first.
    async fn create_api_token(
        &self,
        context: &Context<'_>,
        input: CreateApiTokenInput,
    ) -> async_graphql::Result<ApiTokenPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let new = tokens::NewToken { name: input.name, scopes: input.scopes, expires_at: input.expires_at };
        let (token, secret) = tokens::create(ctx, &caller, new).await?;
        Ok(ApiTokenPayload { api_token: ApiTokenObject(token), secret: secret.text })
    }

    /// Makes a token of yours, or for admins anybody's, stop working at once.
    async fn revoke_api_token(
        &self,
        context: &Context<'_>,
        id: ID,
        #[graphql(desc = "Sent again with the same key, it is done once: see the inputs of other mutations.")]
        client_mutation_id: Option<String>,
    ) -> async_graphql::Result<DonePayload> {
        let (ctx, caller) = once_by(context, client_mutation_id.as_deref())?;
        tokens::revoke(ctx, &caller, parse_id::<TokenId>("id", &id)?).await?;
        Ok(DONE)
    }

    /// Changes the workspace. Admins only.
    async fn update_workspace(
        &self,
        context: &Context<'_>,
        input: UpdateWorkspaceInput,
    ) -> async_graphql::Result<WorkspacePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let patch =
            workspace::WorkspacePatch { name: input.name, time_zone: input.time_zone, week_start: input.week_start };
        let workspace = workspace::update(ctx, &caller, patch).await.map(WorkspaceObject)?;
        Ok(WorkspacePayload { workspace })
    }
}

fn given<T>(value: MaybeUndefined<T>) -> Option<Option<T>> {
    match value {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

fn client(context: &Context<'_>) -> Client {
    let info = context.data_opt::<ClientInfo>().cloned().unwrap_or_default();
    Client { address: info.address, user_agent: info.user_agent }
}

async fn signed_in(
    context: &Context<'_>,
    user: UserId,
    workspace: WorkspaceId,
    started: Started,
) -> async_graphql::Result<SignInPayload> {
    let ctx = ctx(context)?;
    let caller = Caller::signed_in(workspace, user, started.session);
    let user = users::me(ctx, &caller).await.map(UserObject)?;
    let expires_at = started.expires_at;
    let Some(refresh) = started.refresh else {
        let secure = if ctx.public_url.starts_with("https://") { "; Secure" } else { "" };
        let age = ctx.auth.cookie().num_seconds();
        let cookie = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}", started.access.text);
        context.insert_http_header("set-cookie", cookie);
        return Ok(SignInPayload { token: None, refresh_token: None, expires_at, user });
    };
    Ok(SignInPayload { token: Some(started.access.text), refresh_token: Some(refresh.text), expires_at, user })
}
