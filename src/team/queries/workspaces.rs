//! Workspaces.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::super::model::{UserStatus, Weekday, Workspace};
use crate::{
    base::{
        Error, Result,
        ids::{UserId, WorkspaceId},
    },
    db::schema::{members, workspaces},
};

#[derive(AsChangeset)]
#[diesel(table_name = workspaces)]
pub struct WorkspaceChanges {
    pub name: Option<String>,
    pub time_zone: Option<String>,
    pub week_start: Option<Weekday>,
}

pub async fn insert_workspace(
    connection: &mut AsyncPgConnection,
    id: WorkspaceId,
    name: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::insert_into(workspaces::table)
        .values((workspaces::id.eq(id), workspaces::name.eq(name), workspaces::created_at.eq(now)))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn workspace(connection: &mut AsyncPgConnection, id: WorkspaceId) -> Result<Workspace> {
    let found = workspaces::table.find(id).select(Workspace::as_select()).first(connection).await.optional()?;
    found.ok_or(Error::NotFound("Workspace"))
}

pub async fn workspaces_of(connection: &mut AsyncPgConnection, user: UserId) -> Result<Vec<Workspace>> {
    Ok(workspaces::table
        .inner_join(members::table)
        .filter(members::user_id.eq(user))
        .filter(members::status.eq(UserStatus::Active))
        .order((workspaces::name, workspaces::id))
        .limit(500)
        .select(Workspace::as_select())
        .load(connection)
        .await?)
}

/// Whether PostgreSQL has the rules of this time zone: its names are not all that there are, and are asked by
/// whatever counts days in it.
pub async fn knows_time_zone(connection: &mut AsyncPgConnection, name: &str) -> Result<bool> {
    let known: Known = diesel::sql_query("SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = $1) AS known")
        .bind::<diesel::sql_types::Text, _>(name)
        .get_result(connection)
        .await?;
    Ok(known.known)
}

#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = diesel::sql_types::Bool)]
    known: bool,
}

pub async fn update_workspace(
    connection: &mut AsyncPgConnection,
    id: WorkspaceId,
    changes: &WorkspaceChanges,
) -> Result<()> {
    if changes.name.is_some() || changes.time_zone.is_some() || changes.week_start.is_some() {
        diesel::update(workspaces::table.find(id)).set(changes).execute(connection).await?;
    }
    Ok(())
}
