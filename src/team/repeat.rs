//! Repeated requests: a client that got no answer sends the same key again and gets the outcome of
//! the first. The key is claimed in the operation's own transaction, so the outcome and its key
//! exist together or not at all, and a repetition that comes too early waits for the first.
//!
//! What is kept is what an operation changed, not the answer: a repetition is answered with the
//! present state of that.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use serde::{Serialize, de::DeserializeOwned};

use super::queries;
use crate::{
    auth::{Caller, RepeatKey},
    base::{
        Error, Result,
        ids::{UserId, WorkspaceId},
    },
    ctx::Ctx,
    db::Tx,
};

/// What is hashed here is kept beside other data, and passwords may be in it.
const PURPOSE: &str = "kontor/repeat/input/1";

/// How an operation begins.
pub enum Turn<T> {
    /// It is to be done in this transaction.
    First(Once),
    /// It was done already: what its commit was given, and a transaction to look it up in.
    Again(T, Tx),
}

/// The transaction of an operation that is done once for the caller's key, if they sent one.
pub struct Once {
    tx: Tx,
    key: Option<(WorkspaceId, UserId, Arc<RepeatKey>)>,
}

/// Begins an operation of the caller. The same key with other input is a conflict.
pub async fn begin<T: DeserializeOwned>(ctx: &Ctx, caller: &Caller) -> Result<Turn<T>> {
    let mut tx = ctx.db.begin(caller).await?;
    let Some(key) = &caller.repeat else { return Ok(Turn::First(Once { tx, key: None })) };
    let (workspace, user, now) = (caller.workspace, caller.user, ctx.clock.now());
    let input = ctx.seal(PURPOSE, &key.input_hash);
    if queries::keys::claim_key(tx.connection(), workspace, user, &key.key, &input, now).await? {
        return Ok(Turn::First(Once { tx, key: Some((workspace, user, key.clone())) }));
    }
    match queries::keys::kept_outcome(tx.connection(), workspace, user, &key.key).await? {
        Some((kept, outcome)) if kept == input => {
            Ok(Turn::Again(serde_json::from_value(outcome).map_err(Error::internal)?, tx))
        }
        Some(_) => Err(Error::conflict("This key was used before with other input; use a new one")),
        // its first request was rolled back between the two statements
        None => Err(Error::Unavailable("The first request with this key is being taken back; try again".into())),
    }
}

/// What the first request with the caller's key changed, where there was one: for operations that ask much before
/// they begin. Others are told by [`begin`].
pub async fn earlier<T: DeserializeOwned>(ctx: &Ctx, caller: &Caller) -> Result<Option<(T, Tx)>> {
    let Some(key) = &caller.repeat else { return Ok(None) };
    let mut tx = ctx.db.begin(caller).await?;
    let kept = queries::keys::kept_outcome(tx.connection(), caller.workspace, caller.user, &key.key).await?;
    match kept {
        Some((input, outcome)) if input == ctx.seal(PURPOSE, &key.input_hash) => {
            Ok(Some((serde_json::from_value(outcome).map_err(Error::internal)?, tx)))
        }
        // with other input `begin` refuses it
        _ => Ok(None),
    }
}

impl Once {
    /// Ends the operation, and keeps what a repetition needs to answer: an id as a rule.
    pub async fn commit(mut self, outcome: impl Serialize) -> Result<()> {
        if let Some((workspace, user, key)) = &self.key {
            let outcome = serde_json::to_value(outcome).map_err(Error::internal)?;
            queries::keys::keep_outcome(self.tx.connection(), *workspace, *user, &key.key, outcome).await?;
        }
        self.tx.commit().await
    }
}

impl Deref for Once {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl DerefMut for Once {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.tx
    }
}
