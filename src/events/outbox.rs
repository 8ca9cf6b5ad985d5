//! Where operations put their events.

use chrono::{DateTime, Utc};

use super::{NewEvent, queries};
use crate::{auth::Actor, base::Result, db::Tx};

/// Writes events that become visible with this transaction, and only then. Call it after the row
/// locks are taken, so that two changes of one record have their events in commit order.
/// The transaction must be bound to the workspace whose events these are.
pub async fn emit(tx: &mut Tx, actor: &Actor, at: DateTime<Utc>, events: &[NewEvent]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let workspace = tx.bound_workspace()?;
    queries::insert_outbox(tx.connection(), workspace, actor, at, events).await?;
    tx.note_emitted();
    Ok(())
}
