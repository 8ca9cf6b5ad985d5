//! Building a dynamic list: its members become those that its criteria match, some thousand contacts
//! at a time in the order of their ids. What a run has done is what the next one finds right, so one
//! that died is simply begun again; one whose criteria were changed meanwhile ends. What happens to
//! contacts meanwhile is followed beside it, see `live`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    kept::{self, KeptList},
    model::Source,
    queries::{kept as queries, lists, members},
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
            let begun = Instant::now();
            let to = members::end_of_chunk(tx.connection(), workspace, from, chunk).await?;
            let by = kept::system(workspace, run.job, present.setting.now);
            let moved = build_chunk(&mut tx, &by, &list, (from, to.unwrap_or(Uuid::max()))).await?;
            progress.processed += chunk;
            progress.succeeded += moved;
            match to {
                Some(to) => from = to,
                None => {
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
async fn build_chunk(tx: &mut Tx, by: &By, list: &KeptList, range: (Uuid, Uuid)) -> Result<i64> {
    let matching = list.criteria.ids_between(tx.connection(), by.workspace, &list.setting, range).await?;
    let others = members::between_but(tx.connection(), by.workspace, list.id, range, &matching).await?;
    let left = steps::remove_in(tx, by, list.id, &others, Source::CriteriaMatch).await?;
    let entered = steps::add_in(tx, by, list.id, &matching, Source::CriteriaMatch).await?;
    Ok((entered.len() + left.len()) as i64)
}
