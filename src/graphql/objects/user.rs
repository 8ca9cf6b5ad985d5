//! People, their sessions and tokens.

use async_graphql::{ID, Json, Object};
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{
    auth::{
        Role,
        session::{SessionKind, SessionRow},
    },
    base::ids::SessionId,
    graphql::objects::scalars::json,
    team::{
        User, UserStatus,
        model::{ApiToken, Invitation},
    },
};

#[derive(Clone)]
pub struct UserObject(pub User);

/// A person as a member of the workspace.
#[Object(name = "User")]
impl UserObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    async fn email(&self) -> &str {
        &self.0.email
    }

    async fn full_name(&self) -> &str {
        &self.0.full_name
    }

    async fn role(&self) -> Role {
        self.0.role
    }

    async fn status(&self) -> UserStatus {
        self.0.status
    }

    async fn phone(&self) -> Option<&str> {
        self.0.phone.as_deref()
    }

    async fn department(&self) -> Option<&str> {
        self.0.department.as_deref()
    }

    async fn avatar_url(&self) -> Option<&str> {
        self.0.avatar_url.as_deref()
    }

    /// Whatever the person's clients keep here.
    async fn preferences(&self) -> Json<Value> {
        json(&self.0.preferences)
    }

    async fn last_login_at(&self) -> Option<DateTime<Utc>> {
        self.0.last_login_at
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
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
