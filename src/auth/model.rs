//! The nouns of sessions, for those who keep them and those who store them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::{
    base::ids::{SessionId, UserId, WorkspaceId},
    db::schema::sessions,
    text_enum,
};

text_enum! {
    /// A browser with a cookie, or a client with tokens.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "SessionKind")]
    pub enum SessionKind {
        Cookie = "cookie",
        Tokens = "tokens",
    }
}

text_enum! {
    /// What a secret of a session is for.
    pub enum SecretKind {
        /// To call; a cookie's too.
        Access = "access",
        /// To get the next pair.
        Refresh = "refresh",
    }
}

/// A session to be started.
#[derive(Debug, Clone)]
pub struct NewSession {
    pub workspace: WorkspaceId,
    pub user: UserId,
    pub kind: SessionKind,
    pub user_agent: Option<String>,
    pub address: Option<String>,
}

/// A session as its owner sees it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub struct SessionRow {
    pub id: SessionId,
    pub kind: SessionKind,
    pub user_agent: Option<String>,
    pub address: Option<String>,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
}
