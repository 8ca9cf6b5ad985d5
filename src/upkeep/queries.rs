//! SQL of the chores that belong to no feature.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    prelude::*,
    sql_types::{BigInt, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    base::Result,
    db::schema::{idempotency_keys, one_time_links, session_secrets, sign_in_failures},
};

/// How long a remembered answer is kept.
const ANSWERS_FOR: TimeDelta = TimeDelta::hours(24);
/// A spent refresh token is kept a while after it expired, so that its return is noticed.
const SPENT_FOR: TimeDelta = TimeDelta::days(7);

/// Sessions that are deleted in one transaction.
pub const SESSIONS_AT_ONCE: usize = 1_000;

/// Deletes sessions that have no secret left, so nobody can use them; how many.
pub async fn purge_sessions(connection: &mut AsyncPgConnection, now: DateTime<Utc>) -> Result<usize> {
    let deleted = diesel::sql_query(
        "DELETE FROM sessions WHERE id IN (
             SELECT id FROM sessions
             WHERE last_used_at < $1 AND NOT EXISTS (SELECT FROM session_secrets WHERE session_id = sessions.id)
             LIMIT $2)",
    )
    .bind::<Timestamptz, _>(now - SPENT_FOR)
    .bind::<BigInt, _>(SESSIONS_AT_ONCE as i64)
    .execute(connection)
    .await?;
    Ok(deleted)
}

pub async fn purge_secrets(connection: &mut AsyncPgConnection, now: DateTime<Utc>) -> Result<()> {
    diesel::delete(session_secrets::table.filter(session_secrets::expires_at.lt(now - SPENT_FOR)))
        .execute(connection)
        .await?;
    diesel::delete(one_time_links::table.filter(one_time_links::expires_at.lt(now - SPENT_FOR)))
        .execute(connection)
        .await?;
    diesel::delete(sign_in_failures::table.filter(sign_in_failures::window_ends_at.lt(now)))
        .execute(connection)
        .await?;
    diesel::delete(idempotency_keys::table.filter(idempotency_keys::created_at.lt(now - ANSWERS_FOR)))
        .execute(connection)
        .await?;
    Ok(())
}
