//! Building a dynamic list: its members become those that its criteria match, some thousand contacts
//! at a time in the order of their ids. The first members of a list enter as they are found. Where it
//! has members by former criteria, these stay until all are known who enter and leave, and then do so at
//! once. One run that died is simply begun again; one whose criteria were changed meanwhile ends. What
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

/// Contacts that the first transaction looks at. Where few match, more at once are looked at by and by.
const CHUNK: i64 = 10_000;
const MOST: i64 = 320_000;
/// How long a transaction may take, more or less: nobody else moves members meanwhile.
const LONGEST: Duration = Duration::from_millis(300);

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
            if list.is_rebuilding && from.is_nil() {
                // of a run that died, or for other criteria
                builds::clear(tx.connection(), workspace, list.id).await?;
            }
            let begun = Instant::now();
            let to = members::end_of_chunk(tx.connection(), workspace, from, chunk).await?;
            let by = kept::system(workspace, run.job, present.setting.now);
            let range = (from, to.unwrap_or(Uuid::max()));
            progress.succeeded += if list.is_rebuilding {
                let matching = list.criteria.ids_between(tx.connection(), workspace, &list.setting, range).await?;
                builds::note(tx.connection(), workspace, list.id, range, &matching).await?
            } else {
                build_chunk(&mut tx, &by, &list, range).await?
            } as i64;
            progress.processed = (progress.processed + chunk).min(progress.total.unwrap_or(i64::MAX));
            match to {
                Some(to) => from = to,
                None => {
                    if list.is_rebuilding {
                        move_noted(&mut tx, &by, &list).await?;
                    }
                    progress.processed = progress.total.unwrap_or(progress.processed);
                    lists::end_build(tx.connection(), workspace, self.list, self.version).await?;
                }
            }
            run.report_in(&mut tx, progress.clone()).await?;
            tx.commit().await?;
            if to.is_none() {
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

/// Contacts behind the first id, up to the second; how many entered or left.
async fn build_chunk(tx: &mut Tx, by: &By, list: &KeptList, range: (Uuid, Uuid)) -> Result<usize> {
    let matching = list.criteria.ids_between(tx.connection(), by.workspace, &list.setting, range).await?;
    let others = members::between_but(tx.connection(), by.workspace, list.id, range, &matching).await?;
    let left = steps::remove_in(tx, by, list.id, &others, Source::CriteriaMatch).await?;
    let entered = steps::add_in(tx, by, list.id, &matching, Source::CriteriaMatch).await?;
    Ok(entered.len() + left.len())
}

/// Lets enter and leave who was noted, all at once: the members were those of the former criteria until
/// now, and are those of the present ones.
async fn move_noted(tx: &mut Tx, by: &By, list: &KeptList) -> Result<()> {
    let left = builds::noted(tx.connection(), by.workspace, list.id, false).await?;
    let entered = builds::noted(tx.connection(), by.workspace, list.id, true).await?;
    if !left.is_empty() {
        steps::remove_in(tx, by, list.id, &left, Source::CriteriaMatch).await?;
    }
    if !entered.is_empty() {
        steps::add_in(tx, by, list.id, &entered, Source::CriteriaMatch).await?;
    }
    builds::clear(tx.connection(), by.workspace, list.id).await
}
