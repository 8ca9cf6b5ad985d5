//! Getting in and out: signing in, refreshing, signing out, passwords.

use std::{net::IpAddr, sync::Arc};

use serde_json::json;

use super::{audit, events, jobs::SendPasswordReset, model::UserStatus, queries};
use crate::{
    auth::{
        Caller, Origin, Permission, Role, Via,
        password::{Password, Turn},
        secret,
        session::{self, NewSession, Rotated, SessionKind, SessionRow, Started},
        throttle::Attempt,
    },
    base::{
        Error, Result,
        ids::{JobId, SessionId, UserId, WorkspaceId},
        text::{self, EmailAddress},
    },
    ctx::Ctx,
    db::Tx,
    jobs::{Enqueued, enqueue},
};

/// What is known of the program that a request came from.
#[derive(Debug, Clone, Default)]
pub struct Client {
    pub address: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// For the audit log.
    pub request_id: Option<Arc<str>>,
    /// Whether the request was made on the machine itself.
    pub local: bool,
}

/// Somebody who has just signed in.
#[derive(Debug)]
pub struct SignedIn {
    pub user: UserId,
    pub workspace: WorkspaceId,
    pub role: Role,
    pub started: Started,
}

impl SignedIn {
    pub fn caller(&self) -> Caller {
        let caller =
            Caller::new(self.workspace, self.user, self.role, Origin::Session(self.started.session), Via::System);
        caller.with_end(Some(self.started.expires_at))
    }
}

/// Starts a session for whoever knows the password.
pub async fn sign_in(
    ctx: &Ctx,
    email: &str,
    password: &Password,
    kind: SessionKind,
    from: &Client,
) -> Result<SignedIn> {
    let user = prove(ctx, email, password, from.address).await?;
    let user = user.ok_or_else(|| Error::Unauthenticated("Invalid credentials".into()))?;
    let mut tx = ctx.db.system().await?;
    let Some((workspace, role)) = queries::members::home_workspace(tx.connection(), user).await? else {
        return Err(Error::Forbidden("This user is not active in any workspace".into()));
    };
    drop(tx);
    let mut tx = ctx.db.system_in(workspace).await?;
    let started = start_session(ctx, &mut tx, workspace, user, kind, from).await?;
    let signed_in = SignedIn { user, workspace, role, started };
    let caller = signed_in.caller().with_request(from.address, from.request_id.clone());
    let entry = audit::Entry::new("session.started", "session", signed_in.started.session);
    audit::record_in(ctx, &mut tx, &caller, entry).await?;
    tx.commit().await?;
    Ok(signed_in)
}

/// Whose password this is, by their address; `None` where it is wrong. Slow on purpose, equally so
/// for unknown addresses, and refused for a while after too many wrong ones.
pub async fn prove(ctx: &Ctx, email: &str, password: &Password, from: Option<IpAddr>) -> Result<Option<UserId>> {
    // what is no address is nobody's, and need not be looked for
    let address = EmailAddress::parse(email).ok();
    let counted_as = address.as_ref().map_or_else(|| email.trim().to_lowercase(), ToString::to_string);
    let attempt = Attempt::sign_in(&counted_as, from);
    // Before it is counted, and kept until the count is taken back: many who sign in at once are
    // no guesses while they wait in line.
    let turn = Turn::wait().await?;
    let mut tx = ctx.db.system().await?;
    attempt.count(&mut tx, ctx.clock.now(), &ctx.limits).await?;
    let known = match &address {
        Some(address) => queries::passwords::credentials(tx.connection(), address.as_str()).await?,
        None => None,
    };
    // no connection is held while Argon2 works; whoever hangs up from here on has tried
    tx.commit().await?;
    let kept = known.as_ref().and_then(|known| known.password_hash.as_deref());
    let (right, _turn) = password.matches(kept, turn).await?;
    if !right {
        // not the address that was typed: people type their password there
        tracing::info!(user = ?known.map(|known| known.id), from = ?from, "a sign-in was refused: wrong password");
        return Ok(None);
    }
    let mut tx = ctx.db.system().await?;
    attempt.succeeded(&mut tx).await?;
    tx.commit().await?;
    Ok(known.map(|known| known.id))
}

/// Starts a session for a person who has proved who they are.
pub async fn start_session(
    ctx: &Ctx,
    tx: &mut Tx,
    workspace: WorkspaceId,
    user: UserId,
    kind: SessionKind,
    from: &Client,
) -> Result<Started> {
    let now = ctx.clock.now();
    queries::users::note_login(tx.connection(), user, now).await?;
    let user_agent = from.user_agent.as_ref().map(|agent| agent.chars().take(text::SHORT).collect());
    let address = from.address.map(|address| address.to_string());
    session::start(tx, now, &ctx.auth, NewSession { workspace, user, kind, user_agent, address }).await
}

/// Trades a refresh token for fresh tokens; the old one is spent. One that comes back after that
/// ends its session.
pub async fn refresh(ctx: &Ctx, refresh: &str) -> Result<Started> {
    let mut tx = ctx.db.system().await?;
    match session::rotate(&mut tx, ctx.clock.now(), &ctx.auth, refresh).await? {
        Rotated::Fresh(started) => {
            tx.commit().await?;
            return Ok(started);
        }
        Rotated::Refused => {}
        Rotated::Stolen { session, user, workspace } => {
            tx.bind(workspace).await?;
            // nobody is known to be behind this request, so it is the system that ends the session
            let caller = Caller::new(workspace, user, Role::Support, Origin::System, Via::System);
            let entry = audit::Entry::new("session.ended", "session", session);
            let entry = entry.with(json!({ "reason": "a spent refresh token was used again" }));
            audit::record_in(ctx, &mut tx, &caller, entry).await?;
            ctx.emit(&mut tx, &caller, &[events::sessions_ended(user)]).await?;
            tx.commit().await?;
            ctx.resolver.forget(user);
        }
    }
    Err(Error::Unauthenticated("This refresh token is not valid; sign in again".into()))
}

/// Ends the session that the caller is signed in with. A token has none to end.
pub async fn sign_out(ctx: &Ctx, caller: &Caller) -> Result<()> {
    match caller.session() {
        Some(session) => end_session(ctx, caller, session).await,
        None => Err(Error::invalid("session", "is none: an API token is revoked, not signed out")),
    }
}

/// The caller's own open sessions, the last used first.
pub async fn sessions(ctx: &Ctx, caller: &Caller) -> Result<Vec<SessionRow>> {
    caller.require_unscoped()?;
    let mut tx = ctx.db.read(caller).await?;
    session::open_of(&mut tx, ctx.clock.now(), caller.workspace, caller.user).await
}

/// Ends one of the caller's own sessions.
pub async fn end_session(ctx: &Ctx, caller: &Caller, session: SessionId) -> Result<()> {
    caller.require_unscoped()?;
    let mut tx = ctx.db.begin(caller).await?;
    if !session::end_own(&mut tx, ctx.clock.now(), caller.workspace, caller.user, session).await? {
        return Err(Error::NotFound("Session"));
    }
    audit::record_in(ctx, &mut tx, caller, audit::Entry::new("session.ended", "session", session)).await?;
    ctx.emit(&mut tx, caller, &[events::sessions_ended(caller.user)]).await?;
    tx.commit().await?;
    ctx.resolver.forget(caller.user);
    Ok(())
}

/// Sends a link to set a new password, if the address is somebody's. Tells nobody whether it is,
/// not even by the time it takes: there is a job for the unknown too.
pub async fn forgot_password(ctx: &Ctx, email: &str, from: &Client) -> Result<()> {
    let Ok(email) = EmailAddress::parse(email) else { return Ok(()) };
    let now = ctx.clock.now();
    let mut tx = ctx.db.system().await?;
    Attempt::reset(email.as_str(), from.address).count(&mut tx, now, &ctx.limits).await?;
    let known = queries::passwords::credentials(tx.connection(), email.as_str()).await?;
    let job = SendPasswordReset { user: known.map(|known| known.id), asked_at: now };
    enqueue::<Ctx, _>(&mut tx, now, &job, Enqueued::default()).await?;
    tx.commit().await
}

/// Sets a new password by a link, and ends every session of the person.
pub async fn reset_password(ctx: &Ctx, link: &str, password: &Password, from: &Client) -> Result<()> {
    password.check_new("password")?;
    let link = secret::Hash::of(link);
    let wrong_link = || Error::invalid("token", "is not a valid reset link, or is older than an hour");
    let mut tx = ctx.db.system().await?;
    // a made-up link is not worth an Argon2
    if !queries::links::is_good_link(tx.connection(), "password_reset", &link, ctx.clock.now()).await? {
        return Err(wrong_link());
    }
    tx.commit().await?;
    let hash = password.hash().await?;
    let now = ctx.clock.now();
    let mut tx = ctx.db.system().await?;
    let user = queries::links::use_reset_link(tx.connection(), &link, now).await?.ok_or_else(wrong_link)?;
    queries::passwords::set_password(tx.connection(), user, &hash, now).await?;
    session::end_all(&mut tx, now, user, None, None).await?;
    if let Some((workspace, role)) = queries::members::home_workspace(tx.connection(), user).await? {
        tx.bind(workspace).await?;
        let caller = Caller::new(workspace, user, role, Origin::System, Via::System)
            .with_request(from.address, from.request_id.clone());
        audit::record_in(ctx, &mut tx, &caller, audit::Entry::new("password.reset", "user", user)).await?;
        ctx.emit(&mut tx, &caller, &[events::sessions_ended(user)]).await?;
    }
    tx.commit().await?;
    ctx.resolver.forget(user);
    Ok(())
}

/// Changes the caller's own password, and ends their other sessions.
pub async fn change_password(ctx: &Ctx, caller: &Caller, current: &Password, new: &Password) -> Result<()> {
    caller.require_unscoped()?;
    new.check_new("newPassword")?;
    let mut tx = ctx.db.read(caller).await?;
    let known = queries::users::address(tx.connection(), caller.user).await?;
    tx.commit().await?;
    let (email, _) = known.ok_or(Error::NotFound("User"))?;
    if prove(ctx, &email, current, caller.address).await? != Some(caller.user) {
        return Err(Error::Unauthenticated("The current password is wrong".into()));
    }
    let hash = new.hash().await?;
    let now = ctx.clock.now();
    let mut tx = ctx.db.begin(caller).await?;
    queries::passwords::set_password(tx.connection(), caller.user, &hash, now).await?;
    session::end_all(&mut tx, now, caller.user, None, caller.session()).await?;
    audit::record_in(ctx, &mut tx, caller, audit::Entry::new("password.changed", "user", caller.user)).await?;
    ctx.emit(&mut tx, caller, &[events::sessions_ended(caller.user)]).await?;
    tx.commit().await?;
    ctx.resolver.forget(caller.user);
    Ok(())
}

/// Moves the caller's session to another workspace that they are an active member of.
pub async fn switch_workspace(ctx: &Ctx, caller: &Caller, workspace: WorkspaceId) -> Result<()> {
    let session = caller.session().ok_or_else(|| Error::invalid("workspace", "of a token cannot be changed"))?;
    let mut tx = ctx.db.system_in(workspace).await?;
    let member = queries::members::member(tx.connection(), workspace, caller.user).await?;
    let Some((role, UserStatus::Active)) = member else { return Err(Error::NotFound("Workspace")) };
    session::rebind(&mut tx, session, workspace).await?;
    let there = caller.clone().moved_to(workspace, role);
    let entry = audit::Entry::new("session.switched", "session", session).with(json!({ "from": caller.workspace }));
    audit::record_in(ctx, &mut tx, &there, entry).await?;
    ctx.emit(&mut tx, &there, &[events::sessions_ended(caller.user)]).await?;
    tx.commit().await?;
    ctx.resolver.forget(caller.user);
    Ok(())
}

/// The role that a job works with for its maker; refused if they are not active any more.
pub async fn role_of(ctx: &Ctx, workspace: WorkspaceId, user: UserId) -> Result<Role> {
    let mut tx = ctx.db.system().await?;
    match queries::members::member(tx.connection(), workspace, user).await? {
        Some((role, UserStatus::Active)) => Ok(role),
        _ => Err(Error::Forbidden("The person who started this is not active any more".into())),
    }
}

/// Who a job works for, with the rights that they have now; where a token asked for it, with no more
/// than the token had. `scopes` are as [`Caller::scopes`] told them then.
pub async fn caller_of_job<S: AsRef<str>>(
    ctx: &Ctx,
    workspace: WorkspaceId,
    user: UserId,
    job: JobId,
    scopes: Option<&[S]>,
) -> Result<Caller> {
    let role = role_of(ctx, workspace, user).await?;
    let caller = Caller::new(workspace, user, role, Origin::Job(job), Via::System);
    Ok(match scopes {
        Some(scopes) => {
            caller.with_scopes(scopes.iter().filter_map(|scope| Permission::from_scope(scope.as_ref())).collect())
        }
        None => caller,
    })
}
