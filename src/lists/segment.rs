//! STUB, until lists know criteria: the criteria of dynamic lists are kept as they are given, and
//! nobody builds the membership. What stands here is the whole of what the rest asks of them.

use serde_json::Value as Json;

use crate::{
    auth::Caller,
    base::{
        Error, Result,
        ids::{ContactListId, JobId},
        text,
    },
    ctx::Ctx,
    db::Tx,
};

/// Largest criteria, in bytes of JSON.
const MOST_BYTES: usize = 64 * 1024;

/// The criteria as they are to be kept. `list` is the one that they are for, where it exists: it
/// must not end up in a circle.
pub async fn check(_tx: &mut Tx, _caller: &Caller, _list: Option<ContactListId>, given: &Json) -> Result<Json> {
    if !given.is_object() {
        return Err(Error::invalid("criteria", "must be a JSON object"));
    }
    if text::has_nul(given) || given.to_string().len() > MOST_BYTES {
        return Err(Error::invalid("criteria", "must be at most 64 KiB of JSON without NUL characters"));
    }
    Ok(given.clone())
}

/// Puts the job into the queue that builds this version of a list; the job that will do it.
pub async fn enqueue_build(
    _ctx: &Ctx,
    _tx: &mut Tx,
    _caller: &Caller,
    _list: ContactListId,
    _version: i32,
) -> Result<Option<JobId>> {
    Ok(None)
}
