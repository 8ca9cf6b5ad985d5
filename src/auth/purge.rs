//! Throwing away what proves nothing any more.

use chrono::{DateTime, TimeDelta, Utc};

use super::queries;
use crate::{base::Result, db::Tx};

/// A spent refresh token is kept a while after it expired, so that its return is noticed; and with it
/// its session.
const SPENT_FOR: TimeDelta = TimeDelta::days(7);

/// Deletes secrets and throttle windows that have expired, and the sessions whose secrets are all
/// gone: at most so many of each; whether there may be more. Needs a transaction of the system role.
pub async fn purge_expired(tx: &mut Tx, now: DateTime<Utc>, most: usize) -> Result<bool> {
    let connection = tx.connection();
    let secrets = queries::purge_secrets(connection, now - SPENT_FOR, most as i64).await?;
    let sessions = queries::purge_sessions(connection, now - SPENT_FOR, most as i64).await?;
    let failures = queries::purge_failures(connection, now, most as i64).await?;
    Ok([secrets, sessions, failures].contains(&most))
}
