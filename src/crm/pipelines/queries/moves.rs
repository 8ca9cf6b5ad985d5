//! The SQL of deals that stand on stages, and leave one that is to be deleted: many at once, by the
//! same rules as one that somebody moves (`deals`).

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Bool, Int4, Jsonb, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::super::{Stage, StageType};
use crate::{
    auth::{Actor, Via},
    base::{
        Error, Result,
        ids::{StageId, WorkspaceId},
    },
    crm::record::value::time_in_history,
};

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many deals stand on these stages, deleted ones too; no more are counted than `most`.
pub async fn standing(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    stages: &[StageId],
    most: i64,
) -> Result<i64> {
    let counted: Counted = sql_query(
        "SELECT count(*) AS count FROM (SELECT FROM deals \
          WHERE workspace_id = $1 AND stage_id = ANY($2) LIMIT $3) AS standing",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Array<SqlUuid>, _>(stages)
    .bind::<BigInt, _>(most)
    .get_result(connection)
    .await?;
    Ok(counted.count)
}

/// Who moves deals, when, and how it came about.
pub struct Mover<'a> {
    pub at: DateTime<Utc>,
    pub actor: &'a Actor,
    pub via: Via,
}

/// A deal that was moved.
#[derive(Debug, QueryableByName)]
pub struct Moved {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// After it.
    #[diesel(sql_type = Int4)]
    pub version: i32,
    #[diesel(sql_type = Bool)]
    pub is_live: bool,
    /// Whether its probability is another one by that.
    #[diesel(sql_type = Bool)]
    pub probability: bool,
    /// Whether its close date is another one by that.
    #[diesel(sql_type = Bool)]
    pub closed: bool,
}

/// Moves at most so many deals from a stage to another one of its pipeline, with their histories: the new stage
/// brings its probability and, where it ends deals, the day of that; one that opens them again takes that day
/// away. Those that somebody else moves away meanwhile are left out.
pub async fn advance(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    from: &Stage,
    to: &Stage,
    mover: Mover<'_>,
    most: i64,
) -> Result<Vec<Moved>> {
    let actor = serde_json::to_value(mover.actor).map_err(Error::internal)?;
    let is_closed = |stage: &Stage| stage.stage_type != StageType::Open;
    let close_date = match (is_closed(from), is_closed(to)) {
        (_, true) => "coalesce(d.close_date, $5)",
        (true, false) => "NULL",
        (false, false) => "d.close_date",
    };
    let day = |of: &str| format!("coalesce({}, 'null')", time_in_history(&format!("{of}.close_date")));
    let moved = sql_query(format!(
        "WITH moving AS ( \
             SELECT id, probability, close_date FROM deals WHERE workspace_id = $1 AND stage_id = $2 \
              ORDER BY id LIMIT $3 FOR NO KEY UPDATE), \
         moved AS ( \
             UPDATE deals d SET stage_id = $4, stage_entered_at = $5, probability = $6, close_date = {close_date}, \
                    version = d.version + 1, updated_at = $5 \
               FROM moving m WHERE d.workspace_id = $1 AND d.id = m.id \
             RETURNING d.id, d.version, d.deleted_at IS NULL AS is_live, m.probability AS was_probable, \
                    m.probability <> d.probability AS probability, m.close_date IS DISTINCT FROM d.close_date AS closed, \
                    {} AS was_closed, {} AS is_closed), \
         history AS ( \
             INSERT INTO record_changes (workspace_id, kind, record_id, version, at, actor, origin, before, after) \
             SELECT $1, 'deal', id, version, $5, $7, $8, \
                    jsonb_build_object('stage_id', $2::text) \
                        || CASE WHEN probability THEN jsonb_build_object('probability', was_probable) ELSE '{{}}' END \
                        || CASE WHEN closed THEN jsonb_build_object('close_date', was_closed) ELSE '{{}}' END, \
                    jsonb_build_object('stage_id', $4::text) \
                        || CASE WHEN probability THEN jsonb_build_object('probability', $6) ELSE '{{}}' END \
                        || CASE WHEN closed THEN jsonb_build_object('close_date', is_closed) ELSE '{{}}' END \
               FROM moved) \
         SELECT id, version, is_live, probability, closed FROM moved ORDER BY id",
        day("m"),
        day("d"),
    ))
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(from.id)
    .bind::<BigInt, _>(most)
    .bind::<SqlUuid, _>(to.id)
    .bind::<Timestamptz, _>(mover.at)
    .bind::<Int4, _>(to.probability)
    .bind::<Jsonb, _>(actor)
    .bind::<Text, _>(mover.via.as_str());
    Ok(moved.load(connection).await?)
}
