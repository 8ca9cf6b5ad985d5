//! The installation as a whole: its settings, and whether anybody is there yet.

use diesel::{dsl::exists, prelude::*, select};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::super::model::UserStatus;
use crate::{
    auth::Role,
    base::{
        Result,
        ids::{UserId, WorkspaceId},
    },
    db::schema::{instance_settings, members, users},
};

pub async fn any_user(connection: &mut AsyncPgConnection) -> Result<bool> {
    Ok(select(exists(users::table.select(users::id))).get_result(connection).await?)
}

pub async fn setting(connection: &mut AsyncPgConnection, name: &str) -> Result<Option<Value>> {
    Ok(instance_settings::table.find(name).select(instance_settings::value).first(connection).await.optional()?)
}

pub async fn keep_setting(connection: &mut AsyncPgConnection, name: &str, value: Value) -> Result<()> {
    diesel::insert_into(instance_settings::table)
        .values((instance_settings::name.eq(name), instance_settings::value.eq(&value)))
        .on_conflict(instance_settings::name)
        .do_update()
        .set(instance_settings::value.eq(&value))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn any_admin(connection: &mut AsyncPgConnection) -> Result<Option<(WorkspaceId, UserId)>> {
    Ok(members::table
        .filter(members::role.eq(Role::Admin))
        .filter(members::status.eq(UserStatus::Active))
        .order((members::created_at, members::workspace_id))
        .select((members::workspace_id, members::user_id))
        .first(connection)
        .await
        .optional()?)
}

/// Keeps the value unless there is one already; which it is now.
pub async fn first_setting(connection: &mut AsyncPgConnection, name: &str, value: Value) -> Result<Value> {
    diesel::insert_into(instance_settings::table)
        .values((instance_settings::name.eq(name), instance_settings::value.eq(&value)))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    Ok(setting(connection, name).await?.unwrap_or(value))
}
