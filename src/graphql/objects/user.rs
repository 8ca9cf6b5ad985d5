//! People, their sessions and tokens.

use async_graphql::{Context, ID, Json, Object};
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{
    auth::{
        Grant, Permission, Role,
        session::{SessionKind, SessionRow},
    },
    base::ids::{SessionId, UserId},
    graphql::{
        context::caller,
        errors::{Nullable, nullable},
        loaders::Loaders,
        objects::{scalars::json, team::TeamObject},
    },
    team::{
        User, UserStatus,
        model::{ApiToken, Invitation},
    },
};

#[derive(Clone)]
pub struct UserObject {
    user: User,
    /// Shown as somebody beside something else, which everybody may see.
    beside: bool,
}

impl UserObject {
    /// A person whom the caller may see whole.
    pub fn whole(user: User) -> Self {
        Self { user, beside: false }
    }

    /// A person beside a record or a job.
    pub fn beside(user: User) -> Self {
        Self { user, beside: true }
    }

    /// Whether the person's own affairs are shown. Looks at nothing of the caller but what decides
    /// who shares a live event: their role and their scopes.
    fn is_whole(&self, context: &Context<'_>) -> async_graphql::Result<bool> {
        Ok(!self.beside || caller(context)?.grant(Permission::UsersRead) == Grant::All)
    }
}

/// The person beside something: whose it is, or who did it.
pub async fn named(context: &Context<'_>, user: Option<UserId>) -> async_graphql::Result<Option<UserObject>> {
    let Some(id) = user else { return Ok(None) };
    Ok(context.data::<Loaders>()?.users.load_one(id).await?.map(UserObject::beside))
}

/// A person as a member of the workspace.
#[Object(name = "User")]
impl UserObject {
    async fn id(&self) -> ID {
        self.user.id.into()
    }

    async fn email(&self) -> &str {
        &self.user.email
    }

    async fn full_name(&self) -> &str {
        &self.user.full_name
    }

    async fn role(&self) -> Role {
        self.user.role
    }

    async fn status(&self) -> UserStatus {
        self.user.status
    }

    async fn phone(&self) -> Option<&str> {
        self.user.phone.as_deref()
    }

    async fn department(&self) -> Option<&str> {
        self.user.department.as_deref()
    }

    async fn avatar_url(&self) -> Option<&str> {
        self.user.avatar_url.as_deref()
    }

    /// Whatever the person's clients keep here. Null where the person is shown beside something
    /// else and you may not see all users.
    async fn preferences(&self, context: &Context<'_>) -> async_graphql::Result<Option<Json<Value>>> {
        Ok(self.is_whole(context)?.then(|| json(&self.user.preferences)))
    }

    /// Null, too, where the person is shown beside something else and you may not see all users.
    async fn last_login_at(&self, context: &Context<'_>) -> async_graphql::Result<Option<DateTime<Utc>>> {
        let whole = self.is_whole(context)?;
        Ok(self.user.last_login_at.filter(|_| whole))
    }

    /// The teams that the person is in, by name; at most 20.
    async fn teams(&self, context: &Context<'_>) -> Nullable<Vec<TeamObject>> {
        nullable(async {
            caller(context)?;
            let teams = context.data::<Loaders>()?.memberships.load_one(self.user.id).await?;
            Ok(Some(teams.unwrap_or_default().into_iter().map(TeamObject).collect()))
        })
        .await
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.user.created_at
    }

    async fn updated_at(&self) -> DateTime<Utc> {
        self.user.updated_at
    }
}

pub struct SessionObject(pub SessionRow, pub Option<SessionId>);

/// A signed-in browser or client of yours.
#[Object(name = "Session")]
impl SessionObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    async fn kind(&self) -> SessionKind {
        self.0.kind
    }

    /// The program that signed in, in its own words.
    async fn user_agent(&self) -> Option<&str> {
        self.0.user_agent.as_deref()
    }

    async fn address(&self) -> Option<&str> {
        self.0.address.as_deref()
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// To the minute.
    async fn last_used_at(&self) -> DateTime<Utc> {
        self.0.last_used_at
    }

    /// Whether this is the session of this very request.
    async fn is_current(&self) -> bool {
        self.1 == Some(self.0.id)
    }
}

pub struct ApiTokenObject(pub ApiToken);

/// A personal API token, without its secret.
#[Object(name = "ApiToken")]
impl ApiTokenObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The secret's first characters.
    async fn hint(&self) -> &str {
        &self.0.hint
    }

    /// What it may do; empty means all that its user may.
    async fn scopes(&self) -> &[String] {
        &self.0.scopes
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.0.expires_at
    }

    async fn last_used_at(&self) -> Option<DateTime<Utc>> {
        self.0.last_used_at
    }
}

pub struct InvitationObject(pub Invitation);

/// An open invitation to join the workspace.
#[Object(name = "Invitation")]
impl InvitationObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    async fn email(&self) -> &str {
        &self.0.email
    }

    async fn full_name(&self) -> Option<&str> {
        self.0.full_name.as_deref()
    }

    async fn role(&self) -> Role {
        self.0.role
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    async fn expires_at(&self) -> DateTime<Utc> {
        self.0.expires_at
    }
}
