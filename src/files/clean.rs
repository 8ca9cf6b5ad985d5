//! Deleting what nobody needs any more: files past their time, and objects that are no file's.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::TryStreamExt;

use super::{Files, queries};
use crate::base::{Error, Result};

/// An object without a row may be a piece about to be recorded; after this long it is not.
const GRACE: TimeDelta = TimeDelta::days(1);

/// Files per transaction, objects per look.
pub const BATCH: usize = 500;

/// Deletes the files of all workspaces that are past their time, rows first: a reader finds either
/// a whole file or none, and what a crash leaves are objects for [`sweep`]. Asks before each batch
/// whether it may go on. Returns how many files.
pub async fn expire<E: From<Error>>(
    files: &Files,
    now: DateTime<Utc>,
    may_go_on: impl Fn() -> Result<(), E>,
) -> Result<usize, E> {
    let mut deleted = 0;
    loop {
        may_go_on()?;
        let mut tx = files.db.system().await?;
        let expired = queries::lock_expired(tx.connection(), now, BATCH as i64).await?;
        let keys = queries::delete_locked(tx.connection(), &expired).await?;
        tx.commit().await?;
        files.store.delete(keys).await?;
        deleted += expired.len();
        if expired.len() < BATCH {
            return Ok(deleted);
        }
    }
}

/// The present of [`sweep`], by the clock that objects are dated by: to a server whose own is days ahead
/// each piece that is just being written would be old.
pub async fn store_now(files: &Files) -> Result<DateTime<Utc>> {
    files.store.now(&format!("{}/clock", files.root().await?)).await
}

/// Deletes the objects older than a day that belong to no file: traces of crashes. Looks only below
/// this installation's own root, for others may use the same bucket. Asks before each batch whether
/// it may go on. Returns how many.
pub async fn sweep<E: From<Error>>(
    files: &Files,
    now: DateTime<Utc>,
    may_go_on: impl Fn() -> Result<(), E>,
) -> Result<usize, E> {
    let before = now - GRACE;
    let old =
        files.store.list(files.root().await?)?.try_filter(|object| std::future::ready(object.written_at < before));
    let mut batches = old.map_ok(|object| object.key).try_chunks(BATCH);
    let mut deleted = 0;
    may_go_on()?;
    while let Some(mut keys) = batches.try_next().await.map_err(|broken| broken.1)? {
        may_go_on()?;
        let mut tx = files.db.system().await?;
        let known = queries::known_keys(tx.connection(), &keys).await?;
        tx.commit().await?;
        keys.retain(|key| !known.contains(key));
        deleted += keys.len();
        files.store.delete(keys).await?;
    }
    Ok(deleted + files.store.delete_half_written(before).await?)
}
