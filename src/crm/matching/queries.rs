//! The SQL of asking by criteria: pages in an order, counts, and records as they were.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{
    base::{
        Result,
        ids::{UserId, WorkspaceId},
        page::PageRequest,
    },
    crm::{
        criteria::{Bind, Criteria, LIST_SEEN, Setting, Sql},
        record::{
            Record, Sight,
            select::{At, Order, Places, keyset, reads_descending},
        },
    },
};

/// Which records.
pub struct Wanted<'a> {
    pub criteria: &'a Criteria,
    pub setting: &'a Setting,
    pub sight: Sight,
    /// Of LIKE, over their search text.
    pub pattern: Option<&'a str>,
}

#[derive(QueryableByName)]
struct FoundRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Nullable<Text>)]
    value: Option<String>,
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

impl Wanted<'_> {
    /// `FROM ... WHERE ...` of the live ones, as `r`.
    fn base<R: Record>(&self, sql: &mut Sql) -> String {
        let condition = sql.hold_condition(self.criteria, "r", self.setting);
        let search = self.pattern.map(|pattern| sql.hold(Bind::Text(pattern.to_owned())));
        let search = search.map(|pattern| format!(" AND r.search_text LIKE lower({pattern})")).unwrap_or_default();
        let (table, sight) = (R::TABLE, self.sight.condition());
        format!("FROM {table} r WHERE r.workspace_id = $1 AND r.deleted_at IS NULL{sight}{search} AND {condition}")
    }
}

/// The ids of a page beyond a cursor, one more than it shows.
pub async fn page<R: Record>(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    wanted: &Wanted<'_>,
    order: Order,
    request: &PageRequest<At>,
) -> Result<Vec<At>> {
    let mut sql = Sql::new(workspace);
    let base = wanted.base::<R>(&mut sql);
    let from = request.from.as_ref();
    let id = from.map(|at| sql.hold(Bind::Uuid(at.id))).unwrap_or_default();
    let value = from.and_then(|at| at.value.clone()).map(|value| sql.hold(Bind::Text(value))).unwrap_or_default();
    let limit = sql.hold(Bind::Int(request.fetch()));
    let places = Places { id: &id, value: &value, limit: &limit };
    sql.push(&keyset(&base, order.field, reads_descending(order, request), from, &places));
    let rows: Vec<FoundRow> = sql.query().load(connection).await?;
    Ok(rows.into_iter().map(|row| At::new(R::TABLE, order, row.value, row.id)).collect())
}

pub async fn count<R: Record>(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    wanted: &Wanted<'_>,
) -> Result<i64> {
    let mut sql = Sql::new(workspace);
    let base = wanted.base::<R>(&mut sql);
    sql.push(&format!("SELECT count(*) AS count {base}"));
    Ok(sql.query().get_result::<CountRow>(connection).await?.count)
}

/// Which of these records, deleted ones too, the criteria meant before they came to these versions. The
/// fields that have changed since then have the values that the first change found.
pub async fn former(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    criteria: &Criteria,
    setting: &Setting,
    records: &[(Uuid, i32)],
) -> Result<Vec<Uuid>> {
    let mut sql = Sql::new(workspace);
    let (ids, versions) = records.iter().copied().unzip();
    let (ids, versions) = (sql.hold(Bind::Uuids(ids)), sql.hold(Bind::Ints(versions)));
    let (table, kind) = (criteria.kind().table(), criteria.kind().as_str());
    sql.push(&format!(
        "SELECT r.id FROM unnest({ids}, {versions}) AS w (id, version) \
           JOIN {table} c ON c.workspace_id = $1 AND c.id = w.id \
          CROSS JOIN LATERAL ( \
             SELECT coalesce(jsonb_object_agg(f.key, f.value) FILTER (WHERE NOT starts_with(f.key, 'custom.')), '{{}}') \
                        AS fields, \
                    coalesce(jsonb_object_agg(substr(f.key, 8), f.value) FILTER (WHERE starts_with(f.key, 'custom.')), \
                             '{{}}') AS custom \
               FROM (SELECT DISTINCT ON (k.key) k.key, coalesce(h.before -> k.key, 'null') AS value \
                       FROM record_changes h CROSS JOIN jsonb_object_keys(h.after) AS k (key) \
                      WHERE h.workspace_id = $1 AND h.kind = '{kind}' AND h.record_id = w.id AND h.version >= w.version \
                      ORDER BY k.key, h.version) AS f) AS o \
          CROSS JOIN LATERAL jsonb_populate_record(c, o.fields || jsonb_build_object( \
             'custom_fields', jsonb_strip_nulls(c.custom_fields || o.custom))) AS r \
          WHERE r.workspace_id = $1 AND "
    ));
    sql.condition(criteria, "r", setting);
    let rows: Vec<IdRow> = sql.query().load(connection).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Which of these lists this user sees.
pub async fn seen_lists(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    lists: &[Uuid],
) -> Result<Vec<Uuid>> {
    let statement = format!(
        "SELECT l.id FROM contact_lists l WHERE l.workspace_id = $1 AND l.id = ANY($3) AND l.deleted_at IS NULL \
            AND {LIST_SEEN}"
    );
    let rows: Vec<IdRow> = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(user)
        .bind::<Array<SqlUuid>, _>(lists)
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
