//! What features to the right keep about records is removed by steps: data, so that they can add theirs.

use std::sync::{PoisonError, RwLock};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::{
    base::{
        Result,
        ids::{JobId, WorkspaceId},
    },
    crm::RecordKind,
    ctx::Ctx,
    db::Tx,
};

/// Records of one kind that are about to go, locked in this transaction.
pub struct Purging<'a> {
    pub ctx: &'a Ctx,
    pub tx: &'a mut Tx,
    pub workspace: WorkspaceId,
    /// What removes them.
    pub job: JobId,
    pub kind: RecordKind,
    pub ids: &'a [Uuid],
    /// Rows that may still be touched in this transaction.
    pub room: i64,
}

impl Purging<'_> {
    /// Notes that so many rows were touched; whether there is room for more.
    pub(super) fn take_room(&mut self, rows: i64) -> bool {
        self.room -= rows;
        self.room > 0
    }
}

/// What a step has come to.
#[derive(Debug, Default)]
pub struct Cleared {
    /// Rows that it touched, at most as many as there was room for.
    pub rows: i64,
    /// Records that must stay, because somebody else holds a row about them.
    pub held: Vec<Uuid>,
    /// Whether this transaction is to end here and the next one to begin anew: for a step that has locked
    /// what it should not hold for long.
    pub again: bool,
}

/// Records that led to those that go, and lead nowhere now.
#[derive(Debug)]
pub struct Unlinked {
    pub of: RecordKind,
    /// The field's name in the API.
    pub field: &'static str,
    pub ids: Vec<Uuid>,
}

pub struct Step {
    /// Removes what there is about the records, as far as there is room. Waits for nobody for long.
    pub clear: for<'a, 'b> fn(&'a mut Purging<'b>) -> BoxFuture<'a, Result<Cleared>>,
    /// Is told of links that became empty, for no event tells of them.
    pub unlinked: for<'a, 'b> fn(&'a mut Purging<'b>, Unlinked) -> BoxFuture<'a, Result<()>>,
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
pub(super) fn all() -> Vec<&'static Step> {
    ADDED.read().unwrap_or_else(PoisonError::into_inner).iter().flat_map(|steps| steps.iter()).collect()
}
