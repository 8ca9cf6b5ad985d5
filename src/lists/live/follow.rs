//! The jobs that take what was written down, and move who is concerned. Taking a change and moving what
//! follows from it is one transaction: a worker that dies in the middle has done nothing.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    compare::{differences_in, move_in},
    concern::concerned_in,
};
use crate::{
    base::{
        Error, Result,
        ids::{ContactListId, WorkspaceId},
    },
    crm::RecordKind,
    ctx::Ctx,
    db::Tx,
    jobs::{Job, JobError, Run, enqueue_unless_waiting},
    lists::{
        build,
        kept::{self, CRITERIA, KeptList, MEMBER, Present},
        queries::kept::{self as queries, Change},
        segment, slow,
        steps::By,
    },
};

/// Changes of one transaction.
const TOGETHER: i64 = 500;
/// Of those that have up to a thousand records each.
const BULK_TOGETHER: i64 = 2;
/// While the last of many changes is younger, there are more to come.
const COMING: TimeDelta = TimeDelta::seconds(3);
/// So many times as long as it works it rests then, to leave the machine to whoever makes the changes.
const REST: i32 = 4;

/// Follows what people do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FollowChanges {}

impl Job<Ctx> for FollowChanges {
    const NAME: &'static str = "lists.follow_changes";
    const PRIORITY: i16 = 10;
    const PER_WORKSPACE: i32 = 1;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let workspace = run.workspace.ok_or_else(|| JobError::Fail(Error::NotFound("Workspace")))?;
        while follow(&ctx, &run, workspace, false).await? {
            run.check_stop()?;
        }
        Ok(())
    }
}

/// Follows imports, changes of many records, and what is linked to very many.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FollowBulk {}

impl Job<Ctx> for FollowBulk {
    const NAME: &'static str = "lists.follow_bulk";
    const PRIORITY: i16 = 30;
    const PER_WORKSPACE: i32 = 1;
    const LONG: bool = true;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let workspace = run.workspace.ok_or_else(|| JobError::Fail(Error::NotFound("Workspace")))?;
        loop {
            run.check_stop()?;
            let begun = Instant::now();
            if !follow(&ctx, &run, workspace, true).await? {
                return Ok(());
            }
            if let Some(until) = rest(&ctx, workspace, begun).await? {
                return Err(JobError::Later(until));
            }
        }
    }
}

/// Until when to rest, where more is to come.
async fn rest(ctx: &Ctx, workspace: WorkspaceId, begun: Instant) -> Result<Option<DateTime<Utc>>> {
    let mut tx = ctx.db.read(&workspace).await?;
    let last = queries::last_bulk(tx.connection(), workspace).await?;
    let now = ctx.clock.now();
    let worked = TimeDelta::from_std(begun.elapsed()).unwrap_or(COMING);
    Ok(last.filter(|last| now - *last < COMING).map(|_| now + (worked * REST).min(COMING)))
}

/// Takes some changes and does what follows; whether there were any. Where that takes too long, the lists
/// whose fault it is are left behind.
async fn follow(ctx: &Ctx, run: &Run, workspace: WorkspaceId, is_bulk: bool) -> Result<bool, JobError> {
    match follow_all(ctx, run, workspace, is_bulk).await {
        Err(JobError::Retry(Error::TimedOut)) => {
            let slow = slow_ones(ctx, run, workspace, is_bulk).await?;
            slow::note(ctx, run, workspace, &slow).await?;
            Ok(true)
        }
        done => done,
    }
}

/// Those which take too long with the changes that come next.
async fn slow_ones(
    ctx: &Ctx,
    run: &Run,
    workspace: WorkspaceId,
    is_bulk: bool,
) -> Result<Vec<(ContactListId, i32)>, JobError> {
    let mut tx = ctx.db.system_in(workspace).await?;
    let present = kept::hold_in(&mut tx, &ctx.clock, workspace).await?;
    let most = if is_bulk { BULK_TOGETHER } else { TOGETHER };
    let changes = queries::take_changes(tx.connection(), workspace, is_bulk, most).await?;
    let lists = kept::load_in(&mut tx, workspace, &present, reading(&changes).as_deref()).await?;
    // nothing was taken
    drop(tx);
    let mut slow = Vec::new();
    for list in lists {
        run.check_stop()?;
        let (mut tx, one) = (slow::alone(ctx, workspace).await?, [list.clone()]);
        let asked = async {
            let found = concerned_in(&mut tx, workspace, &one, &changes).await?;
            differences_in(&mut tx, workspace, &one, &found.work).await.map(drop)
        };
        if slow::is_slow(asked.await)? {
            slow.push((list.id, list.version));
        }
    }
    Ok(slow)
}

async fn follow_all(ctx: &Ctx, run: &Run, workspace: WorkspaceId, is_bulk: bool) -> Result<bool, JobError> {
    let mut tx = ctx.db.system_in(workspace).await?;
    run.hold_in(&mut tx).await?;
    let present = kept::hold_in(&mut tx, &ctx.clock, workspace).await?;
    tx.limit_statements(slow::limit(ctx)).await?;
    let most = if is_bulk { BULK_TOGETHER } else { TOGETHER };
    let changes = queries::take_changes(tx.connection(), workspace, is_bulk, most).await?;
    if changes.is_empty() {
        return Ok(false);
    }
    let by = By::job(workspace, run.job, present.setting.now);
    follow_in(&mut tx, &by, &present, &changes).await?;
    tx.commit().await?;
    Ok(true)
}

async fn follow_in(tx: &mut Tx, by: &By, present: &Present, changes: &[Change]) -> Result<()> {
    if changes.iter().any(|change| change.source == CRITERIA) {
        mend_in(tx, by, present).await?;
    }
    let lists = kept::load_in(tx, by.workspace, present, reading(changes).as_deref()).await?;
    let mut found = concerned_in(tx, by.workspace, &lists, changes).await?;
    move_in(tx, by, &lists, &found.work).await?;
    let again = lists.iter().filter(|list| names_anew(list, changes));
    for list in found.rebuild.iter().filter_map(|place| lists.get(*place)).chain(again) {
        segment::rebuild_in(tx, by.at, by.workspace, list.id, list.version).await?;
    }
    let later = found.take_later(by.workspace, by.at);
    if !later.is_empty() {
        queries::add_changes(tx.connection(), &later).await?;
        enqueue_unless_waiting::<Ctx, _>(tx, by.at, &FollowBulk {}, by.workspace).await?;
    }
    Ok(())
}

/// Lists whose criteria could not be answered, and can be now, are built anew. Those that wait for a person do
/// not count as such.
async fn mend_in(tx: &mut Tx, by: &By, present: &Present) -> Result<()> {
    let waiting = [slow::SLOW, build::CANCELLED, build::GIVEN_UP];
    let rows = queries::broken_rows(tx.connection(), by.workspace, &waiting).await?;
    let (mended, _) = kept::ask_in(tx, by.workspace, present, rows).await?;
    for list in mended {
        segment::rebuild_in(tx, by.at, by.workspace, list.id, list.version).await?;
    }
    Ok(())
}

/// Whether a list names a custom field of which another was deleted that had its key.
fn names_anew(list: &KeptList, changes: &[Change]) -> bool {
    let mut fields = changes.iter().filter(|change| change.source == CRITERIA).flat_map(|change| &change.fields);
    fields.any(|fields| {
        let mut names = fields.iter().filter_map(|field| field.split_once('.'));
        names.any(|(kind, field)| RecordKind::parse(kind).is_ok_and(|kind| list.criteria.reads().names(kind, field)))
    })
}

/// What a list must read for these changes to matter to it; none where that may be anything.
fn reading(changes: &[Change]) -> Option<Vec<String>> {
    let mut words = BTreeSet::new();
    for change in changes {
        if change.source == CRITERIA || change.list_ids.is_some() {
            return None;
        }
        words.insert(change.source.clone());
        if change.source == MEMBER {
            words.extend(change.fields.iter().flatten().map(|list| kept::member_of(list)));
        }
        if change.source == "team" {
            words.insert("list".to_owned());
        }
    }
    Some(words.into_iter().collect())
}
