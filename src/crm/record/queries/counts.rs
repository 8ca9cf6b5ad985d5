//! SQL of the kept counts of live records: see the migration that makes them.

use diesel::sql_types::{BigInt, Text, Uuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    base::{Result, ids::WorkspaceId},
    crm::RecordKind,
};

#[derive(diesel::QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// All live records of a kind, from what is kept of that; exact.
pub async fn all(connection: &mut AsyncPgConnection, workspace: WorkspaceId, kind: RecordKind) -> Result<i64> {
    let counted: Counted = diesel::sql_query(
        "SELECT coalesce(sum(delta), 0)::bigint AS count FROM record_count_deltas WHERE workspace_id = $1 AND kind = $2",
    )
    .bind::<Uuid, _>(workspace)
    .bind::<Text, _>(kind)
    .get_result(connection)
    .await?;
    Ok(counted.count)
}

/// Kinds of records, each of one workspace, whose counts are folded at once.
pub const FOLDED: usize = 500;

/// Puts one row in the place of several that are summed up for a count, for so many kinds as are
/// [`FOLDED`] at once; how many there were. What others add or fold meanwhile is counted all the same:
/// the sum is over the rows that this statement itself has removed.
pub async fn fold(connection: &mut AsyncPgConnection) -> Result<usize> {
    let statement = format!(
        "WITH many AS (SELECT workspace_id, kind FROM record_count_deltas \
                        GROUP BY workspace_id, kind HAVING count(*) > 1 LIMIT {FOLDED}), \
              folded AS (DELETE FROM record_count_deltas d USING many \
                          WHERE d.workspace_id = many.workspace_id AND d.kind = many.kind \
                      RETURNING d.workspace_id, d.kind, d.delta) \
         INSERT INTO record_count_deltas (workspace_id, kind, delta) \
         SELECT workspace_id, kind, sum(delta)::bigint FROM folded GROUP BY workspace_id, kind"
    );
    Ok(diesel::sql_query(statement).execute(connection).await?)
}
