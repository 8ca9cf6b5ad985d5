//! All SQL of sessions, of the sign-in throttle, and of finding out who calls.

use chrono::{DateTime, Utc};
use diesel::{
    dsl::exists,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Binary, Integer, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{
    Role,
    model::{NewSession, SecretKind, SessionKind, SessionRow},
    secret,
};
use crate::{
    base::{
        Result,
        ids::{SessionId, TokenId, UserId, WorkspaceId},
    },
    db::schema::{members, session_secrets, sessions, sign_in_failures, tokens},
};

#[derive(Queryable)]
pub struct ResolvedSession {
    pub id: SessionId,
    pub workspace_id: WorkspaceId,
    pub user_id: UserId,
    pub kind: SessionKind,
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub role: Role,
}

pub async fn session_by_secret(
    connection: &mut AsyncPgConnection,
    hash: &secret::Hash,
    now: DateTime<Utc>,
) -> Result<Option<ResolvedSession>> {
    Ok(session_secrets::table
        .inner_join(sessions::table)
        .inner_join(
            members::table.on(members::workspace_id
                .eq(sessions::workspace_id)
                .and(members::user_id.eq(sessions::user_id))
                .and(members::status.eq("active"))),
        )
        .filter(session_secrets::hash.eq(hash.as_bytes()))
        .filter(session_secrets::kind.eq(SecretKind::Access))
        .filter(session_secrets::expires_at.gt(now))
        .filter(sessions::ended_at.is_null())
        .select((
            sessions::id,
            sessions::workspace_id,
            sessions::user_id,
            sessions::kind,
            sessions::last_used_at,
            session_secrets::expires_at,
            members::role,
        ))
        .first(connection)
        .await
        .optional()?)
}

/// Notes the use; a cookie's life begins anew with it.
pub async fn touch_session(
    connection: &mut AsyncPgConnection,
    session: SessionId,
    hash: &secret::Hash,
    now: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
) -> Result<()> {
    diesel::update(sessions::table.find(session)).set(sessions::last_used_at.eq(now)).execute(connection).await?;
    if let Some(until) = until {
        diesel::update(session_secrets::table.find(hash.as_bytes()))
            .set(session_secrets::expires_at.eq(until))
            .execute(connection)
            .await?;
    }
    Ok(())
}

#[derive(Queryable)]
pub struct ResolvedToken {
    pub id: TokenId,
    pub workspace_id: WorkspaceId,
    pub user_id: UserId,
    pub scopes: Vec<String>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub role: Role,
}

pub async fn token_by_hash(
    connection: &mut AsyncPgConnection,
    hash: &secret::Hash,
    now: DateTime<Utc>,
) -> Result<Option<ResolvedToken>> {
    Ok(tokens::table
        .inner_join(
            members::table.on(members::workspace_id
                .eq(tokens::workspace_id)
                .and(members::user_id.eq(tokens::user_id))
                .and(members::status.eq("active"))),
        )
        .filter(tokens::hash.eq(hash.as_bytes()))
        .filter(tokens::revoked_at.is_null())
        .filter(tokens::expires_at.is_null().or(tokens::expires_at.gt(now)))
        .select((
            tokens::id,
            tokens::workspace_id,
            tokens::user_id,
            tokens::scopes,
            tokens::expires_at,
            tokens::last_used_at,
            members::role,
        ))
        .first(connection)
        .await
        .optional()?)
}

/// The role that an open session has in this workspace, and when the last secret that proves it
/// runs out.
pub async fn standing_of_session(
    connection: &mut AsyncPgConnection,
    session: SessionId,
    workspace: WorkspaceId,
    now: DateTime<Utc>,
) -> Result<Option<(Role, Option<DateTime<Utc>>)>> {
    let found: Option<(Role, DateTime<Utc>)> = session_secrets::table
        .inner_join(sessions::table)
        .inner_join(
            members::table.on(members::workspace_id
                .eq(sessions::workspace_id)
                .and(members::user_id.eq(sessions::user_id))
                .and(members::status.eq("active"))),
        )
        .filter(session_secrets::session_id.eq(session))
        .filter(session_secrets::kind.eq(SecretKind::Access))
        .filter(session_secrets::expires_at.gt(now))
        .filter(sessions::workspace_id.eq(workspace))
        .filter(sessions::ended_at.is_null())
        .order(session_secrets::expires_at.desc())
        .select((members::role, session_secrets::expires_at))
        .first(connection)
        .await
        .optional()?;
    Ok(found.map(|(role, until)| (role, Some(until))))
}

/// The role that a token's user still has, and when the token runs out.
pub async fn standing_of_token(
    connection: &mut AsyncPgConnection,
    token: TokenId,
    now: DateTime<Utc>,
) -> Result<Option<(Role, Option<DateTime<Utc>>)>> {
    Ok(tokens::table
        .inner_join(
            members::table.on(members::workspace_id
                .eq(tokens::workspace_id)
                .and(members::user_id.eq(tokens::user_id))
                .and(members::status.eq("active"))),
        )
        .filter(tokens::id.eq(token))
        .filter(tokens::revoked_at.is_null())
        .filter(tokens::expires_at.is_null().or(tokens::expires_at.gt(now)))
        .select((members::role, tokens::expires_at))
        .first(connection)
        .await
        .optional()?)
}

pub async fn touch_token(connection: &mut AsyncPgConnection, token: TokenId, now: DateTime<Utc>) -> Result<()> {
    diesel::update(tokens::table.find(token)).set(tokens::last_used_at.eq(now)).execute(connection).await?;
    Ok(())
}

pub async fn insert_session(
    connection: &mut AsyncPgConnection,
    id: SessionId,
    now: DateTime<Utc>,
    new: NewSession,
) -> Result<()> {
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(id),
            sessions::workspace_id.eq(new.workspace),
            sessions::user_id.eq(new.user),
            sessions::kind.eq(new.kind),
            sessions::user_agent.eq(new.user_agent),
            sessions::address.eq(new.address),
            sessions::created_at.eq(now),
            sessions::last_used_at.eq(now),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn insert_secret(
    connection: &mut AsyncPgConnection,
    session: SessionId,
    hash: &secret::Hash,
    kind: SecretKind,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    diesel::insert_into(session_secrets::table)
        .values((
            session_secrets::hash.eq(hash.as_bytes()),
            session_secrets::session_id.eq(session),
            session_secrets::kind.eq(kind),
            session_secrets::expires_at.eq(expires_at),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

#[derive(Queryable)]
pub struct RefreshSecret {
    pub session_id: SessionId,
    pub user_id: UserId,
    pub workspace_id: WorkspaceId,
    pub expires_at: DateTime<Utc>,
    pub spent_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

pub async fn lock_refresh_secret(
    connection: &mut AsyncPgConnection,
    hash: &secret::Hash,
) -> Result<Option<RefreshSecret>> {
    Ok(session_secrets::table
        .inner_join(sessions::table)
        .filter(session_secrets::hash.eq(hash.as_bytes()))
        .filter(session_secrets::kind.eq(SecretKind::Refresh))
        .select((
            session_secrets::session_id,
            sessions::user_id,
            sessions::workspace_id,
            session_secrets::expires_at,
            session_secrets::spent_at,
            sessions::ended_at,
        ))
        .for_update()
        .first(connection)
        .await
        .optional()?)
}

pub async fn spend_secret(connection: &mut AsyncPgConnection, hash: &secret::Hash, now: DateTime<Utc>) -> Result<()> {
    diesel::update(session_secrets::table.find(hash.as_bytes()))
        .set(session_secrets::spent_at.eq(now))
        .execute(connection)
        .await?;
    Ok(())
}

/// Lets the session's present access tokens live no longer than until then.
pub async fn shorten_access(
    connection: &mut AsyncPgConnection,
    session: SessionId,
    until: DateTime<Utc>,
) -> Result<()> {
    diesel::update(
        session_secrets::table
            .filter(session_secrets::session_id.eq(session))
            .filter(session_secrets::kind.eq(SecretKind::Access))
            .filter(session_secrets::expires_at.gt(until)),
    )
    .set(session_secrets::expires_at.eq(until))
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn end_session(connection: &mut AsyncPgConnection, session: SessionId, now: DateTime<Utc>) -> Result<()> {
    diesel::update(sessions::table.find(session).filter(sessions::ended_at.is_null()))
        .set(sessions::ended_at.eq(now))
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends a session if it is this person's, in this workspace; whether there was one to end.
pub async fn end_own_session(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    session: SessionId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let ended = diesel::update(sessions::table.find(session))
        .filter(sessions::workspace_id.eq(workspace))
        .filter(sessions::user_id.eq(user))
        .filter(sessions::ended_at.is_null())
        .set(sessions::ended_at.eq(now))
        .execute(connection)
        .await?;
    Ok(ended == 1)
}

pub async fn end_sessions(
    connection: &mut AsyncPgConnection,
    user: UserId,
    workspace: Option<WorkspaceId>,
    except: Option<SessionId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut ending = diesel::update(sessions::table)
        .set(sessions::ended_at.eq(now))
        .filter(sessions::user_id.eq(user))
        .filter(sessions::ended_at.is_null())
        .into_boxed();
    if let Some(workspace) = workspace {
        ending = ending.filter(sessions::workspace_id.eq(workspace));
    }
    if let Some(except) = except {
        ending = ending.filter(sessions::id.ne(except));
    }
    ending.execute(connection).await?;
    Ok(())
}

pub async fn rebind_session(
    connection: &mut AsyncPgConnection,
    session: SessionId,
    workspace: WorkspaceId,
) -> Result<()> {
    diesel::update(sessions::table.find(session)).set(sessions::workspace_id.eq(workspace)).execute(connection).await?;
    Ok(())
}

/// Those that can still be used, by whichever of their secrets.
pub async fn open_sessions(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<SessionRow>> {
    let live = session_secrets::table
        .filter(session_secrets::session_id.eq(sessions::id))
        .filter(session_secrets::expires_at.gt(now))
        .filter(session_secrets::spent_at.is_null());
    Ok(sessions::table
        .filter(sessions::workspace_id.eq(workspace))
        .filter(sessions::user_id.eq(user))
        .filter(sessions::ended_at.is_null())
        .filter(exists(live))
        .order(sessions::last_used_at.desc())
        .limit(200)
        .select(SessionRow::as_select())
        .load(connection)
        .await?)
}

/// Counts one attempt, in a window that begins anew where the last one has ended. The count with
/// this one, and the window's end.
pub async fn count_attempt(
    connection: &mut AsyncPgConnection,
    subject: &[u8],
    now: DateTime<Utc>,
    window_ends_at: DateTime<Utc>,
) -> Result<(i32, DateTime<Utc>)> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = Integer)]
        failures: i32,
        #[diesel(sql_type = Timestamptz)]
        window_ends_at: DateTime<Utc>,
    }
    let counted: Counted = sql_query(
        "INSERT INTO sign_in_failures AS kept (subject, failures, window_ends_at) VALUES ($1, 1, $2)
         ON CONFLICT (subject) DO UPDATE SET
             failures = CASE WHEN kept.window_ends_at > $3 THEN kept.failures + 1 ELSE 1 END,
             window_ends_at = CASE WHEN kept.window_ends_at > $3 THEN kept.window_ends_at ELSE $2 END
         RETURNING failures, window_ends_at",
    )
    .bind::<Binary, _>(subject)
    .bind::<Timestamptz, _>(window_ends_at)
    .bind::<Timestamptz, _>(now)
    .get_result(connection)
    .await?;
    Ok((counted.failures, counted.window_ends_at))
}

pub async fn uncount_attempt(connection: &mut AsyncPgConnection, subject: &[u8]) -> Result<()> {
    diesel::update(sign_in_failures::table.find(subject).filter(sign_in_failures::failures.gt(0)))
        .set(sign_in_failures::failures.eq(sign_in_failures::failures - 1))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn forget_attempts(connection: &mut AsyncPgConnection, subject: &[u8]) -> Result<()> {
    diesel::delete(sign_in_failures::table.find(subject)).execute(connection).await?;
    Ok(())
}

/// Deletes some of the secrets that expired before then; how many.
pub async fn purge_secrets(connection: &mut AsyncPgConnection, before: DateTime<Utc>, most: i64) -> Result<usize> {
    let delete = sql_query(
        "DELETE FROM session_secrets WHERE ctid = ANY(ARRAY(
             SELECT ctid FROM session_secrets WHERE expires_at < $1 ORDER BY expires_at LIMIT $2))",
    );
    Ok(delete.bind::<Timestamptz, _>(before).bind::<BigInt, _>(most).execute(connection).await?)
}

/// Deletes some of the sessions not used since then that have no secret left, so that nobody can
/// use them; how many.
pub async fn purge_sessions(connection: &mut AsyncPgConnection, before: DateTime<Utc>, most: i64) -> Result<usize> {
    let delete = sql_query(
        "DELETE FROM sessions WHERE id IN (
             SELECT id FROM sessions WHERE last_used_at < $1 AND NOT EXISTS
                 (SELECT FROM session_secrets WHERE session_id = sessions.id) ORDER BY last_used_at LIMIT $2)",
    );
    Ok(delete.bind::<Timestamptz, _>(before).bind::<BigInt, _>(most).execute(connection).await?)
}

/// Deletes some of the throttle's windows that ended before then; how many.
pub async fn purge_failures(connection: &mut AsyncPgConnection, before: DateTime<Utc>, most: i64) -> Result<usize> {
    // asked again outside: an attempt may have begun the window anew since
    let delete = sql_query(
        "DELETE FROM sign_in_failures WHERE window_ends_at < $1 AND ctid = ANY(ARRAY(
             SELECT ctid FROM sign_in_failures WHERE window_ends_at < $1 ORDER BY window_ends_at LIMIT $2))",
    );
    Ok(delete.bind::<Timestamptz, _>(before).bind::<BigInt, _>(most).execute(connection).await?)
}
