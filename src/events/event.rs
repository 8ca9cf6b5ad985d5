//! An event: that something happened, to which records, by whom. Values are not in it: readers
//! load the present state, so a late reader is never wrong.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::{auth::Actor, base::ids::WorkspaceId};

/// An event about to be emitted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// `feature.past_tense`, for example `contact.updated`; stored, so it never changes.
    pub name: &'static str,
    /// The kind of record it is about, for example `contact`.
    pub kind: Option<&'static str>,
    /// Which records; many for a bulk change (one event per batch).
    pub record_ids: Vec<Uuid>,
    /// What else readers need: changed field names, counts. Its shape belongs to the name.
    pub payload: Value,
}

/// An event in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedEvent {
    /// Gapless, in commit order, over all workspaces.
    pub position: i64,
    pub workspace: WorkspaceId,
    pub name: String,
    pub kind: Option<String>,
    pub record_ids: Vec<Uuid>,
    pub payload: Value,
    pub actor: Actor,
    /// When the operation happened, by the injected clock.
    pub at: DateTime<Utc>,
}
