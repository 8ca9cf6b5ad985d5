//! Removing what was deleted in one workspace, a few thousand rows at a time.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Map, json};
use uuid::Uuid;

use super::{
    attached::{self, End},
    queries::{self, Due},
    steps::{self, Purging, Unlinked},
};
use crate::{
    base::{Result, ids::WorkspaceId},
    crm::{RecordKind, merge::UNDOABLE_FOR},
    ctx::Ctx,
    db::Tx,
    jobs::{JobError, Run},
    team::audit,
};

/// Records that are locked at once.
const RECORDS: i64 = 500;
/// Rows that one transaction touches besides.
const ROWS: i64 = 5_000;
/// A batch takes less than a second; on a machine that is overwhelmed it may take this long.
const STATEMENT: Duration = Duration::from_secs(60);
/// What somebody else holds is not waited for long.
const WAITING: Duration = Duration::from_secs(2);

/// Those first that lead to others.
const ORDER: [RecordKind; 6] = [
    RecordKind::Task,
    RecordKind::Deal,
    RecordKind::Lead,
    RecordKind::Contact,
    RecordKind::Account,
    RecordKind::Product,
];

/// Removes what was deleted before this time, and writes down how much that was: also where it could not
/// be finished. (Only a process that dies leaves out what it had removed in that run.)
pub async fn purge(ctx: &Ctx, run: &Run, workspace: WorkspaceId, before: DateTime<Utc>) -> Result<(), JobError> {
    let mut purge = Purge { ctx, run, workspace, before, removed: Map::new() };
    let ended = purge.all().await;
    if purge.removed.is_empty() || matches!(ended, Err(JobError::Lost)) {
        return ended;
    }
    let entry = audit::Entry { action: "records.purged", subject: None, details: json!(purge.removed) };
    let mut tx = ctx.db.begin(&workspace).await?;
    audit::record_own_in(ctx, &mut tx, run.job, entry).await?;
    tx.commit().await?;
    ended
}

/// A run over one workspace.
struct Purge<'a> {
    ctx: &'a Ctx,
    run: &'a Run,
    workspace: WorkspaceId,
    before: DateTime<Utc>,
    /// How many of each kind.
    removed: Map<String, serde_json::Value>,
}

/// What came of a transaction.
enum Batch {
    /// There is more to clear away before these records can go.
    Again,
    /// Where to go on from.
    Next(Due),
    End,
}

impl Purge<'_> {
    async fn all(&mut self) -> Result<(), JobError> {
        for kind in ORDER {
            let mut after = None;
            loop {
                self.run.check_stop()?;
                match self.batch(kind, after).await? {
                    Batch::Again => {}
                    Batch::Next(last) => after = Some(last),
                    Batch::End => break,
                }
            }
        }
        loop {
            self.run.check_stop()?;
            let mut tx = self.begin().await?;
            let gone = queries::remove_notes(tx.connection(), self.workspace, self.before, ROWS).await?;
            tx.commit().await?;
            if gone == 0 {
                return Ok(());
            }
            self.count("note", gone);
        }
    }

    async fn begin(&self) -> Result<Tx, JobError> {
        let mut tx = self.ctx.db.begin(&self.workspace).await?;
        self.run.hold_in(&mut tx).await?;
        tx.limit_statements(STATEMENT).await?;
        tx.limit_waiting(WAITING).await?;
        Ok(tx)
    }

    fn count(&mut self, what: &str, more: i64) {
        if more > 0 {
            let before = self.removed.get(what).and_then(serde_json::Value::as_i64).unwrap_or(0);
            self.removed.insert(what.to_owned(), json!(before + more));
        }
    }

    async fn batch(&mut self, kind: RecordKind, after: Option<Due>) -> Result<Batch, JobError> {
        let undoable = self.ctx.clock.now() - UNDOABLE_FOR;
        let mut tx = self.begin().await?;
        let wanted = queries::Wanted { kind, before: self.before, undoable, after, most: RECORDS };
        let due = queries::lock_due(tx.connection(), self.workspace, wanted).await?;
        let Some(last) = due.last().copied() else { return Ok(Batch::End) };
        let ids: Vec<_> = due.iter().map(|due| due.id).collect();
        let (ctx, workspace, job) = (self.ctx, self.workspace, self.run.job);
        let mut purging = Purging { ctx, tx: &mut tx, workspace, job, kind, ids: &ids, room: ROWS };
        let Some(going) = clear_in(&mut purging).await? else {
            tx.commit().await?;
            return Ok(Batch::Again);
        };
        let gone = queries::remove_records(tx.connection(), workspace, kind, &going).await?;
        tx.commit().await?;
        self.count(kind.as_str(), gone);
        Ok(Batch::Next(last))
    }
}

/// Removes what belongs to the records, and lets nothing lead to them. Those that can go now; none where
/// there is more to be done first.
async fn clear_in(purging: &mut Purging<'_>) -> Result<Option<Vec<Uuid>>> {
    let (workspace, kind, ids) = (purging.workspace, purging.kind, purging.ids);
    let mut held = HashSet::new();
    for step in steps::all() {
        let cleared = (step.clear)(purging).await?;
        if !purging.take_room(cleared.rows) || cleared.again {
            return Ok(None);
        }
        held.extend(cleared.held);
    }
    for attached in attached::to(kind) {
        let connection = purging.tx.connection();
        let rows = match attached.end {
            End::Removed => queries::remove(connection, workspace, attached, ids, purging.room).await?,
            End::Unlinked => queries::unlink(connection, workspace, attached, ids, purging.room).await?,
            End::RecordUnlinked(of, field) => {
                let ids = queries::unlink_records(connection, workspace, attached, ids, purging.room).await?;
                let rows = ids.len() as i64;
                tell_in(purging, of, field, ids).await?;
                rows
            }
        };
        if !purging.take_room(rows) {
            return Ok(None);
        }
    }
    held.extend(queries::still_named(purging.tx.connection(), workspace, kind, ids).await?);
    let going: Vec<_> = ids.iter().copied().filter(|id| !held.contains(id)).collect();
    Ok(forget_in(purging, &going).await?.then_some(going))
}

async fn tell_in(purging: &mut Purging<'_>, of: RecordKind, field: &'static str, ids: Vec<Uuid>) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    for step in steps::all() {
        (step.unlinked)(purging, Unlinked { of, field, ids: ids.clone() }).await?;
    }
    Ok(())
}

/// Removes the histories that are no other record's; whether there was room for all.
async fn forget_in(purging: &mut Purging<'_>, going: &[Uuid]) -> Result<bool> {
    let (workspace, kind) = (purging.workspace, purging.kind);
    let connection = purging.tx.connection();
    let ended = queries::ended(connection, workspace, kind, going).await?;
    for history in queries::HISTORIES {
        let rows =
            queries::remove_history(purging.tx.connection(), workspace, history, kind, &ended, purging.room).await?;
        if !purging.take_room(rows) {
            return Ok(false);
        }
    }
    // last, for they say whose histories these are
    queries::remove_merges(purging.tx.connection(), workspace, kind, &ended).await?;
    Ok(true)
}
