//! The SQL of the tags in use.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::super::Sight;
use crate::base::{Result, ids::WorkspaceId};

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Tags of live records that are like the pattern, with how many have each; the most used first.
pub async fn in_use(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    table: &'static str,
    sight: Sight,
    pattern: Option<&str>,
    most: i64,
) -> Result<Vec<(String, i64)>> {
    let statement = format!(
        "SELECT tag AS name, count(*) AS count \
           FROM (SELECT unnest(tags) AS tag FROM {table} \
                  WHERE workspace_id = $1 AND deleted_at IS NULL AND tags <> '{{}}'{}) AS used \
          WHERE $2 IS NULL OR lower(tag) LIKE lower($2) \
          GROUP BY tag ORDER BY count(*) DESC, tag LIMIT $3",
        sight.condition()
    );
    let rows: Vec<Counted> = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Nullable<Text>, _>(pattern)
        .bind::<BigInt, _>(most)
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.count)).collect())
}
