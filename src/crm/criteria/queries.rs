//! The statements that criteria need for themselves, as methods of what they are about. Under the
//! system role: see `sql`. How long one may take is the transaction's matter.

use diesel::{
    QueryableByName,
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    check::Criteria,
    fields::{CustomField, Known},
    sql::{Bind, Sql},
    when::Setting,
};
use crate::{
    base::{Result, ids::WorkspaceId},
    crm::RecordKind,
};

#[derive(QueryableByName)]
struct DefinitionRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    kind: RecordKind,
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = Text)]
    label: String,
    #[diesel(sql_type = Text)]
    field_type: String,
    #[diesel(sql_type = Array<Text>)]
    choices: Vec<String>,
    #[diesel(sql_type = Nullable<Text>)]
    record_kind: Option<RecordKind>,
    #[diesel(sql_type = Bool)]
    is_indexed: bool,
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// What each leaf says of one record, in the order of the tree.
#[derive(QueryableByName)]
pub(super) struct SeenRow {
    #[diesel(sql_type = Array<Bool>)]
    pub passed: Vec<bool>,
    #[diesel(sql_type = Array<Nullable<Jsonb>>)]
    pub seen: Vec<Option<Json>>,
}

/// What one record's own row says.
#[derive(QueryableByName)]
pub(super) struct OwnRow {
    #[diesel(sql_type = BigInt)]
    pub place: i64,
    #[diesel(sql_type = Bool)]
    pub is_live: bool,
    #[diesel(sql_type = Array<Bool>)]
    pub answers: Vec<bool>,
    #[diesel(sql_type = Array<SqlUuid>)]
    pub held: Vec<Uuid>,
}

/// A question that holds of a record, by their places.
#[derive(QueryableByName)]
pub(super) struct OtherRow {
    #[diesel(sql_type = Integer)]
    pub question: i32,
    #[diesel(sql_type = Integer)]
    pub place: i32,
}

impl Known {
    /// The custom fields of a workspace; those of a type that criteria do not know are left out.
    pub async fn load(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<Self> {
        let rows: Vec<DefinitionRow> = sql_query(
            "SELECT id, kind, key, label, field_type, choices, record_kind, \
                    (is_indexed OR is_unique) AND filling_job_id IS NULL AS is_indexed \
               FROM custom_fields WHERE workspace_id = $1 ORDER BY kind, position, id",
        )
        .bind::<SqlUuid, _>(workspace)
        .load(connection)
        .await?;
        let field = |row: DefinitionRow| {
            Some(CustomField {
                id: row.id,
                kind: row.kind,
                key: row.key,
                label: row.label,
                asked: CustomField::asked(&row.field_type, row.choices, row.record_kind)?,
                is_indexed: row.is_indexed,
            })
        };
        Ok(Self::new(rows.into_iter().filter_map(field).collect()))
    }
}

impl Criteria {
    /// How many live records match; exact.
    pub async fn count(
        &self,
        connection: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        setting: &Setting,
    ) -> Result<i64> {
        let mut sql = Sql::new(workspace);
        sql.push("SELECT count(*) AS count ");
        self.push_matching(&mut sql, setting);
        Ok(sql.query().get_result::<CountRow>(connection).await?.count)
    }

    /// The ids of live records that match, the newest first, older than the given one.
    pub async fn ids(
        &self,
        connection: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        setting: &Setting,
        below: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Uuid>> {
        let mut sql = Sql::new(workspace);
        sql.push("SELECT r.id ");
        self.push_matching(&mut sql, setting);
        if let Some(below) = below {
            sql.push(" AND r.id < ");
            sql.bind(Bind::Uuid(below));
        }
        sql.push(" ORDER BY r.workspace_id DESC, r.id DESC LIMIT ");
        sql.bind(Bind::Int(limit));
        let rows: Vec<IdRow> = sql.query().load(connection).await?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    /// The ids of live records that match, behind the first id and up to the second, in their order.
    pub async fn ids_between(
        &self,
        connection: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        setting: &Setting,
        (from, to): (Uuid, Uuid),
    ) -> Result<Vec<Uuid>> {
        // these are few: an index would find all that match, anew for each range
        let mut sql = Sql::of_others(workspace);
        sql.push("SELECT r.id ");
        self.push_matching(&mut sql, setting);
        sql.push(" AND r.id > ");
        sql.bind(Bind::Uuid(from));
        sql.push(" AND r.id <= ");
        sql.bind(Bind::Uuid(to));
        sql.push(" ORDER BY r.id");
        found(connection, &sql).await
    }

    /// Which of these are live and match, in no order.
    pub async fn matching(
        &self,
        connection: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        setting: &Setting,
        ids: &[Uuid],
    ) -> Result<Vec<Uuid>> {
        let mut sql = Sql::of_others(workspace);
        sql.push("SELECT r.id ");
        self.push_matching(&mut sql, setting);
        sql.push(" AND r.id = ANY(");
        sql.bind(Bind::Uuids(ids.to_vec()));
        sql.push(")");
        let rows: Vec<IdRow> = sql.query().load(connection).await?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    /// `FROM ... WHERE ...` of the live records that match, as `r`.
    fn push_matching(&self, sql: &mut Sql, setting: &Setting) {
        sql.push(&format!("FROM {} r WHERE r.workspace_id = $1 AND r.deleted_at IS NULL AND ", self.kind().table()));
        sql.condition(self, "r", setting);
    }
}

/// The one row that an explaining statement finds; none where there is no such record.
pub(super) async fn seen(connection: &mut AsyncPgConnection, sql: &Sql) -> Result<Option<SeenRow>> {
    Ok(sql.query().get_result(connection).await.optional()?)
}

/// The ids that a statement finds in its column `id`.
pub(super) async fn found(connection: &mut AsyncPgConnection, sql: &Sql) -> Result<Vec<Uuid>> {
    let rows: Vec<IdRow> = sql.query().load(connection).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

pub(super) async fn own(connection: &mut AsyncPgConnection, sql: &Sql) -> Result<Vec<OwnRow>> {
    Ok(sql.query().load(connection).await?)
}

pub(super) async fn others(connection: &mut AsyncPgConnection, sql: &Sql) -> Result<Vec<OtherRow>> {
    Ok(sql.query().load(connection).await?)
}

impl Criteria {
    /// The live records that a change can concern: see [`Criteria::reached`].
    pub async fn reached_ids(
        &self,
        connection: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        changed: &super::reads::Changed<'_>,
        ids: &[Uuid],
    ) -> Result<Vec<Uuid>> {
        let mut sql = Sql::new(workspace);
        sql.push(&format!("SELECT r.id FROM {} r WHERE r.workspace_id = $1 AND ", self.kind().table()));
        if self.reached(&mut sql, "r", changed, ids) { found(connection, &sql).await } else { Ok(Vec::new()) }
    }

    /// The records whose answer can have moved with the clock: see [`Criteria::flips`].
    pub async fn flipped_ids(
        &self,
        connection: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        from: &Setting,
        to: &Setting,
    ) -> Result<Vec<Uuid>> {
        let mut sql = Sql::new(workspace);
        sql.push(&format!("SELECT r.id FROM {} r WHERE r.workspace_id = $1 AND ", self.kind().table()));
        if self.flips(&mut sql, "r", from, to) { found(connection, &sql).await } else { Ok(Vec::new()) }
    }
}
