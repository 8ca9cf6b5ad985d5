//! The jobs of imports: running one, and tidying up after those that nobody runs any more.

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use super::{
    apply::{Applier, progress},
    check::Checker,
    events, head,
    head::{Head, Place},
    maintenance, map,
    model::{Counts, Import, ImportStatus, Mapping},
    pipeline::{self, Source},
    queries::{self, End, Work},
    stage,
    target::Target,
};
use crate::{
    auth::{Caller, Origin, Permission, Via},
    base::{
        Error, Result,
        ids::{FileId, ImportId, UserId, WorkspaceId},
    },
    ctx::Ctx,
    events::outbox,
    files,
    jobs::{Job, JobError, Run},
    team::access,
};

/// Does an import, from where the last run of it stopped.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunImport {
    pub import: ImportId,
}

/// Why an import ends without being done.
enum Stopped {
    /// By what is in the file or was asked for: a sentence for the person who started it. Trying
    /// again would not help.
    Refused(String),
    Job(JobError),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Job(error.into())
    }
}

impl From<JobError> for Stopped {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}

impl Job<Ctx> for RunImport {
    const NAME: &'static str = "transfer.run_import";
    // errors count over the whole of a long run
    const MAX_ATTEMPTS: i32 = 25;
    const PER_WORKSPACE: i32 = 2;
    const LONG: bool = true;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let workspace = run.workspace.ok_or_else(|| JobError::Fail(Error::NotFound("Workspace")))?;
        let ended = match begin(&ctx, &run, workspace, self.import).await? {
            Some(work) => Box::pin(work_on(&ctx, &run, workspace, self.import, work)).await,
            None => Ok(()),
        };
        if !matches!(ended, Err(Stopped::Job(JobError::Lost))) {
            let ours = |table: &str| stage::owner(table) == Some(self.import);
            if let Err(error) = stage::drop_tables(&ctx, ours).await {
                tracing::info!(%error, "staging tables stay until the next run or the sweep");
            }
        }
        match ended {
            Ok(()) => Ok(()),
            Err(Stopped::Job(error)) => Err(error),
            Err(Stopped::Refused(message)) => {
                fail(&ctx, &run, workspace, self.import, &message).await?;
                Err(JobError::Fail(Error::conflict(message)))
            }
        }
    }
}

/// Takes the import up; `None` where there is nothing to do any more.
async fn begin(ctx: &Ctx, run: &Run, workspace: WorkspaceId, id: ImportId) -> Result<Option<Work>, JobError> {
    let mut tx = ctx.db.begin(&workspace).await?;
    run.hold_in(&mut tx).await?;
    let work = queries::lock(tx.connection(), workspace, id).await?.ok_or(Error::NotFound("Import"))?;
    match work.status {
        ImportStatus::Pending | ImportStatus::Processing | ImportStatus::Failed => {}
        _ => return Ok(None),
    }
    let now = ctx.clock.now();
    queries::start(tx.connection(), workspace, id, now).await?;
    if work.status != ImportStatus::Processing {
        let actor = system_caller(run, workspace, work.created_by).actor();
        outbox::emit(&mut tx, &actor, now, &[events::started(id)]).await?;
    }
    tx.commit().await?;
    Ok(Some(work))
}

async fn work_on(ctx: &Ctx, run: &Run, workspace: WorkspaceId, id: ImportId, work: Work) -> Result<(), Stopped> {
    let target = Target::of(work.kind)?;
    let caller = caller(ctx, run, workspace, &work, &target).await?;
    let file = work.file.ok_or_else(|| Stopped::Refused("The file has expired; upload it again".to_owned()))?;
    let head = read_head(ctx, workspace, file).await?;
    let mapped = map::resolve(&target, &caller, &head.columns, &work.mapping).map_err(Stopped::Refused)?;
    if work.mapping.is_empty() {
        let mapping = mapped.iter().map(|(index, field)| (head.columns[*index].clone(), field.name.to_owned()));
        note_mapping(ctx, run, workspace, id, &mapping.collect()).await?;
    }
    let checker = Checker { target, columns: head.columns.clone(), mapped };
    let applier = Applier { ctx, run, caller: &caller, import: id, options: work.options, checker: &checker };
    let from = if work.resume == Place::default() { head.rows_at } else { work.resume };
    let source = Source { workspace, file, head, from, total: work.total };
    let counts = pipeline::run(&applier, source, work.counts).await?;
    complete(ctx, run, &caller, id, counts).await?;
    maintenance::settle(ctx, &checker.target, counts).await;
    Ok(())
}

/// The person for whom the import works, with the rights that they have now; where a token asked
/// for it, with no more than the token had.
async fn caller(ctx: &Ctx, run: &Run, workspace: WorkspaceId, work: &Work, target: &Target) -> Result<Caller, Stopped> {
    let refused = |error| match error {
        Error::Forbidden(message) => Stopped::Refused(message.into_owned()),
        error => error.into(),
    };
    let role = access::role_of(ctx, workspace, work.created_by).await.map_err(refused)?;
    let mut caller = Caller::new(workspace, work.created_by, role, Origin::Job(run.job), Via::Import);
    if let Some(scopes) = &work.scopes {
        caller = caller.with_scopes(scopes.iter().filter_map(|scope| Permission::from_scope(scope)).collect());
    }
    caller.require(Permission::ImportsRun).map_err(refused)?;
    caller.require(target.write).map_err(refused)?;
    Ok(caller)
}

fn system_caller(run: &Run, workspace: WorkspaceId, user: UserId) -> Caller {
    Caller::new(workspace, user, crate::auth::Role::Support, Origin::Job(run.job), Via::Import)
}

async fn read_head(ctx: &Ctx, workspace: WorkspaceId, file: FileId) -> Result<Head, Stopped> {
    let mut opened = match files::read::open(&ctx.files, workspace, file, 0).await {
        Err(Error::NotFound(_)) => return Err(Stopped::Refused("The file has expired; upload it again".to_owned())),
        opened => opened?,
    };
    let mut sample = Vec::new();
    while sample.len() < head::SAMPLE {
        let Some(chunk) = opened.bytes.next().await else { break };
        sample.extend_from_slice(&chunk?);
    }
    sample.truncate(head::SAMPLE);
    Head::read(&sample, ctx.limits.import_columns).map_err(Stopped::Refused)
}

async fn note_mapping(
    ctx: &Ctx,
    run: &Run,
    workspace: WorkspaceId,
    id: ImportId,
    mapping: &Mapping,
) -> Result<(), JobError> {
    let mut tx = ctx.db.begin(&workspace).await?;
    run.hold_in(&mut tx).await?;
    queries::set_mapping(tx.connection(), workspace, id, mapping).await?;
    Ok(tx.commit().await?)
}

async fn complete(ctx: &Ctx, run: &Run, caller: &Caller, id: ImportId, counts: Counts) -> Result<(), JobError> {
    let mut tx = ctx.db.begin(caller).await?;
    run.hold_in(&mut tx).await?;
    let work = queries::lock(tx.connection(), caller.workspace, id).await?.ok_or(Error::NotFound("Import"))?;
    if work.status != ImportStatus::Processing {
        return Err(JobError::Lost);
    }
    let (status, total) = (ImportStatus::Completed, Some(counts.processed()));
    let end = End { status, message: None, total, now: ctx.clock.now() };
    queries::end(tx.connection(), caller.workspace, id, end).await?;
    ctx.emit(&mut tx, caller, &[events::ended(id, status, counts)]).await?;
    run.report_in(&mut tx, progress(counts, total)).await?;
    Ok(tx.commit().await?)
}

async fn fail(ctx: &Ctx, run: &Run, workspace: WorkspaceId, id: ImportId, message: &str) -> Result<(), JobError> {
    let mut tx = ctx.db.begin(&workspace).await?;
    run.hold_in(&mut tx).await?;
    let work = queries::lock(tx.connection(), workspace, id).await?.ok_or(Error::NotFound("Import"))?;
    let actor = system_caller(run, workspace, work.created_by).actor();
    let (status, now) = (ImportStatus::Failed, ctx.clock.now());
    let end = End { status, message: Some(message.to_owned()), total: work.total, now };
    queries::end(tx.connection(), workspace, id, end).await?;
    outbox::emit(&mut tx, &actor, now, &[events::ended(id, status, work.counts)]).await?;
    Ok(tx.commit().await?)
}

/// Notes which imports ended with their jobs, given up or cancelled, and drops the staging tables of
/// imports that have ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SettleImports {}

impl Job<Ctx> for SettleImports {
    const NAME: &'static str = "transfer.settle_imports";
    const PRIORITY: i16 = 90;

    async fn run(self, ctx: Ctx, _: Run) -> Result<(), JobError> {
        let mut tx = ctx.db.system().await?;
        let given_up = queries::given_up(tx.connection()).await?;
        tx.commit().await?;
        for (workspace, import) in given_up {
            settle(&ctx, workspace, import).await?;
        }
        sweep(&ctx).await?;
        Ok(())
    }
}

async fn settle(ctx: &Ctx, workspace: WorkspaceId, import: Import) -> Result<()> {
    let Import { id, status, message, .. } = import;
    let mut tx = ctx.db.begin(&workspace).await?;
    let Some(work) = queries::lock(tx.connection(), workspace, id).await? else { return Ok(()) };
    if !work.status.is_open() {
        return Ok(());
    }
    let caller = Caller::new(workspace, work.created_by, crate::auth::Role::Support, Origin::System, Via::System);
    let now = ctx.clock.now();
    queries::end(tx.connection(), workspace, id, End { status, message, total: work.total, now }).await?;
    outbox::emit(&mut tx, &caller.actor(), now, &[events::ended(id, status, work.counts)]).await?;
    tx.commit().await
}

async fn sweep(ctx: &Ctx) -> Result<()> {
    let mut owners = Vec::new();
    stage::drop_tables(ctx, |table| {
        owners.extend(stage::owner(table));
        false
    })
    .await?;
    let mut tx = ctx.db.system().await?;
    let open = queries::open_ones(tx.connection(), &owners).await?;
    tx.commit().await?;
    let is_left =
        |table: &str| stage::owner(table).is_some_and(|owner| owners.contains(&owner) && !open.contains(&owner));
    stage::drop_tables(ctx, is_left).await
}
