//! Running the statements of a batch, in its transaction.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Int4, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use uuid::Uuid;

use crate::{
    auth::{Actor, Via},
    base::{
        Error, Result,
        ids::{JobId, UserId, WorkspaceId},
    },
    crm::RecordKind,
};

/// Settings of a batch's transaction. Staged rows find their records by index, one by one: the
/// planner has no statistics of a staging table and might read all records instead. And more rows
/// than usual may wait for the search index: see the migration `search_pending`.
pub async fn set_up(connection: &mut AsyncPgConnection) -> Result<()> {
    let settings =
        "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL gin_pending_list_limit = '4MB'";
    Ok(connection.batch_execute(settings).await?)
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// A staged row that has a live record.
#[derive(QueryableByName)]
pub struct Matched {
    #[diesel(sql_type = BigInt)]
    pub number: i64,
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// The record's, if the row changed it.
    #[diesel(sql_type = Int4)]
    pub version: i32,
    /// The columns that the row changed.
    #[diesel(sql_type = Array<Text>)]
    pub changed: Vec<String>,
}

/// Which rows of the staging table a statement is about.
#[derive(Clone, Copy)]
pub struct Which<'a> {
    pub workspace: WorkspaceId,
    /// All when `None`.
    pub wave: Option<i32>,
    pub left_out: &'a [i64],
}

/// Who changes the records, and when.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    pub kind: RecordKind,
    pub user: UserId,
    pub job: JobId,
    pub actor: &'a Actor,
    pub origin: Via,
    pub at: DateTime<Utc>,
}

pub async fn count(connection: &mut AsyncPgConnection, statement: &str) -> Result<i64> {
    Ok(sql_query(statement).get_result::<Count>(connection).await?.count)
}

pub async fn dangling(connection: &mut AsyncPgConnection, statement: &str, workspace: WorkspaceId) -> Result<Vec<i64>> {
    let rows: Vec<Number> = sql_query(statement).bind::<SqlUuid, _>(workspace).load(connection).await?;
    Ok(rows.into_iter().map(|row| row.number).collect())
}

pub async fn matching(
    connection: &mut AsyncPgConnection,
    statement: &str,
    workspace: WorkspaceId,
    rows: &[i64],
) -> Result<Vec<i64>> {
    let query = sql_query(statement).bind::<SqlUuid, _>(workspace).bind::<Array<BigInt>, _>(rows);
    let rows: Vec<Number> = query.load(connection).await?;
    Ok(rows.into_iter().map(|row| row.number).collect())
}

pub async fn lock(connection: &mut AsyncPgConnection, statement: &str, which: Which<'_>) -> Result<()> {
    sql_query(statement)
        .bind::<SqlUuid, _>(which.workspace)
        .bind::<Nullable<Int4>, _>(which.wave)
        .bind::<Array<BigInt>, _>(which.left_out)
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn update(
    connection: &mut AsyncPgConnection,
    statement: &str,
    which: Which<'_>,
    change: Change<'_>,
) -> Result<Vec<Matched>> {
    let actor = serde_json::to_value(change.actor).map_err(Error::internal)?;
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(which.workspace)
        .bind::<Nullable<Int4>, _>(which.wave)
        .bind::<Array<BigInt>, _>(which.left_out)
        .bind::<Text, _>(change.kind)
        .bind::<Timestamptz, _>(change.at)
        .bind::<Jsonb, _>(actor)
        .bind::<Text, _>(change.origin.as_str())
        .load(connection)
        .await?)
}

pub async fn insert(
    connection: &mut AsyncPgConnection,
    statement: &str,
    which: Which<'_>,
    change: Change<'_>,
) -> Result<Vec<Uuid>> {
    let rows: Vec<Id> = sql_query(statement)
        .bind::<SqlUuid, _>(which.workspace)
        .bind::<Nullable<Int4>, _>(which.wave)
        .bind::<Array<BigInt>, _>(which.left_out)
        .bind::<SqlUuid, _>(change.user)
        .bind::<Timestamptz, _>(change.at)
        .bind::<SqlUuid, _>(change.job)
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
