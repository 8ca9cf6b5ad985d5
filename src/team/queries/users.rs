//! Users as members of a workspace: pages of them, one of them, their profiles.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{BigInt, Bool, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::super::model::{PeopleFilter, PersonPlace, User};
use crate::{
    base::{
        Result,
        ids::{UserId, WorkspaceId},
        page::PageRequest,
    },
    db::schema::{members, users},
    newest_first,
};

type UserColumns = (
    users::id,
    users::email,
    users::full_name,
    members::role,
    members::status,
    users::phone,
    users::department,
    users::avatar_url,
    users::preferences,
    users::last_login_at,
    users::created_at,
    users::updated_at,
);

const USER_COLUMNS: UserColumns = (
    users::id,
    users::email,
    users::full_name,
    members::role,
    members::status,
    users::phone,
    users::department,
    users::avatar_url,
    users::preferences,
    users::last_login_at,
    users::created_at,
    users::updated_at,
);

#[derive(Insertable)]
#[diesel(table_name = users)]
pub struct NewUser {
    pub id: UserId,
    pub email: String,
    pub full_name: String,
    pub password_hash: Option<String>,
    pub phone: Option<String>,
    pub department: Option<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(AsChangeset, Default, PartialEq)]
#[diesel(table_name = users)]
pub struct UserChanges {
    pub full_name: Option<String>,
    pub phone: Option<Option<String>>,
    pub department: Option<Option<String>>,
    pub avatar_url: Option<Option<String>>,
    pub preferences: Option<Value>,
}

pub async fn insert_user(connection: &mut AsyncPgConnection, user: &NewUser) -> Result<()> {
    diesel::insert_into(users::table).values(user).execute(connection).await?;
    Ok(())
}

pub async fn user(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: UserId) -> Result<Option<User>> {
    Ok(users::table
        .inner_join(members::table)
        .filter(members::workspace_id.eq(workspace))
        .filter(users::id.eq(id))
        .select(USER_COLUMNS)
        .first(connection)
        .await
        .optional()?)
}

pub async fn users_by_ids(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    ids: &[UserId],
) -> Result<Vec<User>> {
    Ok(users::table
        .inner_join(members::table)
        .filter(members::workspace_id.eq(workspace))
        .filter(users::id.eq_any(ids))
        .select(USER_COLUMNS)
        .load(connection)
        .await?)
}

pub async fn user_page(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    only: Option<UserId>,
    page: &PageRequest<UserId>,
) -> Result<Vec<User>> {
    let mut query = users::table
        .inner_join(members::table)
        .filter(members::workspace_id.eq(workspace))
        .select(USER_COLUMNS)
        .limit(page.fetch())
        .into_boxed();
    if let Some(only) = only {
        query = query.filter(users::id.eq(only));
    }
    Ok(newest_first!(query, page, users::id).load(connection).await?)
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = SqlUuid)]
    id: UserId,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// People `u` of the workspace `$1` as a filter wants them: `$2` the pattern, `$3` whether they are active.
const WANTED: &str = "FROM members m JOIN users u ON u.id = m.user_id WHERE m.workspace_id = $1 \
     AND ($2 IS NULL OR u.full_name ILIKE $2 OR u.email ILIKE $2) AND ($3 IS NULL OR (m.status = 'active') = $3)";

/// By name; one more than the page shows. The filter's search is a pattern.
pub async fn people(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    filter: &PeopleFilter,
    page: &PageRequest<PersonPlace>,
) -> Result<Vec<User>> {
    let (beyond, way) = if page.is_backward() { ("<", "DESC") } else { (">", "ASC") };
    let statement = format!(
        "SELECT u.id {WANTED} AND ($4 IS NULL OR (u.full_name, u.id) {beyond} ($4, $5)) \
          ORDER BY u.full_name {way}, u.id {way} LIMIT $6"
    );
    let found: Vec<Found> = diesel::sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Nullable<Text>, _>(filter.search.as_deref())
        .bind::<Nullable<Bool>, _>(filter.active)
        .bind::<Nullable<Text>, _>(page.from.as_ref().map(|place| place.0.as_str()))
        .bind::<Nullable<SqlUuid>, _>(page.from.as_ref().map(|place| place.1))
        .bind::<BigInt, _>(page.fetch())
        .load(connection)
        .await?;
    let ids: Vec<_> = found.iter().map(|found| found.id).collect();
    let users = users_by_ids(connection, workspace, &ids).await?;
    let mut users: HashMap<_, _> = users.into_iter().map(|user| (user.id, user)).collect();
    Ok(ids.iter().filter_map(|id| users.remove(id)).collect())
}

pub async fn count_people(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    filter: &PeopleFilter,
) -> Result<i64> {
    let counted: Counted = diesel::sql_query(format!("SELECT count(*) AS count {WANTED}"))
        .bind::<SqlUuid, _>(workspace)
        .bind::<Nullable<Text>, _>(filter.search.as_deref())
        .bind::<Nullable<Bool>, _>(filter.active)
        .get_result(connection)
        .await?;
    Ok(counted.count)
}

pub async fn count_users(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<i64> {
    Ok(members::table.filter(members::workspace_id.eq(workspace)).count().get_result(connection).await?)
}

pub async fn numbered_users(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    offset: i64,
    limit: i64,
) -> Result<(Vec<User>, i64)> {
    let total = count_users(connection, workspace).await?;
    let rows = users::table
        .inner_join(members::table)
        .filter(members::workspace_id.eq(workspace))
        .order(users::id.desc())
        .offset(offset)
        .limit(limit)
        .select(USER_COLUMNS)
        .load(connection)
        .await?;
    Ok((rows, total))
}

pub async fn update_user(
    connection: &mut AsyncPgConnection,
    id: UserId,
    changes: &UserChanges,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(users::table.find(id)).set((changes, users::updated_at.eq(now))).execute(connection).await?;
    Ok(())
}

/// Where to write to a person, and their name.
pub async fn address(connection: &mut AsyncPgConnection, user: UserId) -> Result<Option<(String, String)>> {
    Ok(users::table.find(user).select((users::email, users::full_name)).first(connection).await.optional()?)
}

pub async fn note_login(connection: &mut AsyncPgConnection, user: UserId, now: DateTime<Utc>) -> Result<()> {
    diesel::update(users::table.find(user)).set(users::last_login_at.eq(now)).execute(connection).await?;
    Ok(())
}
