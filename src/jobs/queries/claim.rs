//! Claiming, and what precedes it. A **lane** is what waits of one kind for one workspace (with
//! one priority). There may be 100,000 jobs in one lane and 1,000 lanes: neither the queue nor
//! a lane is ever sorted. An index on (kind, tenant, priority, run_at, id) is skipped through from
//! lane to lane, and read at the heads of the lanes.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName, sql_query,
    sql_types::{Array, BigInt, Double, Int4, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    base::{
        Result,
        ids::{JobId, UserId, WorkspaceId},
    },
    jobs::{
        JobState,
        retry::{CRASH_LIMIT, CRASHED},
    },
};

/// Most jobs whose time has come that one look puts into the claim's way.
const MOST_DUE: i64 = 1000;

/// A kind whose lanes are looked for beyond the given one.
pub struct LaneAsk {
    pub kind: &'static str,
    pub after: (Uuid, i16),
}

#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Lane {
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// The workspace; nil for the installation's chores.
    #[diesel(sql_type = SqlUuid)]
    pub tenant: Uuid,
    #[diesel(sql_type = SmallInt)]
    pub priority: i16,
}

/// The lanes in which something waits, in their order: at most `most` of each kind.
pub async fn lanes(connection: &mut AsyncPgConnection, asks: &[LaneAsk], most: i32) -> Result<Vec<Lane>> {
    let kinds: Vec<_> = asks.iter().map(|ask| ask.kind).collect();
    let (tenants, priorities): (Vec<_>, Vec<_>) = asks.iter().map(|ask| ask.after).unzip();
    let lanes = sql_query(
        "WITH RECURSIVE lane AS (
             SELECT ask.kind, next.tenant, next.priority, 1 AS number
               FROM unnest($1, $2, $3) AS ask (kind, tenant, priority)
               CROSS JOIN LATERAL (SELECT tenant, priority FROM jobs
                    WHERE state = 'queued' AND due AND kind = ask.kind
                      AND (tenant, priority) > (ask.tenant, ask.priority)
                    ORDER BY tenant, priority LIMIT 1) AS next
             UNION ALL
             SELECT lane.kind, next.tenant, next.priority, lane.number + 1
               FROM lane
               CROSS JOIN LATERAL (SELECT tenant, priority FROM jobs
                    WHERE state = 'queued' AND due AND kind = lane.kind
                      AND (tenant, priority) > (lane.tenant, lane.priority)
                    ORDER BY tenant, priority LIMIT 1) AS next
              WHERE lane.number < $4)
         SELECT kind, tenant, priority FROM lane ORDER BY kind, number",
    )
    .bind::<Array<Text>, _>(kinds)
    .bind::<Array<SqlUuid>, _>(tenants)
    .bind::<Array<SmallInt>, _>(priorities)
    .bind::<Int4, _>(most)
    .load(connection)
    .await?;
    Ok(lanes)
}

/// A lane together with what its kind allows.
pub struct OpenLane {
    pub lane: Lane,
    pub per_workspace: i32,
    pub lease_seconds: f64,
    /// Grows with each claim of this worker; 0 for a lane that it has not served lately.
    pub served: i64,
}

/// A job that is now ours.
#[derive(QueryableByName)]
pub struct Claimed {
    #[diesel(sql_type = SqlUuid)]
    pub id: JobId,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub workspace_id: Option<WorkspaceId>,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = SqlUuid)]
    pub tenant: Uuid,
    #[diesel(sql_type = Jsonb)]
    pub payload: Value,
    #[diesel(sql_type = Int4)]
    pub attempt: i32,
    #[diesel(sql_type = Int4)]
    pub failures: i32,
    #[diesel(sql_type = Int4)]
    pub max_attempts: i32,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub created_by: Option<UserId>,
    #[diesel(sql_type = Jsonb)]
    pub progress: Value,
}

/// Claims up to `slots` jobs from the heads of the lanes: first those that would be the fewest
/// running of their kind and workspace, among those by priority, then from the lane that this
/// worker served longest ago, then the oldest.
pub async fn claim(
    connection: &mut AsyncPgConnection,
    open: &[OpenLane],
    slots: i64,
    worker: &str,
) -> Result<Vec<Claimed>> {
    let claimed = sql_query(
        "WITH lane AS (
             SELECT * FROM unnest($1, $2, $3, $4, $5, $6)
                 AS lane (kind, tenant, priority, per_workspace, lease_seconds, served)),
         busy AS (
             SELECT kind, tenant, count(*) AS running FROM jobs WHERE state = 'running' GROUP BY kind, tenant),
         waiting AS (
             SELECT head.id, head.run_at, lane.priority, lane.per_workspace, lane.lease_seconds, lane.served,
                    coalesce(busy.running, 0) + row_number() OVER (
                        PARTITION BY lane.kind, lane.tenant ORDER BY lane.priority, head.run_at, head.id) AS place
               FROM lane
               LEFT JOIN busy USING (kind, tenant)
               CROSS JOIN LATERAL (
                   SELECT id, run_at FROM jobs
                    WHERE state = 'queued' AND due
                      AND kind = lane.kind AND tenant = lane.tenant AND priority = lane.priority
                    ORDER BY run_at, id
                    LIMIT greatest(least(lane.per_workspace - coalesce(busy.running, 0), $7), 0)) AS head),
         chosen AS (
             SELECT id, lease_seconds FROM waiting WHERE place <= per_workspace
              ORDER BY place, priority, served, run_at, id LIMIT $7),
         locked AS (
             SELECT jobs.id, chosen.lease_seconds FROM jobs JOIN chosen USING (id)
              WHERE jobs.state = 'queued' AND jobs.due FOR UPDATE OF jobs SKIP LOCKED)
         UPDATE jobs SET state = 'running', attempt = attempt + 1, leased_by = $8,
                         lease_until = clock_timestamp() + make_interval(secs => locked.lease_seconds)
           FROM locked WHERE jobs.id = locked.id
         RETURNING jobs.id, workspace_id, kind, tenant, payload, attempt, failures, max_attempts, created_by, progress",
    )
    .bind::<Array<Text>, _>(open.iter().map(|open| open.lane.kind.as_str()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(open.iter().map(|open| open.lane.tenant).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(open.iter().map(|open| open.lane.priority).collect::<Vec<_>>())
    .bind::<Array<Int4>, _>(open.iter().map(|open| open.per_workspace).collect::<Vec<_>>())
    .bind::<Array<Double>, _>(open.iter().map(|open| open.lease_seconds).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(open.iter().map(|open| open.served).collect::<Vec<_>>())
    .bind::<BigInt, _>(slots)
    .bind::<Text, _>(worker)
    .load(connection)
    .await?;
    Ok(claimed)
}

/// A job whose worker let its lease run out, as it stands now.
#[derive(QueryableByName)]
pub struct Crashed {
    #[diesel(sql_type = SqlUuid)]
    pub id: JobId,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub workspace_id: Option<WorkspaceId>,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub created_by: Option<UserId>,
    #[diesel(sql_type = Text)]
    pub state: JobState,
    #[diesel(sql_type = Int4)]
    pub crashes: i32,
    #[diesel(sql_type = Jsonb)]
    pub progress: Value,
}

/// Queues the jobs of these kinds whose lease ran out, or gives them up at the crash limit. One
/// whose holder is in the middle of a batch's transaction is left to it.
pub async fn free_crashed(
    connection: &mut AsyncPgConnection,
    kinds: &[&str],
    now: DateTime<Utc>,
) -> Result<Vec<Crashed>> {
    let crashed = sql_query(
        "WITH gone AS (
             SELECT id, CASE WHEN cancel_requested THEN 'cancelled'
                             WHEN crashes + 1 >= $3 THEN 'failed'
                             ELSE 'queued' END AS next
               FROM jobs WHERE state = 'running' AND lease_until < clock_timestamp() AND kind = ANY($1)
                FOR UPDATE SKIP LOCKED)
         UPDATE jobs SET state = gone.next, crashes = crashes + 1, lease_until = NULL, leased_by = NULL,
                         finished_at = CASE WHEN gone.next <> 'queued' THEN $2 END,
                         last_error = CASE WHEN gone.next = 'failed' THEN $4 ELSE last_error END
           FROM gone WHERE jobs.id = gone.id
         RETURNING jobs.id, workspace_id, kind, created_by, state, crashes, progress",
    )
    .bind::<Array<Text>, _>(kinds)
    .bind::<Timestamptz, _>(now)
    .bind::<Int4, _>(CRASH_LIMIT)
    .bind::<Text, _>(CRASHED)
    .load(connection)
    .await?;
    Ok(crashed)
}

/// Puts jobs whose time has come into the claim's way.
pub async fn mark_due(connection: &mut AsyncPgConnection, now: DateTime<Utc>) -> Result<usize> {
    let marked = sql_query(
        "WITH come AS (
             SELECT id FROM jobs WHERE state = 'queued' AND NOT due AND run_at <= $1
              ORDER BY run_at LIMIT $2 FOR UPDATE SKIP LOCKED)
         UPDATE jobs SET due = true FROM come WHERE jobs.id = come.id",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<BigInt, _>(MOST_DUE)
    .execute(connection)
    .await?;
    Ok(marked)
}
