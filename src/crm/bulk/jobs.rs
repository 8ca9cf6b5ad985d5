//! The jobs of bulk changes: doing one, and tidying up after those whose jobs are gone.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    model::{Asked, Bulk},
    queries,
};
use crate::{
    auth::Caller,
    base::{
        Error, Result,
        ids::{JobId, WorkspaceId},
    },
    crm::{
        RecordKind, matching,
        record::bulk::{self, Applied},
    },
    ctx::Ctx,
    db::Tx,
    for_kind,
    jobs::{Job, JobError, Progress, Run},
    team::access,
};

/// A batch takes a second; on a machine that is overwhelmed it may take this long.
const STATEMENT: Duration = Duration::from_secs(60);
/// Finding out which of millions of records are meant.
const SETTLING: Duration = Duration::from_secs(600);

/// Does a bulk change, from where the last run of it stopped. Which one, its id says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunBulk {}

impl Job<Ctx> for RunBulk {
    const NAME: &'static str = "crm.bulk";
    const PRIORITY: i16 = 40;
    // errors count over the whole of a long run
    const MAX_ATTEMPTS: i32 = 25;
    const PER_WORKSPACE: i32 = 2;
    const LONG: bool = true;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let workspace = run.workspace.ok_or_else(|| JobError::Fail(Error::NotFound("Workspace")))?;
        let mut bulk = find(&ctx, workspace, run.job).await?;
        if bulk.total.is_none() {
            let caller = caller(&ctx, workspace, &run, &bulk).await?;
            bulk.total = Some(settle(&ctx, &run, &caller, &bulk).await?);
        }
        for kind in bulk.kinds.clone() {
            let mut after = Uuid::nil();
            loop {
                run.check_stop()?;
                // with the rights that they have by now
                let caller = caller(&ctx, workspace, &run, &bulk).await?;
                match batch(&ctx, &run, &caller, &mut bulk, kind, after).await? {
                    Some(last) => after = last,
                    None => break,
                }
            }
        }
        Ok(())
    }
}

async fn find(ctx: &Ctx, workspace: WorkspaceId, id: JobId) -> Result<Bulk> {
    let mut tx = ctx.db.read(&workspace).await?;
    queries::find(tx.connection(), workspace, id).await?.ok_or(Error::NotFound("Bulk change"))
}

async fn caller(ctx: &Ctx, workspace: WorkspaceId, run: &Run, bulk: &Bulk) -> Result<Caller> {
    access::caller_of_job(ctx, workspace, bulk.created_by, run.job, bulk.scopes.as_deref()).await
}

/// Settles which records are meant, once; how many they are.
async fn settle(ctx: &Ctx, run: &Run, caller: &Caller, bulk: &Bulk) -> Result<i64, JobError> {
    let workspace = caller.workspace;
    // with what they may read and see by now
    let asked = match (&bulk.criteria, bulk.kinds.as_slice()) {
        (Some(criteria), [kind]) => {
            let node = matching::read(criteria, matching::ARGUMENT)?;
            Some(matching::asked(ctx, caller, *kind, &node, matching::ARGUMENT).await?)
        }
        _ => None,
    };
    let mut tx = ctx.db.system().await?;
    tx.bind(workspace).await?;
    run.hold_in(&mut tx).await?;
    tx.limit_statements(SETTLING).await?;
    // one more, to see that there are too many
    let most = ctx.limits.bulk_records + 1;
    let mut total = 0;
    match (&asked, &bulk.asked) {
        (Some(asked), _) => {
            let (criteria, setting) = (asked.criteria(), asked.setting());
            total = queries::target_matching(tx.connection(), workspace, bulk.id, criteria, setting, most).await?;
        }
        (None, Asked::Reassign { from, .. }) => {
            for kind in &bulk.kinds {
                total += queries::target_owned(tx.connection(), workspace, bulk.id, *kind, *from, most - total).await?;
            }
        }
        (None, Asked::Undo { of }) => {
            total = queries::target_done(tx.connection(), workspace, bulk.id, *of).await?;
        }
        _ => return Err(JobError::Fail(Error::internal("a bulk change does not say which records it is about"))),
    }
    if total >= most {
        let message = format!("This is about more than {} records (limits.bulk_records)", most - 1);
        return Err(JobError::Fail(Error::TooLarge(message.into())));
    }
    queries::settle(tx.connection(), workspace, bulk.id, total).await?;
    run.report_in(&mut tx, Progress { total: Some(total), ..Progress::default() }).await?;
    tx.commit().await?;
    Ok(total)
}

/// Does the next records of a kind; the last of them, `None` where there are no more.
async fn batch(
    ctx: &Ctx,
    run: &Run,
    caller: &Caller,
    bulk: &mut Bulk,
    kind: RecordKind,
    after: Uuid,
) -> Result<Option<Uuid>, JobError> {
    let workspace = caller.workspace;
    let mut tx = ctx.db.begin(caller).await?;
    run.hold_in(&mut tx).await?;
    tx.limit_statements(STATEMENT).await?;
    let most = i64::try_from(ctx.limits.bulk_batch_records).unwrap_or(i64::MAX);
    let ids = queries::take(tx.connection(), workspace, bulk.id, kind, after, most).await?;
    let Some(last) = ids.last().copied() else { return Ok(None) };
    let Applied { changed, unchanged, failures } = apply(ctx, &mut tx, caller, bulk, kind, &ids).await?;
    let left = failures.iter().filter(|failure| failure.is_skipped).count();
    let mut counts = bulk.counts;
    counts.succeeded += changed;
    counts.skipped += unchanged + left as i64;
    counts.failed += (failures.len() - left) as i64;
    let room = usize::try_from(ctx.limits.bulk_failures - bulk.noted).unwrap_or(0);
    let kept = &failures[..failures.len().min(room)];
    if !kept.is_empty() {
        queries::note(tx.connection(), workspace, bulk.id, kind, bulk.noted, kept).await?;
    }
    let noted = bulk.noted + kept.len() as i64;
    queries::advance(tx.connection(), workspace, bulk.id, counts, noted).await?;
    let progress = Progress {
        processed: counts.processed(),
        total: bulk.total,
        succeeded: counts.succeeded,
        failed: counts.failed,
        skipped: counts.skipped,
        message: None,
    };
    run.report_in(&mut tx, progress).await?;
    tx.commit().await?;
    (bulk.counts, bulk.noted) = (counts, noted);
    Ok(Some(last))
}

async fn apply(
    ctx: &Ctx,
    tx: &mut Tx,
    caller: &Caller,
    bulk: &Bulk,
    kind: RecordKind,
    ids: &[Uuid],
) -> Result<Applied> {
    for_kind!(kind, R => {
        let work = bulk.asked.work::<R>()?;
        Box::pin(bulk::apply_in::<R>(ctx, tx, caller, bulk.id, ids, &work)).await
    })
}

/// Rows that one transaction of the purge removes.
const PURGED: i64 = 5_000;

/// Removes bulk changes whose jobs are gone, and the targets of those that were cancelled.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PurgeBulk {}

impl Job<Ctx> for PurgeBulk {
    const NAME: &'static str = "crm.purge_bulk";
    const PRIORITY: i16 = 90;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        loop {
            run.check_stop()?;
            let mut tx = ctx.db.system().await?;
            let more = queries::purge(tx.connection(), PURGED).await?;
            tx.commit().await?;
            if !more {
                return Ok(());
            }
        }
    }
}
