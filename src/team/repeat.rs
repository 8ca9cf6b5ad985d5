//! Repeated requests: a client that got no answer sends the same key again and gets the outcome of
//! the first. The key is claimed in the operation's own transaction, so the outcome and its key
//! exist together or not at all, and a repetition that comes too early waits for the first.

use serde_json::Value;

use super::queries;
use crate::{
    auth::Caller,
    base::{Error, Result},
    ctx::Ctx,
    db::Tx,
};

/// Claims the caller's key, if it sent one. `Some` is the outcome of the first request, as
/// [`keep_in`] was given it. The same key with other input is a conflict.
pub async fn claim_in(ctx: &Ctx, tx: &mut Tx, caller: &Caller) -> Result<Option<Value>> {
    let Some(key) = &caller.repeat else { return Ok(None) };
    let connection = tx.connection();
    if queries::claim_key(connection, caller.workspace, caller.user, key, ctx.clock.now()).await? {
        return Ok(None);
    }
    match queries::kept_outcome(connection, caller.workspace, caller.user, &key.key).await? {
        Some((hash, outcome)) if hash == key.input_hash => Ok(Some(outcome)),
        Some(_) => Err(Error::conflict("This key was used before with other input; use a new one")),
        // its first request was rolled back between the two statements
        None => Err(Error::Unavailable("The first request with this key is being taken back; try again".into())),
    }
}

/// Keeps what a repetition needs to answer as the first request did.
pub async fn keep_in(tx: &mut Tx, caller: &Caller, outcome: Value) -> Result<()> {
    match &caller.repeat {
        Some(key) => queries::keep_outcome(tx.connection(), caller.workspace, caller.user, &key.key, outcome).await,
        None => Ok(()),
    }
}
