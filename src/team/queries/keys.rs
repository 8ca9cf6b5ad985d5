//! The keys of requests that may be sent again, and what came of the first.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::{
    base::{
        Result,
        ids::{UserId, WorkspaceId},
    },
    db::schema::idempotency_keys,
};

/// Whether the key was free. Waits for a request under way that has claimed it.
pub async fn claim_key(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    key: &str,
    input: &[u8],
    now: DateTime<Utc>,
) -> Result<bool> {
    let claimed = diesel::insert_into(idempotency_keys::table)
        .values((
            idempotency_keys::workspace_id.eq(workspace),
            idempotency_keys::user_id.eq(user),
            idempotency_keys::key.eq(key),
            idempotency_keys::input_hash.eq(input),
            idempotency_keys::answer.eq(Value::Null),
            idempotency_keys::created_at.eq(now),
        ))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    Ok(claimed == 1)
}

pub async fn kept_outcome(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    key: &str,
) -> Result<Option<(Vec<u8>, Value)>> {
    Ok(idempotency_keys::table
        .find((workspace, user, key))
        .select((idempotency_keys::input_hash, idempotency_keys::answer))
        .first(connection)
        .await
        .optional()?)
}

pub async fn keep_outcome(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    key: &str,
    outcome: Value,
) -> Result<()> {
    diesel::update(idempotency_keys::table.find((workspace, user, key)))
        .set(idempotency_keys::answer.eq(outcome))
        .execute(connection)
        .await?;
    Ok(())
}

/// Deletes some of the keys from before then, of all workspaces; how many.
pub async fn purge(connection: &mut AsyncPgConnection, before: DateTime<Utc>, most: i64) -> Result<usize> {
    let delete = sql_query(
        "DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
             SELECT ctid FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2))",
    );
    Ok(delete.bind::<Timestamptz, _>(before).bind::<BigInt, _>(most).execute(connection).await?)
}
