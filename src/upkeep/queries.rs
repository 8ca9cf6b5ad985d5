//! SQL of the chores that belong to no feature.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    sql_query,
    sql_types::{BigInt, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::Result;

/// How long a remembered answer is kept.
const ANSWERS_FOR: TimeDelta = TimeDelta::hours(24);
/// A spent refresh token is kept a while after it expired, so that its return is noticed.
const SPENT_FOR: TimeDelta = TimeDelta::days(7);

/// Most rows that one statement deletes.
const BATCH: i64 = 5_000;

/// Rows of one table that have expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    Secrets,
    Links,
    Failures,
    Answers,
    /// Those that have no secret left, so that nobody can use them.
    Sessions,
}

impl Expired {
    pub const ALL: [Self; 5] = [Self::Secrets, Self::Links, Self::Failures, Self::Answers, Self::Sessions];

    /// The statement for so many rows from before a time, and how long they are kept. Each has an
    /// index that finds them.
    fn statement(self) -> (&'static str, TimeDelta) {
        match self {
            Self::Secrets => (
                "DELETE FROM session_secrets WHERE ctid = ANY(ARRAY(
                     SELECT ctid FROM session_secrets WHERE expires_at < $1 ORDER BY expires_at LIMIT $2))",
                SPENT_FOR,
            ),
            Self::Links => (
                "DELETE FROM one_time_links WHERE ctid = ANY(ARRAY(
                     SELECT ctid FROM one_time_links WHERE expires_at < $1 ORDER BY expires_at LIMIT $2))",
                SPENT_FOR,
            ),
            Self::Failures => (
                "DELETE FROM sign_in_failures WHERE window_ends_at < $1 AND ctid = ANY(ARRAY(
                     SELECT ctid FROM sign_in_failures WHERE window_ends_at < $1 ORDER BY window_ends_at LIMIT $2))",
                TimeDelta::zero(),
            ),
            Self::Answers => (
                "DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
                     SELECT ctid FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2))",
                ANSWERS_FOR,
            ),
            Self::Sessions => (
                "DELETE FROM sessions WHERE id IN (
                     SELECT id FROM sessions WHERE last_used_at < $1 AND NOT EXISTS
                         (SELECT FROM session_secrets WHERE session_id = sessions.id) ORDER BY last_used_at LIMIT $2)",
                SPENT_FOR,
            ),
        }
    }
}

/// Deletes some of the rows that have expired; whether there may be more.
pub async fn purge(connection: &mut AsyncPgConnection, expired: Expired, now: DateTime<Utc>) -> Result<bool> {
    let (statement, kept_for) = expired.statement();
    let delete = sql_query(statement).bind::<Timestamptz, _>(now - kept_for).bind::<BigInt, _>(BATCH);
    Ok(i64::try_from(delete.execute(connection).await?).is_ok_and(|deleted| deleted == BATCH))
}
