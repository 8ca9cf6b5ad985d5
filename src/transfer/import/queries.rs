//! The SQL of imports: their own rows here; the rows that failed, batches and staging tables apart.

pub mod batch;
pub mod errors;
pub mod maintenance;
pub mod staging;

use chrono::{DateTime, Utc};
use diesel::{
    dsl::{case_when, count_star},
    pg::Pg,
    prelude::*,
    sql_types::Text,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::{
    head::Place,
    model::{Counts, Import, ImportFilter, ImportOptions, ImportStatus, Mapping},
};
use crate::{
    base::{
        Error, Result,
        ids::{FileId, ImportId, JobId, UserId, WorkspaceId},
        page::PageRequest,
    },
    crm::RecordKind,
    db::schema::{imports, jobs},
    jobs::JobState,
    newest_first,
};

#[derive(Insertable)]
#[diesel(table_name = imports)]
pub struct NewRow {
    pub workspace_id: WorkspaceId,
    pub id: ImportId,
    pub kind: RecordKind,
    pub status: ImportStatus,
    pub file_id: FileId,
    pub file_name: String,
    pub file_size: i64,
    pub job_id: JobId,
    pub mapping: Value,
    pub options: Value,
    pub created_by: UserId,
    pub scopes: Option<Vec<&'static str>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

pub async fn insert(connection: &mut AsyncPgConnection, row: &NewRow) -> Result<()> {
    diesel::insert_into(imports::table).values(row).execute(connection).await?;
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = imports)]
struct Row {
    id: ImportId,
    kind: RecordKind,
    status: ImportStatus,
    file_id: Option<FileId>,
    file_name: String,
    file_size: i64,
    job_id: JobId,
    mapping: Value,
    options: Value,
    total_rows: Option<i64>,
    created_rows: i64,
    updated_rows: i64,
    unchanged_rows: i64,
    skipped_rows: i64,
    failed_rows: i64,
    message: Option<String>,
    created_by: UserId,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
}

/// With what is known of its job: one that was given up cannot note that here.
type WithJob = (Row, Option<JobState>, Option<String>, Option<DateTime<Utc>>);

fn import((row, job, last_error, job_ended_at): WithJob) -> Import {
    let mut import = Import {
        id: row.id,
        kind: row.kind,
        status: row.status,
        file: row.file_id,
        file_name: row.file_name,
        file_size: row.file_size,
        job: row.job_id,
        mapping: mapping(row.mapping),
        options: serde_json::from_value(row.options).unwrap_or_default(),
        total_rows: row.total_rows,
        counts: Counts {
            created: row.created_rows,
            updated: row.updated_rows,
            unchanged: row.unchanged_rows,
            skipped: row.skipped_rows,
            failed: row.failed_rows,
        },
        message: row.message,
        created_by: row.created_by,
        created_at: row.created_at,
        updated_at: row.updated_at,
        started_at: row.started_at,
        completed_at: row.completed_at,
    };
    if let Some(ended) = job.and_then(given_up_as).filter(|_| import.status.is_open()) {
        import.status = ended;
        import.message = import.message.or(last_error.filter(|_| ended == ImportStatus::Failed));
        import.completed_at = import.completed_at.or(job_ended_at);
    }
    import
}

/// How an import ends whose job ended without it: it was given up, or cancelled as a job.
fn given_up_as(job: JobState) -> Option<ImportStatus> {
    match job {
        JobState::Failed => Some(ImportStatus::Failed),
        JobState::Cancelled => Some(ImportStatus::Cancelled),
        JobState::Queued | JobState::Running | JobState::Completed => None,
    }
}

fn mapping(value: Value) -> Mapping {
    serde_json::from_value(value).unwrap_or_default()
}

/// The imports of a workspace, each with its job.
#[diesel::dsl::auto_type(no_type_alias)]
fn with_job(workspace: WorkspaceId) -> _ {
    let own: diesel::dsl::Eq<imports::workspace_id, WorkspaceId> = imports::workspace_id.eq(workspace);
    imports::table.left_join(jobs::table.on(jobs::id.eq(imports::job_id))).filter(own)
}

macro_rules! columns {
    () => {
        (Row::as_select(), jobs::state.nullable(), jobs::last_error.nullable(), jobs::finished_at.nullable())
    };
}

pub async fn find(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: ImportId) -> Result<Option<Import>> {
    let row = with_job(workspace)
        .filter(imports::id.eq(id))
        .select(columns!())
        .first::<WithJob>(connection)
        .await
        .optional()?;
    Ok(row.map(import))
}

/// Cuts a boxed query of imports with their jobs down to those that the filter and the maker leave.
macro_rules! filtered {
    ($query:expr, $maker:expr, $filter:expr) => {{
        let mut query = $query;
        if let Some(maker) = $maker {
            query = query.filter(imports::created_by.eq(maker));
        }
        if let Some(kind) = $filter.kind {
            query = query.filter(imports::kind.eq(kind));
        }
        if let Some(user) = $filter.created_by {
            query = query.filter(imports::created_by.eq(user));
        }
        if let Some(job) = $filter.job {
            query = query.filter(imports::job_id.eq(job));
        }
        if !$filter.statuses.is_empty() {
            let given_up = |job: JobState| imports::status.eq_any(ImportStatus::OPEN).and(jobs::state.eq(job));
            let word = |status: ImportStatus| status.into_sql::<Text>();
            let status = case_when(given_up(JobState::Failed), word(ImportStatus::Failed))
                .when(given_up(JobState::Cancelled), word(ImportStatus::Cancelled))
                .otherwise(imports::status);
            query = query.filter(status.eq_any($filter.statuses.clone()));
        }
        query
    }};
}

/// Newest first.
pub async fn page(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    maker: Option<UserId>,
    filter: &ImportFilter,
    request: &PageRequest<ImportId>,
) -> Result<Vec<Import>> {
    let query = with_job(workspace).select(columns!()).limit(request.fetch()).into_boxed::<Pg>();
    let query = filtered!(query, maker, filter);
    let rows: Vec<WithJob> = newest_first!(query, request, imports::id).load(connection).await?;
    Ok(rows.into_iter().map(import).collect())
}

pub async fn count(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    maker: Option<UserId>,
    filter: &ImportFilter,
) -> Result<i64> {
    let query = with_job(workspace).select(count_star()).into_boxed::<Pg>();
    Ok(filtered!(query, maker, filter).first(connection).await?)
}

/// What a run has to know.
#[derive(Debug, Clone)]
pub struct Work {
    pub kind: RecordKind,
    pub status: ImportStatus,
    pub file: Option<FileId>,
    pub mapping: Mapping,
    pub options: ImportOptions,
    pub total: Option<i64>,
    pub counts: Counts,
    pub resume: Place,
    pub created_by: UserId,
    /// Those of the token that asked for it, where one did.
    pub scopes: Option<Vec<String>>,
}

/// The import, locked for this transaction.
pub async fn lock(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: ImportId) -> Result<Option<Work>> {
    type Found = (Row, i64, i64, i64, Option<Vec<String>>);
    let row: Option<Found> = imports::table
        .filter(imports::workspace_id.eq(workspace).and(imports::id.eq(id)))
        .select((Row::as_select(), imports::resume_row, imports::resume_byte, imports::resume_line, imports::scopes))
        .for_update()
        .first(connection)
        .await
        .optional()?;
    Ok(row.map(|(row, number, byte, line, scopes)| {
        let import = import((row, None, None, None));
        Work {
            kind: import.kind,
            status: import.status,
            file: import.file,
            mapping: import.mapping,
            options: import.options,
            total: import.total_rows,
            counts: import.counts,
            resume: Place { row: number, byte: byte.unsigned_abs(), line: line.unsigned_abs() },
            created_by: import.created_by,
            scopes,
        }
    }))
}

pub async fn start(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ImportId,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(imports::table.filter(imports::workspace_id.eq(workspace).and(imports::id.eq(id))))
        .set((
            imports::status.eq(ImportStatus::Processing),
            imports::started_at.eq(case_when(imports::started_at.is_null(), Some(now)).otherwise(imports::started_at)),
            imports::message.eq(None::<String>),
            imports::completed_at.eq(None::<DateTime<Utc>>),
            imports::updated_at.eq(now),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn set_mapping(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ImportId,
    mapping: &Mapping,
) -> Result<()> {
    diesel::update(imports::table.filter(imports::workspace_id.eq(workspace).and(imports::id.eq(id))))
        .set(imports::mapping.eq(serde_json::to_value(mapping).map_err(Error::internal)?))
        .execute(connection)
        .await?;
    Ok(())
}

/// What a batch adds to its import.
pub struct Advance {
    pub from: Place,
    pub to: Place,
    /// All so far, this batch with it.
    pub counts: Counts,
    pub total: Option<i64>,
    pub now: DateTime<Utc>,
}

/// Moves the resume point; whether it stood where the batch begins, and the import still runs.
pub async fn advance(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ImportId,
    advance: Advance,
) -> Result<bool> {
    let counts = advance.counts;
    let moved = diesel::update(
        imports::table
            .filter(imports::workspace_id.eq(workspace).and(imports::id.eq(id)))
            .filter(imports::status.eq(ImportStatus::Processing).and(imports::resume_row.eq(advance.from.row))),
    )
    .set((
        imports::processed_rows.eq(counts.processed()),
        imports::created_rows.eq(counts.created),
        imports::updated_rows.eq(counts.updated),
        imports::unchanged_rows.eq(counts.unchanged),
        imports::skipped_rows.eq(counts.skipped),
        imports::failed_rows.eq(counts.failed),
        imports::total_rows.eq(advance.total),
        imports::resume_row.eq(advance.to.row),
        imports::resume_byte.eq(column(advance.to.byte)?),
        imports::resume_line.eq(column(advance.to.line)?),
        imports::updated_at.eq(advance.now),
    ))
    .execute(connection)
    .await?;
    Ok(moved == 1)
}

fn column(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(Error::internal)
}

/// How an import ended.
pub struct End {
    pub status: ImportStatus,
    pub message: Option<String>,
    /// Exact when it completed.
    pub total: Option<i64>,
    pub now: DateTime<Utc>,
}

pub async fn end(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: ImportId, end: End) -> Result<()> {
    diesel::update(imports::table.filter(imports::workspace_id.eq(workspace).and(imports::id.eq(id))))
        .set((
            imports::status.eq(end.status),
            imports::message.eq(end.message),
            imports::total_rows.eq(end.total),
            imports::completed_at.eq(Some(end.now)),
            imports::updated_at.eq(end.now),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// Imports that look unfinished although their jobs were given up or cancelled, over all workspaces.
pub async fn given_up(connection: &mut AsyncPgConnection) -> Result<Vec<(WorkspaceId, Import)>> {
    let rows: Vec<(WorkspaceId, WithJob)> = imports::table
        .inner_join(jobs::table.on(jobs::id.eq(imports::job_id)))
        .filter(
            imports::status.eq_any(ImportStatus::OPEN).and(jobs::state.eq_any([JobState::Failed, JobState::Cancelled])),
        )
        .select((imports::workspace_id, columns!()))
        .limit(1_000)
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(|(workspace, row)| (workspace, import(row))).collect())
}

/// Those of the imports that there are; with a maker, only theirs.
pub async fn present(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    maker: Option<UserId>,
    ids: &[ImportId],
) -> Result<Vec<ImportId>> {
    let present = imports::table.filter(imports::workspace_id.eq(workspace).and(imports::id.eq_any(ids)));
    let mut query = present.select(imports::id).into_boxed::<Pg>();
    if let Some(maker) = maker {
        query = query.filter(imports::created_by.eq(maker));
    }
    Ok(query.load(connection).await?)
}

/// Those of the imports that still run or wait.
pub async fn open_ones(connection: &mut AsyncPgConnection, ids: &[ImportId]) -> Result<Vec<ImportId>> {
    let open = imports::table.filter(imports::id.eq_any(ids).and(imports::status.eq_any(ImportStatus::OPEN)));
    Ok(open.select(imports::id).load(connection).await?)
}
