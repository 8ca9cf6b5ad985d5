//! SQL that is the same for all kinds: rows through diesel's types, by a macro; lists; and the
//! history (`queries::history`).

pub mod bulk;
pub mod counts;
pub mod deleted;
pub mod history;
pub mod related;
pub mod tags;

use diesel::{
    pg::Pg,
    prelude::*,
    query_builder::{BoxedSqlQuery, SqlQuery},
    sql_types::{Array, BigInt, Nullable, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{
    Field, FieldType, Sight, Value,
    keyset::{Places, keyset},
    order::{At, Numbered, Order, Sort, reads_descending},
    search::Search,
};
use crate::{
    base::{
        Result,
        ids::{UserId, WorkspaceId},
        page::PageRequest,
    },
    db::schema::members,
    team::UserStatus,
};

/// The `Record` methods that are SQL, for one table.
#[macro_export]
macro_rules! record_queries {
    ($name:ident, $table:ident) => {
        async fn insert_row(
            connection: &mut diesel_async::AsyncPgConnection,
            workspace: $crate::base::ids::WorkspaceId,
            row: &Self,
        ) -> $crate::base::Result<()> {
            use diesel::ExpressionMethods;
            use $crate::db::schema::$table;
            let insert = diesel::insert_into($table::table).values(($table::workspace_id.eq(workspace), row));
            diesel_async::RunQueryDsl::execute(insert, connection).await?;
            Ok(())
        }

        async fn update_row(
            connection: &mut diesel_async::AsyncPgConnection,
            workspace: $crate::base::ids::WorkspaceId,
            row: &Self,
        ) -> $crate::base::Result<()> {
            use diesel::{ExpressionMethods, QueryDsl};
            use $crate::db::schema::$table;
            let rows = $table::table.filter($table::workspace_id.eq(workspace)).filter($table::id.eq(row.id));
            diesel_async::RunQueryDsl::execute(diesel::update(rows).set(row), connection).await?;
            Ok(())
        }

        async fn lock_row(
            connection: &mut diesel_async::AsyncPgConnection,
            workspace: $crate::base::ids::WorkspaceId,
            id: uuid::Uuid,
        ) -> $crate::base::Result<Option<Self>> {
            use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper};
            use $crate::db::schema::$table;
            let row = $table::table
                .filter($table::workspace_id.eq(workspace))
                .filter($table::id.eq(id))
                .select(Self::as_select())
                // not FOR UPDATE, which would make everybody wait who links to this record
                .for_no_key_update();
            Ok(diesel_async::RunQueryDsl::first(row, connection).await.optional()?)
        }

        async fn lock_rows(
            connection: &mut diesel_async::AsyncPgConnection,
            workspace: $crate::base::ids::WorkspaceId,
            ids: &[uuid::Uuid],
        ) -> $crate::base::Result<Vec<Self>> {
            use diesel::{ExpressionMethods, QueryDsl, SelectableHelper};
            use $crate::db::schema::$table;
            let rows = $table::table
                .filter($table::workspace_id.eq(workspace))
                .filter($table::id.eq_any(ids))
                .order($table::id)
                .select(Self::as_select())
                .for_no_key_update();
            Ok(diesel_async::RunQueryDsl::load(rows, connection).await?)
        }

        async fn rows_by_ids(
            connection: &mut diesel_async::AsyncPgConnection,
            workspace: $crate::base::ids::WorkspaceId,
            ids: &[uuid::Uuid],
        ) -> $crate::base::Result<Vec<Self>> {
            use diesel::{ExpressionMethods, QueryDsl, SelectableHelper};
            use $crate::db::schema::$table;
            let rows = $table::table
                .filter($table::workspace_id.eq(workspace))
                .filter($table::deleted_at.is_null())
                .select(Self::as_select());
            let rows = match ids {
                // planned once, where a list would be planned anew each time: see `db::limit`
                [id] => diesel_async::RunQueryDsl::load(rows.filter($table::id.eq(id)), connection).await,
                ids => diesel_async::RunQueryDsl::load(rows.filter($table::id.eq_any(ids)), connection).await,
            };
            Ok(rows?)
        }

        async fn deleted_rows(
            connection: &mut diesel_async::AsyncPgConnection,
            workspace: $crate::base::ids::WorkspaceId,
            ids: &[uuid::Uuid],
        ) -> $crate::base::Result<Vec<Self>> {
            use diesel::{ExpressionMethods, QueryDsl, SelectableHelper};
            use $crate::db::schema::$table;
            let rows = $table::table
                .filter($table::workspace_id.eq(workspace))
                .filter($table::id.eq_any(ids))
                .filter($table::deleted_at.is_not_null())
                .select(Self::as_select());
            Ok(diesel_async::RunQueryDsl::load(rows, connection).await?)
        }

        async fn rows_by_age(
            connection: &mut diesel_async::AsyncPgConnection,
            workspace: $crate::base::ids::WorkspaceId,
            beyond: Option<uuid::Uuid>,
            backward: bool,
            limit: i64,
        ) -> $crate::base::Result<Vec<Self>> {
            use diesel::{ExpressionMethods, QueryDsl, SelectableHelper};
            use $crate::db::schema::$table;
            // ids only grow, so the extremes stand for "from the start"
            let rows = $table::table
                .filter($table::workspace_id.eq(workspace))
                .filter($table::deleted_at.is_null())
                .select(Self::as_select());
            let mut rows: Vec<Self> = if backward {
                let beyond = beyond.unwrap_or(uuid::Uuid::nil());
                let rows = rows.filter($table::id.gt(beyond)).order(($table::workspace_id.asc(), $table::id.asc()));
                diesel_async::RunQueryDsl::load($crate::db::limit::at_least(rows, limit), connection).await?
            } else {
                let beyond = beyond.unwrap_or(uuid::Uuid::max());
                let rows = rows.filter($table::id.lt(beyond)).order(($table::workspace_id.desc(), $table::id.desc()));
                diesel_async::RunQueryDsl::load($crate::db::limit::at_least(rows, limit), connection).await?
            };
            rows.truncate(limit.try_into().unwrap_or(0));
            Ok(rows)
        }
    };
}

#[derive(QueryableByName)]
struct FoundId {
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    id: Uuid,
    #[diesel(sql_type = Nullable<Text>)]
    value: Option<String>,
}

/// Ids in order beyond a cursor, one more than the page shows. Names of tables, columns and types
/// come from our own tables of fields; every value is bound.
pub async fn ordered_ids(
    connection: &mut AsyncPgConnection,
    table: &'static str,
    workspace: WorkspaceId,
    sight: Sight,
    search: Option<&Search>,
    order: Order,
    request: &PageRequest<At>,
) -> Result<Vec<At>> {
    let descending = reads_descending(order, request);
    let statement = match (order.field, search) {
        (None, Some(search)) if sight == Sight::All => {
            let (below, above) = if descending { ("$3", "NULL") } else { ("NULL", "coalesce($3, uuid_nil())") };
            let above = above.replace("uuid_nil()", "'00000000-0000-0000-0000-000000000000'::uuid");
            format!(
                "SELECT id, NULL::text AS value FROM {} AS id WHERE $1 IS NOT NULL AND $4::text IS NULL",
                search.ids(table, "$2", below, &above, "$5::int")
            )
        }
        (field, _) => ordered_statement(table, sight, field, descending, search, request.from.as_ref()),
    };
    let (value, id) = request.from.as_ref().map_or((None, None), |at| (at.value.clone(), Some(at.id)));
    let found: Vec<FoundId> = diesel::sql_query(statement)
        .bind::<diesel::sql_types::Uuid, _>(workspace)
        .bind::<Nullable<Array<Nullable<Text>>>, _>(search.map(Search::patterns))
        .bind::<Nullable<diesel::sql_types::Uuid>, _>(id)
        .bind::<Nullable<Text>, _>(value)
        .bind::<BigInt, _>(request.fetch())
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|found| At::new(table, order, found.value, found.id)).collect())
}

fn ordered_statement(
    table: &str,
    sight: Sight,
    sort: Option<Sort>,
    descending: bool,
    search: Option<&Search>,
    from: Option<&At>,
) -> String {
    // once for both runs
    let (with, search) = match search {
        Some(search) => {
            let with = format!("WITH found AS MATERIALIZED (SELECT {} AS id) ", found(table, search));
            (with, " AND r.id IN (TABLE found)")
        }
        None => (String::new(), ""),
    };
    // what is bound stands somewhere, whichever page it is
    let base = format!(
        "FROM {table} r WHERE r.workspace_id = $1 AND r.deleted_at IS NULL{search}{} \
         AND ($2::text[] IS NULL OR true) AND ($3::uuid IS NULL OR true) AND ($4::text IS NULL OR true)",
        sight.condition()
    );
    let places = Places { id: "$3", value: "$4", limit: "$5" };
    format!("{with}{}", keyset(&base, sort, descending, from, &places))
}

/// Which of these rows are live.
pub async fn live_ids(
    connection: &mut AsyncPgConnection,
    table: &'static str,
    workspace: WorkspaceId,
    ids: &[Uuid],
) -> Result<Vec<Uuid>> {
    live(connection, table, workspace, ids, "").await
}

/// The same, and that they do not become part of others by a merge before this transaction ends: what comes to
/// lead to them then follows them.
pub async fn hold_live_ids(
    connection: &mut AsyncPgConnection,
    table: &'static str,
    workspace: WorkspaceId,
    ids: &[Uuid],
) -> Result<Vec<Uuid>> {
    live(connection, table, workspace, ids, "ORDER BY id FOR KEY SHARE").await
}

async fn live(
    connection: &mut AsyncPgConnection,
    table: &'static str,
    workspace: WorkspaceId,
    ids: &[Uuid],
    hold: &'static str,
) -> Result<Vec<Uuid>> {
    let statement = format!(
        "SELECT id, NULL::text AS value FROM {table} \
          WHERE workspace_id = $1 AND id = ANY($2) AND deleted_at IS NULL {hold}"
    );
    let found: Vec<FoundId> = diesel::sql_query(statement)
        .bind::<diesel::sql_types::Uuid, _>(workspace)
        .bind::<Array<diesel::sql_types::Uuid>, _>(ids)
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|found| found.id).collect())
}

/// Which of these rows can be seen, deleted ones too.
pub async fn seen_ids(
    connection: &mut AsyncPgConnection,
    table: &'static str,
    workspace: WorkspaceId,
    sight: Sight,
    ids: &[Uuid],
) -> Result<Vec<Uuid>> {
    let statement = format!(
        "SELECT id, NULL::text AS value FROM {table} WHERE workspace_id = $1 AND id = ANY($2){}",
        sight.condition()
    );
    let found: Vec<FoundId> = diesel::sql_query(statement)
        .bind::<diesel::sql_types::Uuid, _>(workspace)
        .bind::<Array<diesel::sql_types::Uuid>, _>(ids)
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|found| found.id).collect())
}

/// Which of these are active users of the workspace.
pub async fn active_ids(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    users: &[Uuid],
) -> Result<Vec<Uuid>> {
    let statement = "SELECT user_id AS id, NULL::text AS value FROM members \
          WHERE workspace_id = $1 AND user_id = ANY($2) AND status = $3";
    let found: Vec<FoundId> = diesel::sql_query(statement)
        .bind::<diesel::sql_types::Uuid, _>(workspace)
        .bind::<Array<diesel::sql_types::Uuid>, _>(users)
        .bind::<Text, _>(UserStatus::Active)
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|found| found.id).collect())
}

/// Whether this is an active user of the workspace.
pub async fn is_active(connection: &mut AsyncPgConnection, workspace: WorkspaceId, user: Uuid) -> Result<bool> {
    let member = members::table.find((workspace, UserId(user))).filter(members::status.eq(UserStatus::Active));
    Ok(diesel::select(diesel::dsl::exists(member)).get_result(connection).await?)
}

/// Live records that are found; exact.
pub async fn count_found(
    connection: &mut AsyncPgConnection,
    table: &'static str,
    workspace: WorkspaceId,
    sight: Sight,
    search: &Search,
    filters: &[(&'static Field, Value)],
) -> Result<i64> {
    let statement = match filters {
        [] if sight == Sight::All => {
            format!("SELECT count(*) AS count FROM {} WHERE $1 IS NOT NULL", found(table, search))
        }
        _ => format!("SELECT count(*) AS count {}", matching(table, sight, Some(search), filters)),
    };
    let counted: Counted = bound(diesel::sql_query(statement).into_boxed(), workspace, Some(search), filters)
        .get_result(connection)
        .await?;
    Ok(counted.count)
}

/// Live records that match the filters; exact.
pub async fn count_matching(
    connection: &mut AsyncPgConnection,
    table: &'static str,
    workspace: WorkspaceId,
    sight: Sight,
    filters: &[(&'static Field, Value)],
) -> Result<i64> {
    let statement = format!("SELECT count(*) AS count {}", matching(table, sight, None, filters));
    let counted: Counted =
        bound(diesel::sql_query(statement).into_boxed(), workspace, None, filters).get_result(connection).await?;
    Ok(counted.count)
}

/// The ids of a numbered page. The offset walks an index where the order has one.
pub async fn numbered_ids(
    connection: &mut AsyncPgConnection,
    table: &'static str,
    workspace: WorkspaceId,
    sight: Sight,
    wanted: &Numbered,
) -> Result<Vec<Uuid>> {
    let statement = format!(
        "SELECT id, NULL::text AS value {} {}",
        matching(table, sight, None, &wanted.filters),
        numbered_part(wanted)
    );
    let found: Vec<FoundId> =
        bound(diesel::sql_query(statement).into_boxed(), workspace, None, &wanted.filters).load(connection).await?;
    Ok(found.into_iter().map(|found| found.id).collect())
}

/// The ids of a numbered page of what is found, and how many are found in all: `None` where the
/// page is empty. In one statement, for finding them is what costs.
pub async fn found_ids(
    connection: &mut AsyncPgConnection,
    table: &'static str,
    workspace: WorkspaceId,
    sight: Sight,
    search: &Search,
    wanted: &Numbered,
) -> Result<(Vec<Uuid>, Option<i64>)> {
    let statement = format!(
        "SELECT id, count(*) OVER () AS count {} {}",
        matching(table, sight, Some(search), &wanted.filters),
        numbered_part(wanted)
    );
    let query = bound(diesel::sql_query(statement).into_boxed(), workspace, Some(search), &wanted.filters);
    let found: Vec<CountedId> = query.load(connection).await?;
    let total = found.as_slice().first().map(|found| found.count);
    Ok((found.into_iter().map(|found| found.id).collect(), total))
}

fn numbered_part(wanted: &Numbered) -> String {
    let order = match wanted.sort {
        None => "workspace_id DESC, id DESC".to_owned(),
        Some((sort, true)) => format!("workspace_id DESC, {} DESC, id DESC", sort.column),
        Some((sort, false)) => format!("workspace_id, {}, id", sort.column),
    };
    format!("ORDER BY {order} LIMIT {} OFFSET {}", wanted.limit, wanted.offset())
}

#[derive(QueryableByName)]
struct CountedId {
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    id: Uuid,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// The ids of all records that are found, `$2` being the patterns.
fn found(table: &str, search: &Search) -> String {
    search.ids(table, "$2", "NULL", "NULL", "NULL")
}

/// `FROM ... WHERE ...` with `$1` the workspace, `$2` the patterns if there are some, then the values
/// of the filters that are not null.
fn matching(table: &str, sight: Sight, search: Option<&Search>, filters: &[(&'static Field, Value)]) -> String {
    let mut text = format!("FROM {table} WHERE workspace_id = $1 AND deleted_at IS NULL{}", sight.condition());
    let mut next = 2;
    if let Some(search) = search {
        text.push_str(&format!(" AND id IN (SELECT {})", found(table, search)));
        next += 1;
    }
    for (field, value) in filters {
        let column = field.column;
        let condition = match (value, field.field_type) {
            (Value::Null, FieldType::Tags) => format!("{column} = '{{}}'"),
            (Value::Null, _) => format!("{column} IS NULL"),
            (Value::Text(_), FieldType::Stage) => format!(
                "{column} IN (SELECT id FROM pipeline_stages WHERE workspace_id = $1 AND lower(name) = lower(${next}))"
            ),
            (Value::Texts(_), _) => format!("{column} @> string_to_array(${next}, chr(1))"),
            // to the millisecond: that is how finely the faces that filter by equality print it
            (Value::Time(_), _) => {
                format!("date_trunc('milliseconds', {column}) = date_trunc('milliseconds', ${next}::text::timestamptz)")
            }
            _ => format!("{column} = ${next}::text::{}", field.sql_type()),
        };
        text.push_str(&format!(" AND {condition}"));
        next += i32::from(!value.is_null());
    }
    text
}

fn bound<'q>(
    query: BoxedSqlQuery<'q, Pg, SqlQuery>,
    workspace: WorkspaceId,
    search: Option<&Search>,
    filters: &[(&'static Field, Value)],
) -> BoxedSqlQuery<'q, Pg, SqlQuery> {
    let mut query = query.bind::<diesel::sql_types::Uuid, _>(workspace);
    if let Some(search) = search {
        query = query.bind::<Array<Nullable<Text>>, _>(search.patterns().to_vec());
    }
    for (_, value) in filters {
        query = match value {
            Value::Null => query,
            Value::Texts(tags) => query.bind::<Text, _>(tags.join("\u{1}")),
            single => query.bind::<Text, _>(single.to_text().unwrap_or_default()),
        };
    }
    query
}
