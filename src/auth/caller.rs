//! The caller of an operation: a signed-in person, a token, a job working for a person, or the
//! system itself. Everything that an operation may ask about its caller is here.

use std::{net::IpAddr, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::permission::{Grant, Permission, Role};
use crate::{
    base::{
        Error, Result,
        ids::{JobId, SessionId, TokenId, UserId, WorkspaceId},
    },
    db::Tenant,
};

/// By which way the call came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    Session(SessionId),
    Token(TokenId),
    /// A job that works for the person who started it.
    Job(JobId),
    /// The command line or a chore of ours.
    System,
}

/// Which face or machinery a change came through; kept in the field history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    Graphql,
    Rest,
    Import,
    System,
}

impl Via {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Graphql => "graphql",
            Self::Rest => "rest",
            Self::Import => "import",
            Self::System => "system",
        }
    }
}

/// A resolved caller. Cheap to clone; lives for one request, or for one socket until its rights
/// change.
#[derive(Debug, Clone)]
pub struct Caller {
    pub workspace: WorkspaceId,
    pub user: UserId,
    pub role: Role,
    pub origin: Origin,
    pub via: Via,
    /// What the token allows; `None` allows all that the role does.
    scopes: Option<Arc<[Permission]>>,
    /// When what proves this caller runs out, unless it is renewed meanwhile; `None`: never.
    until: Option<DateTime<Utc>>,
    /// For the audit log.
    pub address: Option<IpAddr>,
    pub request_id: Option<Arc<str>>,
    /// Set where this very operation may be sent again.
    pub repeat: Option<Arc<RepeatKey>>,
}

/// A key by which a client marks a request that it may send again, with the SHA-256 of what the
/// request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepeatKey {
    pub key: String,
    pub input_hash: Vec<u8>,
}

/// Longest key that a client may send.
const LONGEST_KEY: usize = 200;

impl RepeatKey {
    /// `input` is the operation's name and everything that it was given; `field` is where the key
    /// came in.
    pub fn new(field: &'static str, key: &str, input: impl AsRef<[u8]>) -> Result<Self> {
        if key.is_empty() || key.len() > LONGEST_KEY || key.chars().any(char::is_control) {
            return Err(Error::invalid(field, "must have between 1 and 200 characters"));
        }
        Ok(Self { key: key.to_owned(), input_hash: Sha256::digest(input).to_vec() })
    }
}

/// Who did something, as events, changes and the audit log keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// `user`, `import` or `system`
    pub kind: String,
    /// The person, or the person for whom a job worked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The job or token that acted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<uuid::Uuid>,
}

impl Actor {
    /// From what was kept. One row that a newer version wrote in a shape of its own must not hide
    /// or stop what stands beside it: that is the system's.
    pub fn read(kept: serde_json::Value) -> Self {
        let unknown = |_| Self { kind: "system".to_owned(), user: None, through: None };
        serde_json::from_value(kept).unwrap_or_else(unknown)
    }
}

impl Caller {
    pub fn new(workspace: WorkspaceId, user: UserId, role: Role, origin: Origin, via: Via) -> Self {
        Self {
            workspace,
            user,
            role,
            origin,
            via,
            scopes: None,
            until: None,
            address: None,
            request_id: None,
            repeat: None,
        }
    }

    /// Narrows the caller to a token's scopes.
    pub fn with_scopes(mut self, scopes: Arc<[Permission]>) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// The token's scopes by name, to work on for the caller later; `None` where nothing narrows.
    pub fn scopes(&self) -> Option<Vec<&'static str>> {
        self.scopes.as_ref().map(|scopes| scopes.iter().map(|scope| scope.scope()).collect())
    }

    /// Limits the caller to the life of a token or session.
    pub fn with_end(mut self, until: Option<DateTime<Utc>>) -> Self {
        self.until = until;
        self
    }

    /// Whether what the caller came with has expired since.
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    pub fn with_request(mut self, address: Option<IpAddr>, request_id: Option<Arc<str>>) -> Self {
        self.address = address;
        self.request_id = request_id;
        self
    }

    /// The same person in another workspace of theirs.
    pub fn moved_to(mut self, workspace: WorkspaceId, role: Role) -> Self {
        self.workspace = workspace;
        self.role = role;
        self
    }

    /// The same caller for one operation that carries a key.
    pub fn repeating(mut self, key: Option<RepeatKey>) -> Self {
        self.repeat = key.map(Arc::new);
        self
    }

    /// The same caller, coming by another way.
    pub fn via(mut self, via: Via) -> Self {
        self.via = via;
        self
    }

    /// How far this caller's permission reaches.
    pub fn grant(&self, permission: Permission) -> Grant {
        let in_scope = self.scopes.as_ref().is_none_or(|scopes| scopes.contains(&permission));
        if in_scope { permission.grant(self.role) } else { Grant::No }
    }

    /// Refuses a caller who may not do this at all.
    pub fn require(&self, permission: Permission) -> Result<Grant> {
        match self.grant(permission) {
            Grant::No => Err(self.refusal(permission)),
            grant => Ok(grant),
        }
    }

    /// Refuses a caller who may not do this to everything in the workspace. For operations that do
    /// not look at whose a thing is.
    pub fn require_all(&self, permission: Permission) -> Result<()> {
        match self.require(permission)? {
            Grant::All => Ok(()),
            _ => Err(Error::Forbidden("You may do this only to what is your own".into())),
        }
    }

    /// Refuses a caller who may do this only to records of their own, and this is none.
    pub fn require_for(&self, permission: Permission, owner: Option<UserId>) -> Result<()> {
        match self.require(permission)? {
            Grant::All => Ok(()),
            _ if owner == Some(self.user) => Ok(()),
            _ => Err(Error::Forbidden("You may do this only to what is your own".into())),
        }
    }

    /// Refuses a token that was not made for everything its user may do: some operations (making
    /// tokens, changing passwords) must not be reachable from a narrowed one.
    pub fn require_unscoped(&self) -> Result<()> {
        match self.scopes {
            None => Ok(()),
            Some(_) => Err(Error::Forbidden("A token with scopes may not do this; sign in".into())),
        }
    }

    /// The session that this caller is signed in with.
    pub fn session(&self) -> Option<SessionId> {
        match self.origin {
            Origin::Session(session) => Some(session),
            _ => None,
        }
    }

    pub fn actor(&self) -> Actor {
        let (kind, through) = match (self.origin, self.via) {
            (Origin::Job(job), Via::Import) => ("import", Some(job.0)),
            (Origin::Job(job), _) => ("system", Some(job.0)),
            (Origin::Token(token), _) => ("user", Some(token.0)),
            (Origin::Session(_), _) => ("user", None),
            (Origin::System, _) => ("system", None),
        };
        Actor { kind: kind.to_owned(), user: Some(self.user), through }
    }

    /// What a caller sees of shared things depends on this alone: two callers with equal
    /// fingerprints may be sent the same rendering of an event.
    pub fn rights_fingerprint(&self) -> String {
        format!("{}/{}/{:?}", self.workspace, self.role, self.scopes())
    }

    fn refusal(&self, permission: Permission) -> Error {
        let message = match permission.grant(self.role) {
            Grant::No => format!("Your role ({}) does not allow this ({})", self.role, permission.scope()),
            _ => format!("This token lacks the scope {}", permission.scope()),
        };
        Error::Forbidden(message.into())
    }
}

impl Tenant for Caller {
    fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}
