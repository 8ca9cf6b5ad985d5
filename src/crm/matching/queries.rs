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
            search::Search,
            select::{At, Order, Places, keyset, reads_descending},
        },
    },
};

/// Which records.
pub struct Wanted<'a> {
    pub criteria: &'a Criteria,
    pub setting: &'a Setting,
    pub sight: Sight,
    pub search: Option<Sought>,
}

/// A search with the companies that it means.
#[derive(Debug)]
pub struct Sought {
    search: Search,
    /// Whose contacts are found; none where there are too many to be told one by one.
    companies: Option<Vec<Uuid>>,
}

/// Most companies that are told one by one. As in the function `find_record_ids`.
const FEW: usize = 1_000;

/// The companies `a` that a pattern means.
fn companies(pattern: &str) -> String {
    format!(
        "FROM accounts a WHERE a.workspace_id = $1 AND a.deleted_at IS NULL AND a.search_text LIKE lower({pattern}) \
            AND lower(a.name) LIKE lower({pattern})"
    )
}

/// Looks up the companies that a search means.
pub async fn sought(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    search: Option<Search>,
) -> Result<Option<Sought>> {
    let Some(search) = search else { return Ok(None) };
    let Some(pattern) = search.company() else { return Ok(Some(Sought { search, companies: Some(Vec::new()) })) };
    let found: Vec<IdRow> = sql_query(format!("SELECT a.id {} LIMIT {}", companies("$2"), FEW + 1))
        .bind::<SqlUuid, _>(workspace)
        .bind::<Text, _>(pattern)
        .load(connection)
        .await?;
    let companies = (found.len() <= FEW).then(|| found.into_iter().map(|row| row.id).collect());
    Ok(Some(Sought { search, companies }))
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
        let search = self.search.as_ref().map(|sought| format!(" AND {}", sought.hold(sql))).unwrap_or_default();
        let (table, sight) = (R::TABLE, self.sight.condition());
        format!("FROM {table} r WHERE r.workspace_id = $1 AND r.deleted_at IS NULL{sight}{search} AND {condition}")
    }
}

impl Sought {
    /// That the record `r` is found.
    fn hold(&self, sql: &mut Sql) -> String {
        let mut ways = Vec::new();
        let mut hold = |pattern: &str| sql.hold(Bind::Text(pattern.to_owned()));
        ways.extend(self.search.text().map(&mut hold).map(|pattern| format!("r.search_text LIKE lower({pattern})")));
        ways.extend(self.search.phone().map(&mut hold).map(|pattern| format!("r.search_text LIKE {pattern}")));
        let company = self.search.company().map(&mut hold);
        match (&self.companies, company) {
            (Some(ids), _) if ids.is_empty() => {}
            (Some(ids), _) => ways.push(format!("r.account_id = ANY({})", sql.hold(Bind::Uuids(ids.clone())))),
            (None, Some(pattern)) => ways.push(format!("r.account_id IN (SELECT a.id {})", companies(&pattern))),
            (None, None) => {}
        }
        format!("({})", ways.join(" OR "))
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
    let mut sql = Sql::of_others(workspace);
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
