//! Throwing away what nobody can use any more.

use chrono::{DateTime, TimeDelta, Utc};

use super::queries;
use crate::{base::Result, db::Tx};

/// A link is kept a while after it expired, for people who look into what happened.
const LINKS_FOR: TimeDelta = TimeDelta::days(7);
/// How long the key of a request that may be sent again is remembered.
const ANSWERS_FOR: TimeDelta = TimeDelta::hours(24);

/// Deletes one-time links that have expired and keys of requests that are old: at most so many of
/// each; whether there may be more. Needs a transaction of the system role.
pub async fn purge_expired(tx: &mut Tx, now: DateTime<Utc>, most: usize) -> Result<bool> {
    let links = queries::links::purge(tx.connection(), now - LINKS_FOR, most as i64).await?;
    let keys = queries::keys::purge(tx.connection(), now - ANSWERS_FOR, most as i64).await?;
    Ok([links, keys].contains(&most))
}
