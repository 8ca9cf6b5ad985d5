//! The verbs of imports: create, look, cancel. The work itself is a job.

use std::collections::HashMap;

use serde_json::json;

use super::{
    events,
    jobs::RunImport,
    map,
    model::{Import, ImportFilter, ImportStatus, NewImport},
    queries::{self, End, NewRow},
    report::RowError,
    target::Target,
};
use crate::{
    auth::{Caller, Grant, Permission},
    base::{
        Error, Result,
        ids::{ImportId, UserId},
        page::{PageArgs, Slice},
    },
    crm::{RecordKind, record::Field},
    ctx::Ctx,
    files::{self, FileStatus},
    jobs::{self, CancelOutcome, Enqueued, enqueue},
    team::{
        audit,
        repeat::{self, Turn},
    },
};

/// Refuses a caller who may import nothing, before they send a large file.
pub fn require_may_import(caller: &Caller) -> Result<()> {
    caller.require(Permission::ImportsRun).map(drop)
}

/// The fields that a column can be mapped to.
pub fn fields(kind: RecordKind) -> Result<Vec<&'static Field>> {
    Ok(Target::of(kind)?.fields().collect())
}

/// Starts to import an uploaded file. Refused where the caller may not make such records, where
/// the file is not theirs or not complete, and where the mapping names fields that there are not.
/// What the file itself says is found by the job, and told by the import's `message`.
pub async fn create(ctx: &Ctx, caller: &Caller, new: NewImport) -> Result<Import> {
    require_may_import(caller)?;
    let target = Target::of(new.kind)?;
    caller.require(target.write)?;
    let mapping = map::check_given(&target, caller, &new.mapping)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => return queries::find(tx.connection(), caller.workspace, id).await?.ok_or(NOT_FOUND),
    };
    let open = ImportFilter { statuses: ImportStatus::OPEN.to_vec(), ..ImportFilter::default() };
    let most = ctx.limits.open_imports_per_user;
    if queries::count(tx.connection(), caller.workspace, Some(caller.user), &open).await? >= most {
        let message =
            format!("{most} of your imports have not ended (limits.open_imports_per_user); wait or cancel some");
        return Err(Error::conflict(message));
    }
    let file = files::get(&mut tx, caller, new.file).await?;
    if file.status != FileStatus::Ready {
        return Err(Error::conflict("This file is not complete yet: bytes of its upload are missing"));
    }
    let (id, now) = (ImportId::new(), ctx.clock.now());
    let about = Enqueued { workspace: Some(caller.workspace), created_by: Some(caller.user), ..Enqueued::default() };
    let job = enqueue::<Ctx, _>(&mut tx, now, &RunImport { import: id }, about).await?;
    let row = NewRow {
        workspace_id: caller.workspace,
        id,
        kind: new.kind,
        status: ImportStatus::Pending,
        file_id: file.id,
        file_name: file.name,
        file_size: i64::try_from(file.size).map_err(Error::internal)?,
        job_id: job.ok_or_else(|| Error::internal("a job without a unique key was taken for another"))?,
        mapping: serde_json::to_value(mapping).map_err(Error::internal)?,
        options: serde_json::to_value(new.options).map_err(Error::internal)?,
        created_by: caller.user,
        scopes: caller.scopes(),
        created_at: now,
        updated_at: now,
    };
    queries::insert(tx.connection(), &row).await?;
    let details = json!({ "kind": row.kind, "file": row.file_name, "options": new.options });
    let entry = audit::Entry::new("import.created", "import", id).with(details);
    audit::record_in(ctx, &mut tx, caller, entry).await?;
    ctx.emit(&mut tx, caller, &[events::created(id)]).await?;
    let import = queries::find(tx.connection(), caller.workspace, id).await?.ok_or(NOT_FOUND)?;
    tx.commit(id).await?;
    Ok(import)
}

/// One import: the caller's own, or anybody's for those who see all jobs.
pub async fn get(ctx: &Ctx, caller: &Caller, id: ImportId) -> Result<Import> {
    let grant = caller.require(Permission::JobsRead)?;
    let mut tx = ctx.db.read(caller).await?;
    let import = queries::find(tx.connection(), caller.workspace, id).await?;
    import.filter(|import| grant == Grant::All || import.created_by == caller.user).ok_or(NOT_FOUND)
}

/// Newest first; the caller's own, or everybody's for those who see all jobs.
pub async fn page(ctx: &Ctx, caller: &Caller, filter: &ImportFilter, args: PageArgs) -> Result<Slice<Import>> {
    let visible_of = visible_of(caller)?;
    let request = args.parse::<ImportId>()?;
    let mut tx = ctx.db.read(caller).await?;
    let rows = queries::page(tx.connection(), caller.workspace, visible_of, filter, &request).await?;
    Ok(request.slice(rows))
}

/// How many [`page`] would list in all.
pub async fn count(ctx: &Ctx, caller: &Caller, filter: &ImportFilter) -> Result<i64> {
    let visible_of = visible_of(caller)?;
    let mut tx = ctx.db.read(caller).await?;
    queries::count(tx.connection(), caller.workspace, visible_of, filter).await
}

/// Whose imports the caller may see; `None` for everybody's.
fn visible_of(caller: &Caller) -> Result<Option<UserId>> {
    let grant = caller.require(Permission::JobsRead)?;
    Ok(Some(caller.user).filter(|_| grant != Grant::All))
}

/// A page of the failed rows of each of these imports that the caller may see, in the order of the
/// file. The cursor of one is its row number. However many they are, two statements.
pub async fn error_pages(
    ctx: &Ctx,
    caller: &Caller,
    imports: &[ImportId],
    args: PageArgs,
) -> Result<HashMap<ImportId, Slice<RowError>>> {
    let visible_of = visible_of(caller)?;
    let request = args.parse::<i64>()?;
    let mut tx = ctx.db.read(caller).await?;
    let visible = queries::present(tx.connection(), caller.workspace, visible_of, imports).await?;
    let mut found: HashMap<_, Vec<_>> = visible.iter().map(|import| (*import, Vec::new())).collect();
    for (import, error) in queries::errors::pages(tx.connection(), caller.workspace, &visible, &request).await? {
        found.entry(import).or_default().push(error);
    }
    Ok(found.into_iter().map(|(import, errors)| (import, request.slice(errors))).collect())
}

/// Row number and message of the first errors of each of these imports, which the caller was
/// given by [`get`] or [`page`].
pub async fn errors_of(
    ctx: &Ctx,
    caller: &Caller,
    imports: &[ImportId],
    most: i64,
) -> Result<HashMap<ImportId, Vec<(i64, String)>>> {
    caller.require(Permission::JobsRead)?;
    let mut tx = ctx.db.read(caller).await?;
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for error in queries::errors::first(tx.connection(), caller.workspace, imports, most).await? {
        found.entry(error.import_id).or_default().push((error.number, error.message));
    }
    Ok(found)
}

/// Ends an import where it stands: what was imported stays, and no row is added after this
/// returns. A conflict where it has ended already.
pub async fn cancel(ctx: &Ctx, caller: &Caller, id: ImportId) -> Result<Import> {
    let import = get(ctx, caller, id).await?;
    caller.require_for(Permission::JobsWrite, Some(import.created_by))?;
    let now = ctx.clock.now();
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again((), _) => return Ok(import),
    };
    // the import's row before the job's, as its batches do
    let work = queries::lock(tx.connection(), caller.workspace, id).await?.ok_or(NOT_FOUND)?;
    let outcome = jobs::cancel(&mut tx, caller.workspace, import.job, now).await?;
    if !work.status.is_open() || outcome == CancelOutcome::TooLate {
        return Err(Error::conflict("This import has ended already"));
    }
    let status = ImportStatus::Cancelled;
    queries::end(tx.connection(), caller.workspace, id, End { status, message: None, total: work.total, now }).await?;
    audit::record_in(ctx, &mut tx, caller, audit::Entry::new("import.cancelled", "import", id)).await?;
    ctx.emit(&mut tx, caller, &[events::ended(id, status, work.counts)]).await?;
    let import = queries::find(tx.connection(), caller.workspace, id).await?.ok_or(NOT_FOUND)?;
    tx.commit(()).await?;
    Ok(import)
}

const NOT_FOUND: Error = Error::NotFound("Import");
