//! The SQL that moves members of many lists at once. The caller holds the lists' rows.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName, sql_query,
    sql_types::{Array, Int8, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::super::model::Source;
use crate::base::{
    Result,
    ids::{ContactListId, WorkspaceId},
};

/// Who enters or leaves which lists: columns of the same length.
#[derive(Debug, Clone, Default)]
pub struct Moves {
    pub lists: Vec<ContactListId>,
    pub records: Vec<Uuid>,
    pub sources: Vec<Source>,
}

impl Moves {
    pub fn push(&mut self, list: ContactListId, record: Uuid, source: Source) {
        self.lists.push(list);
        self.records.push(record);
        self.sources.push(source);
    }

    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }
}

#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Moved {
    #[diesel(sql_type = SqlUuid)]
    pub list_id: ContactListId,
    #[diesel(sql_type = SqlUuid)]
    pub record_id: Uuid,
}

/// Makes live contacts members; those that were none.
pub async fn enter(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    moves: &Moves,
    at: DateTime<Utc>,
) -> Result<Vec<Moved>> {
    let moved = "INSERT INTO list_members AS m (workspace_id, list_id, record_id, entered_at, source) \
         SELECT $1, w.list_id, c.id, $5, w.source FROM wanted w \
           JOIN contacts c ON c.workspace_id = $1 AND c.id = w.record_id AND c.deleted_at IS NULL \
         ON CONFLICT (workspace_id, list_id, record_id) DO UPDATE SET is_suspended = false WHERE m.is_suspended \
         RETURNING m.list_id, m.record_id, true AS counts";
    run(connection, workspace, moves, at, moved, true).await
}

/// Removes members; those that were some.
pub async fn leave(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    moves: &Moves,
    at: DateTime<Utc>,
) -> Result<Vec<Moved>> {
    let moved = "DELETE FROM list_members m USING wanted w \
          WHERE m.workspace_id = $1 AND m.list_id = w.list_id AND m.record_id = w.record_id \
         RETURNING m.list_id, m.record_id, NOT m.is_suspended AS counts";
    run(connection, workspace, moves, at, moved, false).await
}

/// Also writes the log of who really came and went.
async fn run(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    moves: &Moves,
    at: DateTime<Utc>,
    moved: &str,
    entered: bool,
) -> Result<Vec<Moved>> {
    let statement = format!(
        "WITH wanted AS (SELECT * FROM unnest($2, $3, $4) AS w (list_id, record_id, source)), \
              moved AS ({moved}), \
              logged AS (INSERT INTO list_log (workspace_id, list_id, record_id, at, entered, source) \
                         SELECT $1, v.list_id, v.record_id, $5, {entered}, w.source FROM moved v \
                           JOIN wanted w ON w.list_id = v.list_id AND w.record_id = v.record_id WHERE v.counts) \
         SELECT list_id, record_id FROM moved WHERE counts ORDER BY list_id, record_id"
    );
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Array<SqlUuid>, _>(&moves.lists)
        .bind::<Array<SqlUuid>, _>(&moves.records)
        .bind::<Array<Text>, _>(&moves.sources)
        .bind::<Timestamptz, _>(at)
        .load(connection)
        .await?)
}

#[derive(QueryableByName)]
pub struct Count {
    #[diesel(sql_type = SqlUuid)]
    pub list_id: ContactListId,
    #[diesel(sql_type = Int8)]
    pub count: i64,
}

/// Moves each count by so many, and notes it as the size of this hour; the new counts.
pub async fn count(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    lists: &[ContactListId],
    more: &[i64],
    at: DateTime<Utc>,
) -> Result<Vec<Count>> {
    Ok(sql_query(
        "WITH moved AS (UPDATE contact_lists l SET member_count = l.member_count + w.more, \
                               counted_at = greatest(l.counted_at, $4) \
                          FROM unnest($2, $3) AS w (id, more) WHERE l.workspace_id = $1 AND l.id = w.id \
                         RETURNING l.id, l.member_count), \
              kept AS (INSERT INTO list_sizes (workspace_id, list_id, hour, size) \
                       SELECT $1, id, date_trunc('hour', $4, 'UTC'), member_count FROM moved \
                       ON CONFLICT (workspace_id, list_id, hour) DO UPDATE SET size = excluded.size) \
         SELECT id AS list_id, member_count AS count FROM moved ORDER BY id",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Array<SqlUuid>, _>(lists)
    .bind::<Array<Int8>, _>(more)
    .bind::<Timestamptz, _>(at)
    .load(connection)
    .await?)
}
