//! SQL of the chores that belong to no feature.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    base::Result,
    db::schema::{idempotency_keys, one_time_links, session_secrets, sign_in_failures},
};

/// How long a remembered answer is kept.
const ANSWERS_FOR: TimeDelta = TimeDelta::hours(24);
/// A spent refresh token is kept a while after it expired, so that its return is noticed.
const SPENT_FOR: TimeDelta = TimeDelta::days(7);

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
