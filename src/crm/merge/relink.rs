//! What leads to a record is led elsewhere by steps: data, so that features to the right can add theirs.
//! All steps of a merge run in its one transaction. Each tells which rows it moved, and is handed them
//! again to take that back.

use std::sync::{PoisonError, RwLock};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::{auth::Caller, base::Result, crm::RecordKind, ctx::Ctx, db::Tx};

/// A merge under way, or its undoing.
pub struct Relinking<'a> {
    pub ctx: &'a Ctx,
    pub tx: &'a mut Tx,
    pub caller: &'a Caller,
    pub kind: RecordKind,
    /// When it happens; of an undoing, when the merge happened.
    pub at: DateTime<Utc>,
    /// The record that stays.
    pub winner: Uuid,
    /// Those that became part of it: deleted by now, or still.
    pub losers: &'a [Uuid],
    /// What the merge replaced in the fields of the one that stays, by column.
    pub replaced: &'a Map<String, Json>,
}

/// A row that was moved, and what is needed to move it back.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    pub row: Uuid,
    pub data: Json,
}

/// What belongs to the record that stays and is none of its fields, before and after a step.
#[derive(Debug, Clone)]
pub struct Part {
    pub name: &'static str,
    pub before: Json,
    pub after: Json,
}

/// What a step did.
#[derive(Debug, Default)]
pub struct Relinked {
    pub moved: Vec<Moved>,
    pub part: Option<Part>,
}

/// What a step has taken back.
#[derive(Debug, Default)]
pub struct Returned {
    /// So many rows.
    pub back: usize,
    pub part: Option<Part>,
}

/// When a step takes back what it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returns {
    /// While the merged records are still deleted.
    Before,
    /// Once they are restored.
    After,
}

pub struct Step {
    /// Kept with what it moved, so it never changes.
    pub name: &'static str,
    pub kinds: &'static [RecordKind],
    pub relink: for<'a, 'b> fn(&'a mut Relinking<'b>) -> BoxFuture<'a, Result<Relinked>>,
    pub back: for<'a, 'b> fn(&'a mut Relinking<'b>, Vec<Moved>) -> BoxFuture<'a, Result<Returned>>,
    pub returns: Returns,
}

static ADDED: RwLock<Vec<&'static [Step]>> = RwLock::new(Vec::new());

/// Makes a feature's steps known; at the start of the program, once. Those that are known already are
/// not added again.
pub fn register(steps: &'static [Step]) {
    let mut added = ADDED.write().unwrap_or_else(PoisonError::into_inner);
    if !added.iter().any(|known| std::ptr::eq(*known, steps)) {
        added.push(steps);
    }
}

/// What features to the right have added.
pub(super) fn added() -> Vec<&'static [Step]> {
    ADDED.read().unwrap_or_else(PoisonError::into_inner).clone()
}
