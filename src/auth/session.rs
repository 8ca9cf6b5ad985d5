//! Sessions: a signed-in browser (one cookie) or client (an access and a refresh token). Refresh
//! tokens rotate: each works once, and a spent one that comes back later ends the session, for
//! then two parties hold it.

use chrono::{DateTime, TimeDelta, Utc};

pub use super::model::{NewSession, SessionKind, SessionRow};
use super::{Config, model::SecretKind, queries, secret};
use crate::{
    base::{
        Result,
        ids::{SessionId, UserId, WorkspaceId},
    },
    db::Tx,
};

/// Two requests of one client may race to refresh; this late a spent token is theft.
const REUSE_GRACE: TimeDelta = TimeDelta::seconds(30);
/// How long the access token before a refresh still works, for requests under way.
const OLD_ACCESS: TimeDelta = TimeDelta::seconds(60);

/// A started or refreshed session with the secrets to hand to the client.
#[derive(Debug)]
pub struct Started {
    pub session: SessionId,
    /// The cookie's value or the access token.
    pub access: secret::Fresh,
    /// Only of a token session.
    pub refresh: Option<secret::Fresh>,
    pub expires_at: DateTime<Utc>,
}

/// Starts a session in a system transaction.
pub async fn start(tx: &mut Tx, now: DateTime<Utc>, config: &Config, new: NewSession) -> Result<Started> {
    let session = SessionId::new();
    let kind = new.kind;
    queries::insert_session(tx.connection(), session, now, new).await?;
    add_secrets(tx, now, config, session, kind).await
}

/// What became of a refresh token.
#[derive(Debug)]
pub enum Rotated {
    Fresh(Started),
    Refused,
    /// It was spent long ago, so somebody else has it too, and its session has ended. That must be
    /// committed, and told.
    Stolen {
        session: SessionId,
        user: UserId,
        workspace: WorkspaceId,
    },
}

/// Trades a refresh token for fresh tokens.
pub async fn rotate(tx: &mut Tx, now: DateTime<Utc>, config: &Config, refresh: &str) -> Result<Rotated> {
    let hash = secret::Hash::of(refresh);
    let Some(found) = queries::lock_refresh_secret(tx.connection(), &hash).await? else { return Ok(Rotated::Refused) };
    match found.spent_at {
        _ if found.ended_at.is_some() => return Ok(Rotated::Refused),
        Some(spent) if now - spent > REUSE_GRACE => {
            let queries::RefreshSecret { session_id: session, user_id: user, workspace_id: workspace, .. } = found;
            tracing::warn!(%session, "a spent refresh token came back: ending its session");
            queries::end_session(tx.connection(), session, now).await?;
            return Ok(Rotated::Stolen { session, user, workspace });
        }
        Some(_) => return Ok(Rotated::Refused),
        None if found.expires_at <= now => return Ok(Rotated::Refused),
        None => {}
    }
    queries::spend_secret(tx.connection(), &hash, now).await?;
    queries::shorten_access(tx.connection(), found.session_id, now + OLD_ACCESS).await?;
    add_secrets(tx, now, config, found.session_id, SessionKind::Tokens).await.map(Rotated::Fresh)
}

/// Ends a session if it is this person's, in this workspace; its secrets stop working. Whether
/// there was one to end.
pub async fn end_own(
    tx: &mut Tx,
    now: DateTime<Utc>,
    workspace: WorkspaceId,
    user: UserId,
    session: SessionId,
) -> Result<bool> {
    queries::end_own_session(tx.connection(), workspace, user, session, now).await
}

/// Ends all sessions of a person, in one workspace or in all, but the one they are using.
pub async fn end_all(
    tx: &mut Tx,
    now: DateTime<Utc>,
    user: UserId,
    workspace: Option<WorkspaceId>,
    except: Option<SessionId>,
) -> Result<()> {
    queries::end_sessions(tx.connection(), user, workspace, except, now).await
}

/// Moves a session to another workspace of its user.
pub async fn rebind(tx: &mut Tx, session: SessionId, workspace: WorkspaceId) -> Result<()> {
    queries::rebind_session(tx.connection(), session, workspace).await
}

/// The open sessions of a person in a workspace, the last used first.
pub async fn open_of(tx: &mut Tx, now: DateTime<Utc>, workspace: WorkspaceId, user: UserId) -> Result<Vec<SessionRow>> {
    queries::open_sessions(tx.connection(), workspace, user, now).await
}

async fn add_secrets(
    tx: &mut Tx,
    now: DateTime<Utc>,
    config: &Config,
    session: SessionId,
    kind: SessionKind,
) -> Result<Started> {
    let (access_kind, lifetime) = match kind {
        SessionKind::Cookie => (secret::Kind::Cookie, config.cookie()),
        SessionKind::Tokens => (secret::Kind::Access, config.access()),
    };
    let access = secret::Fresh::new(access_kind);
    let expires_at = now + lifetime;
    queries::insert_secret(tx.connection(), session, &access.hash, SecretKind::Access, expires_at).await?;
    let refresh = match kind {
        SessionKind::Cookie => None,
        SessionKind::Tokens => {
            let refresh = secret::Fresh::new(secret::Kind::Refresh);
            let until = now + config.refresh();
            queries::insert_secret(tx.connection(), session, &refresh.hash, SecretKind::Refresh, until).await?;
            Some(refresh)
        }
    };
    Ok(Started { session, access, refresh, expires_at })
}
