//! Users as members of a workspace: pages of them, one of them, their profiles.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::super::model::User;
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
