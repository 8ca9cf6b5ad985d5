//! Seeing and steering the jobs of the workspace: one's own, or everybody's for those who may.

use super::{
    audit,
    repeat::{self, Turn},
};
use crate::{
    auth::{Caller, Grant, Permission},
    base::{
        Error, Result,
        ids::JobId,
        page::{PageArgs, Slice},
    },
    ctx::Ctx,
    jobs::{self, CancelOutcome, JobFilter, JobSummary},
};

/// One job, or `NotFound` where it is somebody else's and the caller sees their own only.
pub async fn get(ctx: &Ctx, caller: &Caller, id: JobId) -> Result<JobSummary> {
    let grant = caller.require(Permission::JobsRead)?;
    let mut tx = ctx.db.read(caller).await?;
    let found = jobs::find(&mut tx, caller.workspace, id).await?;
    found.filter(|job| grant == Grant::All || job.created_by == Some(caller.user)).ok_or(Error::NotFound("Job"))
}

/// Jobs, the newest first.
pub async fn page(ctx: &Ctx, caller: &Caller, mut filter: JobFilter, args: PageArgs) -> Result<Slice<JobSummary>> {
    if caller.require(Permission::JobsRead)? != Grant::All {
        filter.created_by = Some(caller.user);
    }
    let request = args.parse::<JobId>()?;
    let mut tx = ctx.db.read(caller).await?;
    jobs::page(&mut tx, caller.workspace, &filter, &request).await
}

/// How many jobs [`page`] would show in all.
pub async fn count(ctx: &Ctx, caller: &Caller, filter: &JobFilter) -> Result<i64> {
    let mut filter = filter.clone();
    if caller.require(Permission::JobsRead)? != Grant::All {
        filter.created_by = Some(caller.user);
    }
    let mut tx = ctx.db.read(caller).await?;
    jobs::count(&mut tx, caller.workspace, &filter).await
}

/// Asks a job to end; what has not begun is cancelled at once.
pub async fn cancel(ctx: &Ctx, caller: &Caller, id: JobId) -> Result<JobSummary> {
    let job = get(ctx, caller, id).await?;
    caller.require_for(Permission::JobsWrite, job.created_by)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again((), _) => return Ok(job),
    };
    if jobs::cancel(&mut tx, caller.workspace, id, ctx.clock.now()).await? == CancelOutcome::TooLate {
        return Err(Error::conflict("This job has ended already"));
    }
    audit::record_in(ctx, &mut tx, caller, audit::Entry::new("job.cancelled", "job", id)).await?;
    tx.commit(()).await?;
    get(ctx, caller, id).await
}

/// Puts a job that has failed for good back into the queue.
pub async fn rerun(ctx: &Ctx, caller: &Caller, id: JobId) -> Result<JobSummary> {
    let job = get(ctx, caller, id).await?;
    caller.require_for(Permission::JobsWrite, job.created_by)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again((), _) => return Ok(job),
    };
    jobs::rerun(&mut tx, caller.workspace, id, ctx.clock.now()).await?;
    audit::record_in(ctx, &mut tx, caller, audit::Entry::new("job.rerun", "job", id)).await?;
    tx.commit(()).await?;
    get(ctx, caller, id).await
}
