//! The SQL of what leads to a record: its deals, its tasks, its people. For many records at once.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::super::{
    Sight,
    order::{At, RelatedFilter},
};
use crate::base::{Result, ids::WorkspaceId, page::PageRequest};

/// Which rows, of which table.
#[derive(Clone, Copy)]
pub struct Wanted {
    pub table: &'static str,
    pub column: &'static str,
    pub sight: Sight,
    pub filter: RelatedFilter,
}

impl Wanted {
    /// `$1` is the workspace, `$3` the type of stage.
    fn conditions(self) -> String {
        let stage = match self.filter.stage_type {
            None => "AND $3::text IS NULL",
            Some(_) => "AND stage_id IN (SELECT id FROM pipeline_stages WHERE workspace_id = $1 AND stage_type = $3)",
        };
        format!("workspace_id = $1 AND deleted_at IS NULL {stage}{}", self.sight.condition())
    }
}

#[derive(QueryableByName)]
pub struct Found {
    #[diesel(sql_type = SqlUuid)]
    pub to: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
}

/// The ids of a page for each, in the order in which the page is read.
pub async fn pages(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    wanted: Wanted,
    to: &[Uuid],
    request: &PageRequest<At>,
) -> Result<Vec<Found>> {
    let (way, beyond) = if request.is_backward() { ("ASC", ">") } else { ("DESC", "<") };
    let Wanted { table, column, .. } = wanted;
    let statement = format!(
        "SELECT wanted.id AS \"to\", found.id FROM unnest($2) AS wanted (id) CROSS JOIN LATERAL ( \
             SELECT id FROM {table} WHERE {} AND {column} = wanted.id AND ($4 IS NULL OR id {beyond} $4) \
              ORDER BY id {way} LIMIT $5) AS found \
          ORDER BY found.id {way}",
        wanted.conditions()
    );
    let rows = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Array<SqlUuid>, _>(to)
        .bind::<Nullable<Text>, _>(wanted.filter.stage_type.map(|stage_type| stage_type.as_str()))
        .bind::<Nullable<SqlUuid>, _>(request.from.as_ref().map(|at| at.id))
        .bind::<BigInt, _>(request.fetch());
    Ok(rows.load(connection).await?)
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = SqlUuid)]
    to: Uuid,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many there are for each that has any.
pub async fn counts(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    wanted: Wanted,
    to: &[Uuid],
) -> Result<Vec<(Uuid, i64)>> {
    let Wanted { table, column, .. } = wanted;
    let statement = format!(
        "SELECT {column} AS \"to\", count(*) AS count FROM {table} WHERE {} AND {column} = ANY($2) GROUP BY {column}",
        wanted.conditions()
    );
    let rows: Vec<Counted> = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Array<SqlUuid>, _>(to)
        .bind::<Nullable<Text>, _>(wanted.filter.stage_type.map(|stage_type| stage_type.as_str()))
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.to, row.count)).collect())
}
