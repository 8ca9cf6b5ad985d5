//! Building a dynamic list: its members become those that its criteria match, some thousand contacts
//! at a time in the order of their ids. The first members of a list enter as they are found. Where it
//! has members by former criteria, these stay until all are known who enter and leave; then they do, in few
//! steps. A run that died is simply begun again; one whose criteria were changed meanwhile ends. What
//! happens to contacts meanwhile is followed beside it, see `live`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    kept::{self, KeptList},
    model::Source,
    queries::{builds, kept as queries, lists, members},
    steps::{self, By},
};
use crate::{
    base::{Error, Result, ids::ContactListId},
    ctx::Ctx,
    db::Tx,
    jobs::{Job, JobError, Progress, Run},
};

/// Contacts that the first transaction looks at. Where few match, more at once are looked at by and by: not
/// so many that it would take seconds where all do.
const CHUNK: i64 = 10_000;
const MOST: i64 = 40_000;
/// How long a transaction may take, more or less: nobody else moves members meanwhile.
const LONGEST: Duration = Duration::from_millis(300);
/// Members that are moved at once when all are known who enter and leave.
const MOVED: usize = 20_000;

/// Makes the members of a list what this version of its criteria says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildList {
    pub list: ContactListId,
    pub version: i32,
}

impl Job<Ctx> for BuildList {
    const NAME: &'static str = "lists.build";
    const PRIORITY: i16 = 30;
    // more would only wait for one another: one at a time moves members
    const PER_WORKSPACE: i32 = 1;
    const LONG: bool = true;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let workspace = run.workspace.ok_or_else(|| JobError::Fail(Error::NotFound("Workspace")))?;
        let (mut from, mut chunk) = (Uuid::nil(), CHUNK);
        let mut progress = Progress::default();
        loop {
            run.check_stop()?;
            let mut tx = ctx.db.system().await?;
            tx.bind(workspace).await?;
            run.hold_in(&mut tx).await?;
            let present = kept::hold_in(&mut tx, &ctx.clock, workspace).await?;
            let Some(row) = queries::lock(tx.connection(), workspace, self.list, self.version).await? else {
                return Ok(());
            };
            let list = match kept::ask_one_in(&mut tx, workspace, &present, row).await? {
                Ok(list) => list,
                Err(why) => {
                    builds::clear(tx.connection(), workspace, self.list).await?;
                    lists::note_broken(tx.connection(), workspace, self.list, &why).await?;
                    return Ok(tx.commit().await?);
                }
            };
            if present.told.is_none() && (list.criteria.is_relative() || list.criteria.is_of_days()) {
                kept::note_told_in(&mut tx, workspace, &present).await?;
            }
            if progress.total.is_none() {
                progress.total = Some(members::live_count(tx.connection(), workspace).await?);
            }
            let by = kept::system(workspace, run.job, present.setting.now);
            let begun = Instant::now();
            let mut is_done = false;
            if from < Uuid::max() {
                let to = members::end_of_chunk(tx.connection(), workspace, from, chunk).await?.unwrap_or(Uuid::max());
                progress.succeeded += look_at(&mut tx, &by, &list, (from, to)).await? as i64;
                progress.processed = (progress.processed + chunk).min(progress.total.unwrap_or(i64::MAX));
                from = to;
            }
            if from == Uuid::max() {
                is_done = !list.is_rebuilding || !move_noted(&mut tx, &by, &list).await?;
            }
            if is_done {
                progress.processed = progress.total.unwrap_or(progress.processed);
                lists::end_build(tx.connection(), workspace, self.list, self.version).await?;
            }
            run.report_in(&mut tx, progress.clone()).await?;
            tx.commit().await?;
            if is_done {
                return Ok(());
            }
            chunk = next_chunk(chunk, begun.elapsed());
        }
    }
}

/// As many as are looked at in a third to all of the time that there is.
fn next_chunk(chunk: i64, took: Duration) -> i64 {
    if took * 3 < LONGEST {
        (chunk * 2).min(MOST)
    } else if took > LONGEST {
        (chunk / 2).max(CHUNK / 10)
    } else {
        chunk
    }
}

/// Contacts behind the first id, up to the second; how many entered or left, or are going to.
async fn look_at(tx: &mut Tx, by: &By, list: &KeptList, range: (Uuid, Uuid)) -> Result<usize> {
    let workspace = by.workspace;
    if list.is_rebuilding && range.0.is_nil() {
        // of a run that died, or for other criteria
        builds::clear(tx.connection(), workspace, list.id).await?;
    }
    let matching = list.criteria.ids_between(tx.connection(), workspace, &list.setting, range).await?;
    if list.is_rebuilding {
        return builds::note(tx.connection(), workspace, list.id, range, &matching).await;
    }
    let others = members::between_but(tx.connection(), workspace, list.id, range, &matching).await?;
    let left = steps::remove_in(tx, by, list.id, &others, Source::CriteriaMatch).await?;
    let entered = steps::add_in(tx, by, list.id, &matching, Source::CriteriaMatch).await?;
    Ok(entered.len() + left.len())
}

/// Lets enter and leave who was noted, so many at once; whether more may be noted. The members were those
/// of the former criteria until now, and are soon those of the present ones.
async fn move_noted(tx: &mut Tx, by: &By, list: &KeptList) -> Result<bool> {
    let (entered, left) = builds::take(tx.connection(), by.workspace, list.id, MOVED).await?;
    if !left.is_empty() {
        steps::remove_in(tx, by, list.id, &left, Source::CriteriaMatch).await?;
    }
    if !entered.is_empty() {
        steps::add_in(tx, by, list.id, &entered, Source::CriteriaMatch).await?;
    }
    Ok(entered.len() + left.len() == MOVED)
}
