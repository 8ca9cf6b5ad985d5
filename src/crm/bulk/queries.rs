//! The SQL of bulk changes: what was asked, what is still to be done, what could not be.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Bool, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value as Json;
use uuid::Uuid;

use super::model::{Asked, Bulk, BulkAction, Counts, Noted};
use crate::{
    base::{
        Error, Result,
        ids::{JobId, UserId, WorkspaceId},
        page::PageRequest,
    },
    crm::{
        RecordKind,
        criteria::{Bind, Criteria, Setting, Sql},
        record::{Sight, bulk::Failure},
    },
    db::schema::{bulk_changes, bulk_failures, members},
};

#[derive(Insertable)]
#[diesel(table_name = bulk_changes)]
pub struct NewRow {
    pub workspace_id: WorkspaceId,
    pub id: JobId,
    pub action: BulkAction,
    pub kinds: Vec<RecordKind>,
    pub work: Json,
    pub criteria: Option<Json>,
    pub matched: i64,
    pub total: Option<i64>,
    pub undoes: Option<JobId>,
    pub created_by: UserId,
    pub scopes: Option<Vec<&'static str>>,
    pub created_at: DateTime<Utc>,
}

pub async fn insert(connection: &mut AsyncPgConnection, row: &NewRow) -> Result<()> {
    diesel::insert_into(bulk_changes::table).values(row).execute(connection).await?;
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = bulk_changes)]
struct Row {
    id: JobId,
    action: BulkAction,
    kinds: Vec<RecordKind>,
    work: Json,
    criteria: Option<Json>,
    matched: i64,
    total: Option<i64>,
    succeeded: i64,
    failed: i64,
    skipped: i64,
    noted: i64,
    undoes: Option<JobId>,
    created_by: UserId,
    scopes: Option<Vec<String>>,
}

impl Row {
    fn read(self) -> Result<Bulk> {
        let asked: Asked = serde_json::from_value(self.work).map_err(Error::internal)?;
        Ok(Bulk {
            id: self.id,
            action: self.action,
            kinds: self.kinds,
            asked,
            criteria: self.criteria,
            matched: self.matched,
            total: self.total,
            counts: Counts { succeeded: self.succeeded, failed: self.failed, skipped: self.skipped },
            noted: self.noted,
            undoes: self.undoes,
            created_by: self.created_by,
            scopes: self.scopes,
        })
    }
}

pub async fn find(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: JobId) -> Result<Option<Bulk>> {
    let row = bulk_changes::table.find((workspace, id)).select(Row::as_select()).first(connection).await;
    row.optional()?.map(Row::read).transpose()
}

/// The same, with its row locked until the transaction ends.
pub async fn lock(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: JobId) -> Result<Option<Bulk>> {
    let row = bulk_changes::table.find((workspace, id)).select(Row::as_select()).for_no_key_update();
    row.first(connection).await.optional()?.map(Row::read).transpose()
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many of these records there are that can be seen and are live, or deleted.
pub async fn count_of(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    sight: Sight,
    ids: &[Uuid],
    are_deleted: bool,
) -> Result<i64> {
    let statement = format!(
        "SELECT count(*) AS count FROM {} WHERE workspace_id = $1 AND id = ANY($2) \
            AND (deleted_at IS NOT NULL) = $3{}",
        kind.table(),
        sight.condition()
    );
    let counted: Count = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Bool, _>(are_deleted)
        .get_result(connection)
        .await?;
    Ok(counted.count)
}

/// How many live records of a kind are this person's.
pub async fn count_owned(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    owner: UserId,
) -> Result<i64> {
    let statement = format!(
        "SELECT count(*) AS count FROM {} WHERE workspace_id = $1 AND owner_id = $2 AND deleted_at IS NULL",
        kind.table()
    );
    let counted = sql_query(statement).bind::<SqlUuid, _>(workspace).bind::<SqlUuid, _>(owner);
    Ok(counted.get_result::<Count>(connection).await?.count)
}

/// How many records a bulk change has changed.
pub async fn count_done(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: JobId) -> Result<i64> {
    let counted = sql_query("SELECT count(*) AS count FROM record_changes WHERE workspace_id = $1 AND batch = $2")
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(id);
    Ok(counted.get_result::<Count>(connection).await?.count)
}

/// Whether somebody is, or was, a user of the workspace.
pub async fn is_member(connection: &mut AsyncPgConnection, workspace: WorkspaceId, user: UserId) -> Result<bool> {
    Ok(diesel::select(diesel::dsl::exists(members::table.find((workspace, user)))).get_result(connection).await?)
}

/// Whether a bulk change is being taken back.
pub async fn is_being_undone(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: JobId) -> Result<bool> {
    let counted = sql_query(
        "SELECT count(*) AS count FROM bulk_changes b JOIN jobs j ON j.id = b.id AND j.workspace_id = $1 \
          WHERE b.workspace_id = $1 AND b.undoes = $2 AND j.state IN ('queued', 'running')",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(id);
    Ok(counted.get_result::<Count>(connection).await?.count > 0)
}

/// Puts these records among the targets.
pub async fn target(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: JobId,
    kind: RecordKind,
    records: &[Uuid],
) -> Result<()> {
    sql_query(
        "INSERT INTO bulk_targets (workspace_id, bulk_id, kind, record_id) SELECT $1, $2, $3, unnest($4) \
         ON CONFLICT DO NOTHING",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(kind)
    .bind::<Array<SqlUuid>, _>(records)
    .execute(connection)
    .await?;
    Ok(())
}

/// Puts the live records that match among the targets; how many, but no more than `most`. Under the
/// system role: see `criteria::sql`.
pub async fn target_matching(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: JobId,
    criteria: &Criteria,
    setting: &Setting,
    most: i64,
) -> Result<i64> {
    let kind = criteria.kind();
    let mut sql = Sql::new(workspace);
    sql.push("INSERT INTO bulk_targets (workspace_id, bulk_id, kind, record_id) SELECT $1, ");
    sql.bind(Bind::Uuid(id.0));
    sql.push(", ");
    sql.bind(Bind::Text(kind.as_str().to_owned()));
    sql.push(&format!(", r.id FROM {} r WHERE r.workspace_id = $1 AND r.deleted_at IS NULL AND ", kind.table()));
    sql.condition(criteria, "r", setting);
    sql.push(" LIMIT ");
    sql.bind(Bind::Int(most));
    signed(sql.query().execute(connection).await?)
}

/// Puts the live records of a kind that are this person's among the targets; how many, but no more
/// than `most`.
pub async fn target_owned(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: JobId,
    kind: RecordKind,
    owner: UserId,
    most: i64,
) -> Result<i64> {
    let statement = format!(
        "INSERT INTO bulk_targets (workspace_id, bulk_id, kind, record_id) \
         SELECT $1, $2, $3, id FROM {} WHERE workspace_id = $1 AND owner_id = $4 AND deleted_at IS NULL LIMIT $5",
        kind.table()
    );
    let targeted = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(id)
        .bind::<Text, _>(kind)
        .bind::<SqlUuid, _>(owner)
        .bind::<BigInt, _>(most)
        .execute(connection)
        .await?;
    signed(targeted)
}

/// Puts the records that another bulk change has changed among the targets; how many.
pub async fn target_done(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: JobId,
    of: JobId,
) -> Result<i64> {
    let targeted = sql_query(
        "INSERT INTO bulk_targets (workspace_id, bulk_id, kind, record_id) \
         SELECT $1, $2, kind, record_id FROM record_changes WHERE workspace_id = $1 AND batch = $3",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(of)
    .execute(connection)
    .await?;
    signed(targeted)
}

fn signed(count: usize) -> Result<i64> {
    i64::try_from(count).map_err(Error::internal)
}

/// Notes how many records there are to do: they are settled with that.
pub async fn settle(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: JobId, total: i64) -> Result<()> {
    let row = diesel::update(bulk_changes::table.find((workspace, id)));
    row.set(bulk_changes::total.eq(Some(total))).execute(connection).await?;
    Ok(())
}

#[derive(QueryableByName)]
struct Taken {
    #[diesel(sql_type = SqlUuid)]
    record_id: Uuid,
}

/// Takes the next targets of a kind away, behind this record, in the order of their ids.
pub async fn take(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: JobId,
    kind: RecordKind,
    after: Uuid,
    most: i64,
) -> Result<Vec<Uuid>> {
    let taken: Vec<Taken> = sql_query(
        "SELECT record_id FROM bulk_targets \
          WHERE workspace_id = $1 AND bulk_id = $2 AND kind = $3 AND record_id > $4 ORDER BY record_id LIMIT $5",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(kind)
    .bind::<SqlUuid, _>(after)
    .bind::<BigInt, _>(most)
    .load(connection)
    .await?;
    let Some(last) = taken.last() else { return Ok(Vec::new()) };
    // By their range: who holds the job is alone with them, and the planner, which has no statistics of
    // a table that fills and empties, must not choose how to join one set with another.
    sql_query(
        "DELETE FROM bulk_targets \
          WHERE workspace_id = $1 AND bulk_id = $2 AND kind = $3 AND record_id > $4 AND record_id <= $5",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(kind)
    .bind::<SqlUuid, _>(after)
    .bind::<SqlUuid, _>(last.record_id)
    .execute(connection)
    .await?;
    Ok(taken.into_iter().map(|taken| taken.record_id).collect())
}

/// Keeps failures, counting on from the number given.
pub async fn note(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: JobId,
    kind: RecordKind,
    noted: i64,
    failures: &[Failure],
) -> Result<()> {
    let of = |text: fn(&Failure) -> String| failures.iter().map(text).collect::<Vec<_>>();
    sql_query(
        "INSERT INTO bulk_failures (workspace_id, bulk_id, number, kind, record_id, code, field, message) \
         SELECT $1, $2, $3 + place, $4, record, code, field, message \
           FROM unnest($5, $6, $7, $8) WITH ORDINALITY AS f (record, code, field, message, place)",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(id)
    .bind::<BigInt, _>(noted)
    .bind::<Text, _>(kind)
    .bind::<Array<SqlUuid>, _>(failures.iter().map(|failure| failure.record).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(of(|failure| failure.code.to_owned()))
    .bind::<Array<Nullable<Text>>, _>(failures.iter().map(|failure| failure.field.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(of(|failure| failure.message.clone()))
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes how far it is: all counts so far.
pub async fn advance(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: JobId,
    counts: Counts,
    noted: i64,
) -> Result<()> {
    diesel::update(bulk_changes::table.find((workspace, id)))
        .set((
            bulk_changes::succeeded.eq(counts.succeeded),
            bulk_changes::failed.eq(counts.failed),
            bulk_changes::skipped.eq(counts.skipped),
            bulk_changes::noted.eq(noted),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// A page of what could not be done, in the order in which it was found.
pub async fn failures(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: JobId,
    page: &PageRequest<i64>,
) -> Result<Vec<Noted>> {
    let rows = bulk_failures::table
        .filter(bulk_failures::workspace_id.eq(workspace).and(bulk_failures::bulk_id.eq(id)))
        .filter(bulk_failures::number.gt(page.from.unwrap_or(0)))
        .order(bulk_failures::number)
        .limit(page.fetch())
        .select((
            bulk_failures::number,
            bulk_failures::kind,
            bulk_failures::record_id,
            bulk_failures::code,
            bulk_failures::field,
            bulk_failures::message,
        ))
        .load::<(i64, RecordKind, Uuid, String, Option<String>, String)>(connection)
        .await?;
    let noted = |(number, kind, record, code, field, message)| Noted { number, kind, record, code, field, message };
    Ok(rows.into_iter().map(noted).collect())
}

/// Removes a batch of what is left of bulk changes whose jobs are gone or will never go on; over all
/// workspaces. Whether there may be more.
pub async fn purge(connection: &mut AsyncPgConnection, most: i64) -> Result<bool> {
    let targets = sql_query(
        "DELETE FROM bulk_targets WHERE ctid = ANY (ARRAY( \
             SELECT t.ctid FROM bulk_targets t \
              WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.id = t.bulk_id AND j.state IN ('queued', 'running', 'failed')) \
              LIMIT $1))",
    )
    .bind::<BigInt, _>(most)
    .execute(connection)
    .await?;
    let changes = sql_query(
        "DELETE FROM bulk_changes WHERE ctid = ANY (ARRAY( \
             SELECT b.ctid FROM bulk_changes b WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.id = b.id) LIMIT $1))",
    )
    // each takes its failures with it
    .bind::<BigInt, _>(most / 100)
    .execute(connection)
    .await?;
    Ok(targets > 0 || changes > 0)
}
