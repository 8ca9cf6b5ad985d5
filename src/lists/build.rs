//! Building a dynamic list: its members become those that its criteria match, some thousand contacts
//! at a time in the order of their ids. The first members of a list enter as they are found. Where it
//! has members by former criteria, these stay until all are known who enter and leave; then they do, in few
//! steps. A run that died is simply begun again; one whose criteria were changed meanwhile ends; a list whose
//! criteria take too long even for few contacts is left behind, see `slow`. What happens to contacts meanwhile is followed beside it, see `live`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    kept::{self, KeptList},
    model::Source,
    queries::{builds, kept as queries, lists, members},
    slow,
    steps::{self, By},
};
use crate::{
    base::{
        Error, Result,
        ids::{ContactListId, WorkspaceId},
    },
    ctx::Ctx,
    db::Tx,
    jobs::{Job, JobError, Progress, Run},
};

/// Contacts that the first transaction looks at. Where few match, more at once are looked at by and by: not
/// so many that it would take seconds where all do.
const CHUNK: i64 = 10_000;
const LEAST: i64 = CHUNK / 10;
const MOST: i64 = 40_000;
/// How long a transaction may take, more or less: nobody else moves members meanwhile.
const LONGEST: Duration = Duration::from_millis(300);
/// Members that are moved at once when all are known who enter and leave.
const MOVED: usize = 20_000;
/// Why a list is broken whose job was cancelled, and one whose job was given up.
pub const CANCELLED: &str = "was not built, for that was cancelled; refresh it";
pub const GIVEN_UP: &str = "could not be built in several tries; refresh it, or ask for something else";

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
        let mut at = Reached { from: Uuid::nil(), chunk: CHUNK, progress: Progress::default() };
        loop {
            run.check_stop()?;
            let mut took = Took::default();
            match self.go_on(&ctx, &run, workspace, &at, &mut took).await {
                Ok(Some(next)) => at = next,
                Ok(None) => return Ok(()),
                Err(JobError::Retry(Error::TimedOut)) if took.is_asking => {
                    if at.chunk == LEAST {
                        return slow::note(&ctx, &run, workspace, &[(self.list, self.version)]).await;
                    }
                    at.chunk = (at.chunk / 4).max(LEAST);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Notes the lists as broken that nobody builds any more: their jobs were cancelled or given up. They keep the
/// members that they have, and are not followed, for these are not what their criteria say.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NoteUnbuilt {}

impl Job<Ctx> for NoteUnbuilt {
    const NAME: &'static str = "lists.note_unbuilt";
    const PRIORITY: i16 = 20;

    async fn run(self, ctx: Ctx, _run: Run) -> Result<(), JobError> {
        let mut tx = ctx.db.system().await?;
        lists::note_given_up(tx.connection(), CANCELLED, GIVEN_UP).await?;
        Ok(tx.commit().await?)
    }
}

/// How far a building has come.
#[derive(Clone)]
struct Reached {
    /// Contacts up to this one were looked at.
    from: Uuid,
    /// How many are looked at next.
    chunk: i64,
    /// Of contacts looked at. Not how many match: whoever looks after jobs need not see the list.
    progress: Progress,
}

impl BuildList {
    /// One transaction of it: how far it has come then; none where it has ended.
    async fn go_on(
        &self,
        ctx: &Ctx,
        run: &Run,
        workspace: WorkspaceId,
        at: &Reached,
        took: &mut Took,
    ) -> Result<Option<Reached>, JobError> {
        let mut at = at.clone();
        let mut tx = ctx.db.system_in(workspace).await?;
        run.hold_in(&mut tx).await?;
        let present = kept::hold_in(&mut tx, &ctx.clock, workspace).await?;
        tx.limit_statements(slow::limit(ctx)).await?;
        let Some(row) = queries::lock(tx.connection(), workspace, self.list, self.version).await? else {
            return Ok(None);
        };
        let list = match kept::ask_one_in(&mut tx, workspace, &present, row).await? {
            Ok(list) => list,
            Err(why) => {
                builds::clear(tx.connection(), workspace, self.list).await?;
                kept::break_in(&mut tx, workspace, present.setting.now, &[self.list], Some(self.version), &why).await?;
                tx.commit().await?;
                return Ok(None);
            }
        };
        if at.from.is_nil() {
            lists::take_build(tx.connection(), workspace, self.list, run.job).await?;
        }
        if present.told.is_none() && (list.criteria.is_relative() || list.criteria.is_of_days()) {
            kept::note_told_in(&mut tx, workspace, &present, Duration::ZERO).await?;
        }
        if at.progress.total.is_none() {
            at.progress.total = Some(members::live_count(tx.connection(), workspace).await?);
        }
        let by = By::job(workspace, run.job, present.setting.now);
        let mut is_done = false;
        if at.from < Uuid::max() {
            let to = members::end_of_chunk(tx.connection(), workspace, at.from, at.chunk).await?;
            let to = to.unwrap_or(Uuid::max());
            look_at(&mut tx, &by, &list, (at.from, to), took).await?;
            at.progress.processed = (at.progress.processed + at.chunk).min(at.progress.total.unwrap_or(i64::MAX));
            at.from = to;
        }
        if at.from == Uuid::max() {
            is_done = !list.is_rebuilding || !move_noted(&mut tx, &by, &list).await?;
        }
        if is_done {
            at.progress.processed = at.progress.total.unwrap_or(at.progress.processed);
            lists::end_build(tx.connection(), workspace, self.list, self.version).await?;
        }
        run.report_in(&mut tx, at.progress.clone()).await?;
        tx.commit().await?;
        at.chunk = next_chunk(at.chunk, took);
        Ok(Some(at).filter(|_| !is_done))
    }
}

/// How long a chunk took: to ask who matches, and to move them.
#[derive(Default)]
struct Took {
    /// Whether it is being asked: what takes too long then are the criteria, and nothing else.
    is_asking: bool,
    asking: Duration,
    moving: Duration,
}

/// As many as are looked at in a third to all of the time that there is. What asking takes is partly the same
/// for however many, so that less than the first chunk would not take less.
fn next_chunk(chunk: i64, took: &Took) -> i64 {
    let all = took.asking + took.moving;
    if all * 3 < LONGEST {
        (chunk * 2).min(MOST)
    } else if took.moving > LONGEST {
        (chunk / 2).max(LEAST)
    } else if all > LONGEST {
        (chunk / 2).max(CHUNK.min(chunk))
    } else {
        chunk
    }
}

/// Contacts behind the first id, up to the second: they enter or leave, or are noted for that.
async fn look_at(tx: &mut Tx, by: &By, list: &KeptList, range: (Uuid, Uuid), took: &mut Took) -> Result<()> {
    let workspace = by.workspace;
    if list.is_rebuilding && range.0.is_nil() {
        // of a run that died, or for other criteria
        builds::clear(tx.connection(), workspace, list.id).await?;
    }
    let begun = Instant::now();
    took.is_asking = true;
    let matching = list.criteria.ids_between(tx.connection(), workspace, &list.setting, range).await?;
    (took.is_asking, took.asking) = (false, begun.elapsed());
    let begun = Instant::now();
    if list.is_rebuilding {
        builds::note(tx.connection(), workspace, list.id, range, &matching).await?;
    } else {
        let others = members::between_but(tx.connection(), workspace, list.id, range, &matching).await?;
        steps::remove_in(tx, by, list.id, &others, Source::CriteriaMatch).await?;
        steps::add_in(tx, by, list.id, &matching, Source::CriteriaMatch).await?;
    }
    took.moving = begun.elapsed();
    Ok(())
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
