//! Membership: who is in which workspace, in which role.

use chrono::{DateTime, Utc};
use diesel::{
    dsl::{exists, sql},
    prelude::*,
    select,
    sql_types::{Nullable, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::super::model::UserStatus;
use crate::{
    auth::Role,
    base::{
        Result,
        ids::{UserId, WorkspaceId},
    },
    db::schema::{members, users},
};

pub async fn insert_member(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    role: Role,
    status: UserStatus,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::insert_into(members::table)
        .values((
            members::workspace_id.eq(workspace),
            members::user_id.eq(user),
            members::role.eq(role),
            members::status.eq(status),
            members::created_at.eq(now),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// Locks the workspace's admins, so that two of them cannot demote each other at once.
pub async fn lock_admins(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<()> {
    let _: Vec<UserId> = members::table
        .filter(members::workspace_id.eq(workspace))
        .filter(members::role.eq(Role::Admin))
        .order(members::user_id)
        .select(members::user_id)
        .for_no_key_update()
        .load(connection)
        .await?;
    Ok(())
}

pub async fn active_admins(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<i64> {
    Ok(members::table
        .filter(members::workspace_id.eq(workspace))
        .filter(members::role.eq(Role::Admin))
        .filter(members::status.eq(UserStatus::Active))
        .count()
        .get_result(connection)
        .await?)
}

pub async fn update_member(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    role: Option<Role>,
    status: Option<UserStatus>,
) -> Result<()> {
    diesel::update(members::table.find((workspace, user)))
        .set((role.map(|role| members::role.eq(role)), status.map(|status| members::status.eq(status))))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn member(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<Option<(Role, UserStatus)>> {
    Ok(members::table
        .find((workspace, user))
        .select((members::role, members::status))
        .first(connection)
        .await
        .optional()?)
}

/// Whether a person belongs to any workspace but this, active or not.
pub async fn is_member_elsewhere(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<bool> {
    let elsewhere = members::table.filter(members::user_id.eq(user)).filter(members::workspace_id.ne(workspace));
    Ok(select(exists(elsewhere)).get_result(connection).await?)
}

/// All workspaces that a person belongs to, active there or not.
pub async fn workspaces_of(connection: &mut AsyncPgConnection, user: UserId) -> Result<Vec<WorkspaceId>> {
    let of_user = members::table.filter(members::user_id.eq(user)).order(members::workspace_id);
    Ok(of_user.select(members::workspace_id).load(connection).await?)
}

pub async fn is_member(connection: &mut AsyncPgConnection, workspace: WorkspaceId, email: &str) -> Result<bool> {
    let found = users::table
        .inner_join(members::table)
        .filter(members::workspace_id.eq(workspace))
        .filter(users::email.eq(email))
        .select(users::id);
    Ok(select(exists(found)).get_result(connection).await?)
}

/// The workspace that a person lands in: of those in which they are active the one they were signed
/// in to last, else the one they joined last. Not the first: anybody may have made somebody a member
/// of theirs before.
pub async fn home_workspace(connection: &mut AsyncPgConnection, user: UserId) -> Result<Option<(WorkspaceId, Role)>> {
    let last_seen = sql::<Nullable<Timestamptz>>(
        "(SELECT max(last_used_at) FROM sessions \
           WHERE sessions.user_id = members.user_id AND sessions.workspace_id = members.workspace_id)",
    );
    Ok(members::table
        .filter(members::user_id.eq(user))
        .filter(members::status.eq(UserStatus::Active))
        .order((last_seen.desc().nulls_last(), members::created_at.desc(), members::workspace_id))
        .select((members::workspace_id, members::role))
        .first(connection)
        .await
        .optional()?)
}
