//! The SQL of reminders that are due. Which tasks these are is asked over all workspaces; what is
//! written stays within one.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::{
    Result,
    ids::{TaskId, UserId, WorkspaceId},
};

/// As `tasks_reminder_idx` has it, with `$1` the present time. Only tasks at which nobody writes this
/// very moment: the others are found at the next look.
const DUE: &str = "reminder <= $1 AND reminder IS NOT NULL AND deleted_at IS NULL \
     AND status IN ('pending', 'in_progress') AND reminder IS DISTINCT FROM reminded_at";

#[derive(QueryableByName)]
struct InWorkspace {
    #[diesel(sql_type = SqlUuid)]
    workspace_id: WorkspaceId,
}

/// The workspace whose reminder has been due for longest. Names none, for it looks for one.
pub async fn workspace_with_due(connection: &mut AsyncPgConnection, now: DateTime<Utc>) -> Result<Option<WorkspaceId>> {
    let statement =
        format!("SELECT workspace_id FROM tasks WHERE {DUE} ORDER BY reminder LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED");
    let found: Vec<InWorkspace> = sql_query(statement).bind::<Timestamptz, _>(now).load(connection).await?;
    Ok(found.into_iter().next().map(|found| found.workspace_id))
}

/// A task whose reminder is given now.
#[derive(Debug, Clone, QueryableByName)]
pub struct Given {
    #[diesel(sql_type = SqlUuid)]
    pub id: TaskId,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub owner_id: Option<UserId>,
    #[diesel(sql_type = Timestamptz)]
    pub reminder: DateTime<Utc>,
}

/// Notes of so many due tasks of a workspace that their reminder is given.
pub async fn give_due(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    now: DateTime<Utc>,
    at_most: i64,
) -> Result<Vec<Given>> {
    let statement = format!(
        // materialized: within a join it would be run again for each row, and each time find others
        "WITH due AS MATERIALIZED ( \
              SELECT id FROM tasks WHERE workspace_id = $2 AND {DUE} ORDER BY reminder LIMIT $3 \
                 FOR NO KEY UPDATE SKIP LOCKED) \
         UPDATE tasks SET reminded_at = reminder FROM due \
          WHERE tasks.workspace_id = $2 AND tasks.id = due.id \
          RETURNING tasks.id, tasks.owner_id, tasks.reminder"
    );
    let given =
        sql_query(statement).bind::<Timestamptz, _>(now).bind::<SqlUuid, _>(workspace).bind::<BigInt, _>(at_most);
    Ok(given.load(connection).await?)
}
