//! The SQL of the job queue, apart from claiming (`queries::claim`).

pub mod claim;

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::{
    pg::Pg,
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Bool, Double, Int4, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::{JobFilter, JobState, JobSummary, Progress, retry::Ending};
use crate::{
    base::{
        Error, Result,
        ids::{JobId, UserId, WorkspaceId},
        page::PageRequest,
    },
    db::schema::{jobs, schedules},
    newest_first,
};

#[derive(Insertable)]
#[diesel(table_name = jobs)]
pub struct NewJob {
    pub id: JobId,
    pub workspace_id: Option<WorkspaceId>,
    pub kind: &'static str,
    pub payload: Value,
    pub priority: i16,
    pub run_at: DateTime<Utc>,
    pub due: bool,
    pub max_attempts: i32,
    pub unique_key: Option<String>,
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
}

/// Whether it was inserted; not where its unique key is taken.
pub async fn insert(connection: &mut AsyncPgConnection, job: NewJob) -> Result<bool> {
    let inserted = diesel::insert_into(jobs::table).values(job).on_conflict_do_nothing().execute(connection).await?;
    Ok(inserted == 1)
}

#[derive(QueryableByName)]
struct Waiting {
    #[diesel(sql_type = SqlUuid)]
    #[expect(dead_code, reason = "that there is a row says all")]
    id: JobId,
}

/// Whether a job of this kind waits for the workspace. It cannot be claimed until the transaction ends:
/// claiming takes FOR UPDATE, and passes over what is held.
pub async fn hold_waiting(connection: &mut AsyncPgConnection, kind: &str, workspace: WorkspaceId) -> Result<bool> {
    // each finds its index
    for due in ["due", "NOT due"] {
        let statement = format!(
            "SELECT id FROM jobs WHERE kind = $1 AND tenant = $2 AND state = 'queued' AND {due} \
              LIMIT 1 FOR KEY SHARE SKIP LOCKED"
        );
        let found: Vec<Waiting> =
            sql_query(statement).bind::<Text, _>(kind).bind::<SqlUuid, _>(workspace).load(connection).await?;
        if !found.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The payloads of the jobs of a kind that have not ended.
pub async fn open(connection: &mut AsyncPgConnection, workspace: WorkspaceId, kind: &str) -> Result<Vec<Value>> {
    let open = jobs::table
        .filter(jobs::workspace_id.eq(workspace).and(jobs::kind.eq(kind)))
        .filter(jobs::state.eq_any([JobState::Queued, JobState::Running]))
        .select(jobs::payload);
    Ok(open.load(connection).await?)
}

/// What a write on behalf of a run has to match: the attempt that holds the job.
#[derive(Debug, Clone, Copy)]
pub struct Fence {
    pub job: JobId,
    pub attempt: i32,
}

/// Whether the job was cancelled; `None` where the fence does not match. Until the transaction
/// ends nobody can claim the job: claiming takes FOR UPDATE. It disturbs neither the renewal of
/// the lease nor a cancel, which change no key.
pub async fn hold(connection: &mut AsyncPgConnection, fence: Fence) -> Result<Option<bool>> {
    let held = jobs::table
        .filter(jobs::id.eq(fence.job).and(jobs::attempt.eq(fence.attempt)))
        .filter(jobs::state.eq(JobState::Running))
        .select(jobs::cancel_requested)
        .for_key_share()
        .first(connection)
        .await
        .optional()?;
    Ok(held)
}

/// Whether the job was cancelled; `None` where the fence does not match.
pub async fn note_progress(
    connection: &mut AsyncPgConnection,
    fence: Fence,
    progress: &Progress,
) -> Result<Option<bool>> {
    let held = jobs::table
        .filter(jobs::id.eq(fence.job).and(jobs::attempt.eq(fence.attempt)))
        .filter(jobs::state.eq(JobState::Running));
    let cancelled = diesel::update(held)
        .set(jobs::progress.eq(json(progress)?))
        .returning(jobs::cancel_requested)
        .get_result(connection)
        .await
        .optional()?;
    Ok(cancelled)
}

/// Writes progress, renews the lease and forgives crashes; whether the fence matched.
pub async fn get_ahead(
    connection: &mut AsyncPgConnection,
    fence: Fence,
    lease: Duration,
    progress: &Progress,
) -> Result<bool> {
    let updated = sql_query(
        "UPDATE jobs SET progress = $3, crashes = 0, lease_until = clock_timestamp() + make_interval(secs => $4)
          WHERE id = $1 AND attempt = $2 AND state = 'running'",
    )
    .bind::<SqlUuid, _>(fence.job)
    .bind::<Int4, _>(fence.attempt)
    .bind::<Jsonb, _>(json(progress)?)
    .bind::<Double, _>(lease.as_secs_f64())
    .execute(connection)
    .await?;
    Ok(updated == 1)
}

/// One lease that is asked about.
pub struct LeaseAsk {
    pub job: JobId,
    pub attempt: i32,
    pub lease: Duration,
    pub renew: bool,
}

/// A lease that still holds. Not renewed: nobody asked, or a batch has just now locked the row.
#[derive(QueryableByName)]
pub struct LeaseAnswer {
    #[diesel(sql_type = SqlUuid)]
    pub id: JobId,
    #[diesel(sql_type = Int4)]
    pub attempt: i32,
    #[diesel(sql_type = Bool)]
    pub cancel_requested: bool,
    #[diesel(sql_type = Bool)]
    pub renewed: bool,
}

/// Renews leases and tells which of those asked about hold. Waits for no row lock: one long batch
/// must not cost the other jobs of a worker their leases.
pub async fn renew(connection: &mut AsyncPgConnection, asks: Vec<LeaseAsk>) -> Result<Vec<LeaseAnswer>> {
    let ids: Vec<_> = asks.iter().map(|ask| ask.job).collect();
    let attempts: Vec<_> = asks.iter().map(|ask| ask.attempt).collect();
    let seconds: Vec<_> = asks.iter().map(|ask| ask.lease.as_secs_f64()).collect();
    let renew: Vec<_> = asks.iter().map(|ask| ask.renew).collect();
    let answers = sql_query(
        "WITH ask AS (SELECT * FROM unnest($1, $2, $3, $4) AS ask (id, attempt, seconds, renew)),
              held AS (SELECT jobs.id, ask.seconds FROM jobs JOIN ask USING (id, attempt)
                        WHERE jobs.state = 'running' AND ask.renew FOR NO KEY UPDATE OF jobs SKIP LOCKED),
              renewed AS (UPDATE jobs SET lease_until = clock_timestamp() + make_interval(secs => held.seconds)
                            FROM held WHERE jobs.id = held.id RETURNING jobs.id)
         SELECT jobs.id, jobs.attempt, jobs.cancel_requested, renewed.id IS NOT NULL AS renewed
           FROM jobs JOIN ask USING (id, attempt) LEFT JOIN renewed ON renewed.id = jobs.id
          WHERE jobs.state = 'running'",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Array<Int4>, _>(attempts)
    .bind::<Array<Double>, _>(seconds)
    .bind::<Array<Bool>, _>(renew)
    .load(connection)
    .await?;
    Ok(answers)
}

/// How the row stands after a run.
#[derive(QueryableByName)]
pub struct Finished {
    #[diesel(sql_type = Text)]
    pub state: JobState,
    #[diesel(sql_type = Jsonb)]
    pub progress: Value,
}

/// Writes what became of a run, with the progress not yet written; `None` where the fence does not
/// match. A job that was asked to end is not queued again.
pub async fn finish(
    connection: &mut AsyncPgConnection,
    fence: Fence,
    now: DateTime<Utc>,
    ending: &Ending,
    progress: Option<&Progress>,
) -> Result<Option<Finished>> {
    let (state, run_at, failures, error) = match ending {
        Ending::Completed => (JobState::Completed, None, None, None),
        Ending::Cancelled => (JobState::Cancelled, None, None, None),
        Ending::Failed { failures, last_error } => (JobState::Failed, None, Some(*failures), Some(last_error)),
        Ending::Again { run_at, failures, last_error } => {
            (JobState::Queued, Some(*run_at), Some(*failures), last_error.as_ref())
        }
        Ending::HandedBack => (JobState::Queued, None, None, None),
        Ending::Lost => return Ok(None),
    };
    let finished = sql_query(
        "UPDATE jobs SET
             state = CASE WHEN $3 = 'queued' AND cancel_requested THEN 'cancelled' ELSE $3 END,
             finished_at = CASE WHEN $3 = 'queued' AND NOT cancel_requested THEN NULL ELSE $4 END,
             lease_until = NULL, leased_by = NULL,
             run_at = coalesce($5, run_at), due = coalesce($5 <= $4, true),
             failures = coalesce($6, failures),
             last_error = CASE WHEN $3 = 'completed' THEN NULL ELSE coalesce($7, last_error) END,
             progress = coalesce($8, progress)
          WHERE id = $1 AND attempt = $2 AND state = 'running'
          RETURNING state, progress",
    )
    .bind::<SqlUuid, _>(fence.job)
    .bind::<Int4, _>(fence.attempt)
    .bind::<Text, _>(state)
    .bind::<Timestamptz, _>(now)
    .bind::<Nullable<Timestamptz>, _>(run_at)
    .bind::<Nullable<Int4>, _>(failures)
    .bind::<Nullable<Text>, _>(error)
    .bind::<Nullable<Jsonb>, _>(progress.map(json).transpose()?)
    .get_result(connection)
    .await
    .optional()?;
    Ok(finished)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = jobs)]
struct SummaryRow {
    id: JobId,
    workspace_id: Option<WorkspaceId>,
    kind: String,
    state: JobState,
    attempt: i32,
    failures: i32,
    max_attempts: i32,
    cancel_requested: bool,
    progress: Value,
    last_error: Option<String>,
    created_by: Option<UserId>,
    created_at: DateTime<Utc>,
    run_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl From<SummaryRow> for JobSummary {
    fn from(row: SummaryRow) -> Self {
        Self {
            id: row.id,
            workspace: row.workspace_id,
            kind: row.kind,
            state: row.state,
            attempt: row.attempt,
            failures: row.failures,
            max_attempts: row.max_attempts,
            cancel_requested: row.cancel_requested && row.state == JobState::Running,
            progress: read_progress(row.progress),
            last_error: row.last_error,
            created_by: row.created_by,
            created_at: row.created_at,
            run_at: row.run_at,
            finished_at: row.finished_at,
        }
    }
}

pub async fn find(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    job: JobId,
) -> Result<Option<JobSummary>> {
    let row = jobs::table
        .filter(jobs::workspace_id.eq(workspace).and(jobs::id.eq(job)))
        .select(SummaryRow::as_select())
        .first(connection)
        .await
        .optional()?;
    Ok(row.map(JobSummary::from))
}

/// Those of these that there are.
pub async fn find_many(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    ids: &[JobId],
) -> Result<Vec<JobSummary>> {
    let rows: Vec<SummaryRow> = jobs::table
        .filter(jobs::workspace_id.eq(workspace).and(jobs::id.eq_any(ids)))
        .select(SummaryRow::as_select())
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(JobSummary::from).collect())
}

/// Newest first; one row more than the page, see [`PageRequest::fetch`].
pub async fn page(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    filter: &JobFilter,
    page: &PageRequest<JobId>,
) -> Result<Vec<JobSummary>> {
    let query = filtered(workspace, filter).select(SummaryRow::as_select()).limit(page.fetch());
    let rows: Vec<SummaryRow> = newest_first!(query, page, jobs::id).load(connection).await?;
    Ok(rows.into_iter().map(JobSummary::from).collect())
}

/// How many jobs the filter leaves.
pub async fn count(connection: &mut AsyncPgConnection, workspace: WorkspaceId, filter: &JobFilter) -> Result<i64> {
    Ok(filtered(workspace, filter).count().get_result(connection).await?)
}

fn filtered(workspace: WorkspaceId, filter: &JobFilter) -> jobs::BoxedQuery<'_, Pg> {
    let mut query = jobs::table.filter(jobs::workspace_id.eq(workspace)).into_boxed();
    if let Some(state) = filter.state {
        query = query.filter(jobs::state.eq(state));
    }
    if let Some(kind) = &filter.kind {
        query = query.filter(jobs::kind.eq(kind));
    }
    if let Some(user) = filter.created_by {
        query = query.filter(jobs::created_by.eq(user));
    }
    query
}

/// The job's state, its row locked; `None` where the workspace has no such job.
pub async fn lock(connection: &mut AsyncPgConnection, workspace: WorkspaceId, job: JobId) -> Result<Option<JobState>> {
    let state = jobs::table
        .filter(jobs::workspace_id.eq(workspace).and(jobs::id.eq(job)))
        .select(jobs::state)
        .for_no_key_update()
        .first(connection)
        .await
        .optional()?;
    Ok(state)
}

/// Ends a waiting job. The row is locked.
pub async fn cancel_queued(connection: &mut AsyncPgConnection, job: JobId, now: DateTime<Utc>) -> Result<()> {
    diesel::update(jobs::table.find(job))
        .set((jobs::state.eq(JobState::Cancelled), jobs::finished_at.eq(now)))
        .execute(connection)
        .await?;
    Ok(())
}

/// Asks a running job to end. The row is locked.
pub async fn request_cancel(connection: &mut AsyncPgConnection, job: JobId) -> Result<()> {
    diesel::update(jobs::table.find(job)).set(jobs::cancel_requested.eq(true)).execute(connection).await?;
    Ok(())
}

/// Queues a job anew with all its attempts. The row is locked.
pub async fn requeue(connection: &mut AsyncPgConnection, job: JobId, now: DateTime<Utc>) -> Result<()> {
    diesel::update(jobs::table.find(job))
        .set((
            jobs::state.eq(JobState::Queued),
            jobs::run_at.eq(now),
            jobs::due.eq(true),
            jobs::failures.eq(0),
            jobs::crashes.eq(0),
            jobs::cancel_requested.eq(false),
            jobs::finished_at.eq(None::<DateTime<Utc>>),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// Deletes at most `limit` jobs that ended in one of the states before the given time.
pub async fn purge(
    connection: &mut AsyncPgConnection,
    states: &[JobState],
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize> {
    let old = jobs::table
        .filter(jobs::finished_at.lt(before).and(jobs::state.eq_any(states)))
        .order(jobs::finished_at)
        .limit(limit)
        .select(jobs::id)
        .load::<JobId>(connection)
        .await?;
    // a dead letter may have been queued again since
    let ended = jobs::table.filter(jobs::id.eq_any(old).and(jobs::finished_at.lt(before)));
    Ok(diesel::delete(ended).execute(connection).await?)
}

/// How many jobs of a kind stand somewhere.
#[derive(QueryableByName)]
pub struct Depth {
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Text)]
    pub state: JobState,
    #[diesel(sql_type = BigInt)]
    pub jobs: i64,
}

/// All jobs that wait, run or were given up, by kind; each part has its index.
pub async fn depths(connection: &mut AsyncPgConnection) -> Result<Vec<Depth>> {
    let depths = sql_query(
        "SELECT kind, state, count(*) AS jobs FROM
             (SELECT kind, state FROM jobs WHERE state = 'queued' AND due
              UNION ALL SELECT kind, state FROM jobs WHERE state = 'queued' AND NOT due
              UNION ALL SELECT kind, state FROM jobs WHERE state = 'running'
              UNION ALL SELECT kind, state FROM jobs WHERE state = 'failed') AS open
          GROUP BY kind, state ORDER BY kind, state",
    )
    .load(connection)
    .await?;
    Ok(depths)
}

/// The time for which the schedule fired last, its row locked; a schedule seen for the first time
/// counts as fired `now`.
pub async fn lock_schedule(
    connection: &mut AsyncPgConnection,
    name: &str,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>> {
    diesel::insert_into(schedules::table)
        .values((schedules::name.eq(name), schedules::last_fired_for.eq(now)))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    let fired = schedules::table.find(name).select(schedules::last_fired_for).for_update().first(connection).await?;
    Ok(fired)
}

pub async fn note_fired(connection: &mut AsyncPgConnection, name: &str, fired_for: DateTime<Utc>) -> Result<()> {
    diesel::update(schedules::table.find(name))
        .set(schedules::last_fired_for.eq(fired_for))
        .execute(connection)
        .await?;
    Ok(())
}

fn json(progress: &Progress) -> Result<Value> {
    serde_json::to_value(progress).map_err(Error::internal)
}

/// A shape that an older version wrote reads as nothing done: it is for show only.
pub fn read_progress(value: Value) -> Progress {
    serde_json::from_value(value).unwrap_or_default()
}
