//! The nouns of the team: users as members of a workspace, teams, workspaces, tokens, invitations.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    auth::Role,
    base::ids::{AuditEntryId, InvitationId, TeamId, TokenId, UserId, WorkspaceId},
    db::schema::{audit_log, invitations, teams, tokens, workspaces},
    text_enum,
};

text_enum! {
    /// Whether a member may sign in.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "UserStatus")]
    pub enum UserStatus {
        Active = "active",
        Inactive = "inactive",
        Suspended = "suspended",
    }
}

text_enum! {
    /// A day of the week.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "Weekday")]
    pub enum Weekday {
        Monday = "monday",
        Tuesday = "tuesday",
        Wednesday = "wednesday",
        Thursday = "thursday",
        Friday = "friday",
        Saturday = "saturday",
        Sunday = "sunday",
    }
}

/// A person as a member of one workspace. Never carries the password.
#[derive(Debug, Clone, Queryable)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub full_name: String,
    pub role: Role,
    pub status: UserStatus,
    pub phone: Option<String>,
    pub department: Option<String>,
    pub avatar_url: Option<String>,
    pub preferences: Value,
    pub last_login_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Which people are looked for.
#[derive(Debug, Clone, Default)]
pub struct PeopleFilter {
    /// A fragment of the name or the e-mail address.
    pub search: Option<String>,
    /// Only those who may sign in, or only those who may not.
    pub active: Option<bool>,
}

/// A place among people: name and id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonPlace(pub String, pub UserId);

impl From<&User> for PersonPlace {
    fn from(user: &User) -> Self {
        Self(user.full_name.clone(), user.id)
    }
}

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = workspaces)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub name: String,
    /// An IANA name.
    pub time_zone: String,
    pub week_start: Weekday,
    pub created_at: DateTime<Utc>,
}

/// Members of the workspace who work together: lists are shared with them, records are found by them.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = teams)]
pub struct Team {
    pub id: TeamId,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A personal API token, without its secret.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = tokens)]
pub struct ApiToken {
    pub id: TokenId,
    pub user_id: UserId,
    pub name: String,
    /// The secret's first characters.
    pub hint: String,
    /// Empty: all that the user may do.
    pub scopes: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = invitations)]
pub struct Invitation {
    pub id: InvitationId,
    pub email: String,
    pub full_name: Option<String>,
    pub role: Role,
    pub invited_by: UserId,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = audit_log)]
pub struct AuditEntry {
    pub id: AuditEntryId,
    pub at: DateTime<Utc>,
    pub actor: Value,
    pub user_id: Option<UserId>,
    pub action: String,
    pub subject_kind: Option<String>,
    pub subject_id: Option<Uuid>,
    pub address: Option<String>,
    pub request_id: Option<String>,
    pub details: Value,
}

/// One line of the audit log about to be written.
#[derive(Debug, Clone)]
pub struct NewAuditEntry {
    /// `noun.past_tense`, for example `user.deactivated`.
    pub action: &'static str,
    pub subject: Option<(&'static str, Uuid)>,
    /// What else matters; never a secret.
    pub details: Value,
}

impl NewAuditEntry {
    pub fn new(action: &'static str, kind: &'static str, id: impl Into<Uuid>) -> Self {
        Self { action, subject: Some((kind, id.into())), details: Value::Object(serde_json::Map::new()) }
    }

    pub fn with(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}
