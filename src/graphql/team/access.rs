//! Getting in and out: signing in, registering, sessions, passwords.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::{DONE, DonePayload};
use crate::{
    auth::{password::Password, session::SessionKind},
    base::ids::{SessionId, WorkspaceId},
    graphql::{
        context::{both, ctx},
        errors::parse_id,
        objects::user::{SessionObject, UserObject},
    },
    http::{caller::COOKIE, client::ClientInfo, request_id},
    team::{
        access::{self, Client, SignedIn},
        invitations, registration, users,
    },
};

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

#[derive(InputObject)]
#[graphql(name = "RefreshSessionInput")]
pub struct RefreshSessionInput {
    refresh_token: String,
}

/// A fresh pair of tokens.
#[derive(SimpleObject)]
#[graphql(name = "RefreshSessionPayload")]
pub struct RefreshSessionPayload {
    token: String,
    refresh_token: String,
    expires_at: DateTime<Utc>,
}

#[derive(InputObject)]
#[graphql(name = "ChangePasswordInput")]
pub struct ChangePasswordInput {
    current_password: String,
    new_password: String,
}

#[derive(InputObject)]
#[graphql(name = "EndSessionInput")]
pub struct EndSessionInput {
    id: ID,
}

#[derive(InputObject)]
#[graphql(name = "SwitchWorkspaceInput")]
pub struct SwitchWorkspaceInput {
    id: ID,
}

#[derive(InputObject)]
#[graphql(name = "RequestPasswordResetInput")]
pub struct RequestPasswordResetInput {
    email: String,
}

#[derive(InputObject)]
#[graphql(name = "ResetPasswordInput")]
pub struct ResetPasswordInput {
    /// From the link in the mail.
    token: String,
    password: String,
}

/// Queries about how you are signed in.
#[derive(Default)]
pub struct AccessQuery;

#[Object(name = "AccessQuery")]
impl AccessQuery {
    /// Your signed-in browsers and clients, the last used first.
    async fn sessions(&self, context: &Context<'_>) -> async_graphql::Result<Vec<SessionObject>> {
        let (ctx, caller) = both(context)?;
        let rows = access::sessions(ctx, caller).await?;
        Ok(rows.into_iter().map(|row| SessionObject(row, caller.session())).collect())
    }
}

/// Mutations that sign in and out.
#[derive(Default)]
pub struct AccessMutation;

#[Object(name = "AccessMutation")]
impl AccessMutation {
    /// Signs in by e-mail address and password.
    async fn sign_in(&self, context: &Context<'_>, input: SignInInput) -> async_graphql::Result<SignInPayload> {
        let password = Password::new(input.password);
        let kind = input.sign_in_as.kind();
        let client = client(context);
        let done = access::sign_in(ctx(context)?, &input.email, &password, kind, &client).await?;
        signed_in(context, done).await
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
        signed_in(context, made).await
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
        signed_in(context, made).await
    }

    /// Trades a refresh token for a fresh pair; each works once.
    async fn refresh_session(
        &self,
        context: &Context<'_>,
        input: RefreshSessionInput,
    ) -> async_graphql::Result<RefreshSessionPayload> {
        let started = access::refresh(ctx(context)?, &input.refresh_token).await?;
        Ok(RefreshSessionPayload {
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
    async fn end_session(&self, context: &Context<'_>, input: EndSessionInput) -> async_graphql::Result<DonePayload> {
        let (ctx, caller) = both(context)?;
        access::end_session(ctx, caller, parse_id::<SessionId>("id", &input.id)?).await?;
        Ok(DONE)
    }

    /// Goes on with another workspace of yours.
    async fn switch_workspace(
        &self,
        context: &Context<'_>,
        input: SwitchWorkspaceInput,
    ) -> async_graphql::Result<DonePayload> {
        let (ctx, caller) = both(context)?;
        access::switch_workspace(ctx, caller, parse_id::<WorkspaceId>("id", &input.id)?).await?;
        Ok(DONE)
    }

    /// Mails a link to set a new password, if the address is somebody's; the answer does not tell.
    async fn request_password_reset(
        &self,
        context: &Context<'_>,
        input: RequestPasswordResetInput,
    ) -> async_graphql::Result<DonePayload> {
        access::forgot_password(ctx(context)?, &input.email, &client(context)).await?;
        Ok(DONE)
    }

    /// Sets a new password by the link in the mail, and ends all sessions.
    async fn reset_password(
        &self,
        context: &Context<'_>,
        input: ResetPasswordInput,
    ) -> async_graphql::Result<DonePayload> {
        let password = Password::new(input.password);
        access::reset_password(ctx(context)?, &input.token, &password, &client(context)).await?;
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
}

/// How long a browser keeps the cookie: the longest that they do, 400 days. The session ends by the
/// server's own clock, later with each use.
const KEPT_SECONDS: u32 = 400 * 24 * 60 * 60;

fn client(context: &Context<'_>) -> Client {
    let info = context.data_opt::<ClientInfo>().cloned().unwrap_or_default();
    Client { address: info.address, user_agent: info.user_agent, local: info.local, request_id: request_id::current() }
}

async fn signed_in(context: &Context<'_>, signed_in: SignedIn) -> async_graphql::Result<SignInPayload> {
    let ctx = ctx(context)?;
    let user = users::me(ctx, &signed_in.caller()).await.map(UserObject::whole)?;
    let started = signed_in.started;
    let expires_at = started.expires_at;
    let Some(refresh) = started.refresh else {
        let secure = if ctx.public_url.starts_with("https://") { "; Secure" } else { "" };
        let text = started.access.text;
        let cookie = format!("{COOKIE}={text}; Path=/; HttpOnly; SameSite=Lax; Max-Age={KEPT_SECONDS}{secure}");
        context.insert_http_header("set-cookie", cookie);
        return Ok(SignInPayload { token: None, refresh_token: None, expires_at, user });
    };
    Ok(SignInPayload { token: Some(started.access.text), refresh_token: Some(refresh.text), expires_at, user })
}
