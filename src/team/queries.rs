//! All SQL of the team.

use chrono::{DateTime, Utc};
use diesel::{dsl::exists, prelude::*, select, sql_types::BigInt};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::model::{ApiToken, AuditEntry, Invitation, NewAuditEntry, User, UserStatus, Workspace};
use crate::{
    auth::{Caller, Role, secret},
    base::{
        Error, Result,
        ids::{AuditEntryId, InvitationId, TokenId, UserId, WorkspaceId},
        page::PageRequest,
    },
    db::locks,
    db::schema::{
        audit_log, idempotency_keys, instance_settings, invitations, members, one_time_links, tokens, users, workspaces,
    },
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

#[derive(AsChangeset, Default)]
#[diesel(table_name = users)]
pub struct UserChanges {
    pub full_name: Option<String>,
    pub phone: Option<Option<String>>,
    pub department: Option<Option<String>>,
    pub avatar_url: Option<Option<String>>,
    pub preferences: Option<Value>,
}

#[derive(AsChangeset)]
#[diesel(table_name = workspaces)]
pub struct WorkspaceChanges {
    pub name: Option<String>,
    pub time_zone: Option<String>,
    pub week_start: Option<String>,
}

/// What signing in needs of a person.
#[derive(Queryable)]
pub struct Credentials {
    pub id: UserId,
    pub password_hash: Option<String>,
}

pub async fn lock_registration(connection: &mut AsyncPgConnection) -> Result<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)")
        .bind::<BigInt, _>(locks::REGISTRATION)
        .execute(connection)
        .await?;
    Ok(())
}

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

pub async fn insert_user(connection: &mut AsyncPgConnection, user: &NewUser) -> Result<()> {
    diesel::insert_into(users::table).values(user).execute(connection).await?;
    Ok(())
}

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
    query = match (page.is_backward(), page.from) {
        (false, Some(from)) => query.filter(users::id.lt(from)).order(users::id.desc()),
        (false, None) => query.order(users::id.desc()),
        (true, Some(from)) => query.filter(users::id.gt(from)).order(users::id.asc()),
        (true, None) => query.order(users::id.asc()),
    };
    Ok(query.load(connection).await?)
}

pub async fn numbered_users(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    offset: i64,
    limit: i64,
) -> Result<(Vec<User>, i64)> {
    let total = members::table.filter(members::workspace_id.eq(workspace)).count().get_result(connection).await?;
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

/// Locks the workspace's admins, so that two of them cannot demote each other at once.
pub async fn lock_admins(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<()> {
    let _: Vec<UserId> = members::table
        .filter(members::workspace_id.eq(workspace))
        .filter(members::role.eq(Role::Admin))
        .order(members::user_id)
        .select(members::user_id)
        .for_update()
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

pub async fn is_member(connection: &mut AsyncPgConnection, workspace: WorkspaceId, email: &str) -> Result<bool> {
    let found = users::table
        .inner_join(members::table)
        .filter(members::workspace_id.eq(workspace))
        .filter(users::email.eq(email))
        .select(users::id);
    Ok(select(exists(found)).get_result(connection).await?)
}

pub async fn credentials(connection: &mut AsyncPgConnection, email: &str) -> Result<Option<Credentials>> {
    Ok(users::table
        .filter(users::email.eq(email))
        .select((users::id, users::password_hash))
        .first(connection)
        .await
        .optional()?)
}

/// Where to write to a person, and their name.
pub async fn address(connection: &mut AsyncPgConnection, user: UserId) -> Result<Option<(String, String)>> {
    Ok(users::table.find(user).select((users::email, users::full_name)).first(connection).await.optional()?)
}

pub async fn password_hash(connection: &mut AsyncPgConnection, user: UserId) -> Result<Option<String>> {
    let found: Option<Option<String>> =
        users::table.find(user).select(users::password_hash).first(connection).await.optional()?;
    Ok(found.flatten())
}

pub async fn set_password(
    connection: &mut AsyncPgConnection,
    user: UserId,
    hash: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(users::table.find(user))
        .set((users::password_hash.eq(hash), users::updated_at.eq(now)))
        .execute(connection)
        .await?;
    Ok(())
}

/// The workspace that a person lands in: the first they joined and are active in.
pub async fn home_workspace(connection: &mut AsyncPgConnection, user: UserId) -> Result<Option<(WorkspaceId, Role)>> {
    Ok(members::table
        .filter(members::user_id.eq(user))
        .filter(members::status.eq(UserStatus::Active))
        .order((members::created_at, members::workspace_id))
        .select((members::workspace_id, members::role))
        .first(connection)
        .await
        .optional()?)
}

pub async fn note_login(connection: &mut AsyncPgConnection, user: UserId, now: DateTime<Utc>) -> Result<()> {
    diesel::update(users::table.find(user)).set(users::last_login_at.eq(now)).execute(connection).await?;
    Ok(())
}

pub async fn insert_reset_link(
    connection: &mut AsyncPgConnection,
    hash: &secret::Hash,
    user: UserId,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    diesel::insert_into(one_time_links::table)
        .values((
            one_time_links::hash.eq(hash.as_bytes()),
            one_time_links::purpose.eq("password_reset"),
            one_time_links::user_id.eq(user),
            one_time_links::created_at.eq(now),
            one_time_links::expires_at.eq(expires_at),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// Spends the link and tells whose it was; the person's other links are spent with it.
pub async fn use_reset_link(
    connection: &mut AsyncPgConnection,
    hash: &secret::Hash,
    now: DateTime<Utc>,
) -> Result<Option<UserId>> {
    let user: Option<Option<UserId>> = diesel::update(
        one_time_links::table
            .find(hash.as_bytes())
            .filter(one_time_links::purpose.eq("password_reset"))
            .filter(one_time_links::used_at.is_null())
            .filter(one_time_links::expires_at.gt(now)),
    )
    .set(one_time_links::used_at.eq(now))
    .returning(one_time_links::user_id)
    .get_result(connection)
    .await
    .optional()?;
    let Some(Some(user)) = user else { return Ok(None) };
    diesel::update(one_time_links::table.filter(one_time_links::user_id.eq(user)))
        .filter(one_time_links::used_at.is_null())
        .set(one_time_links::used_at.eq(now))
        .execute(connection)
        .await?;
    Ok(Some(user))
}

pub async fn replace_set_up_link(
    connection: &mut AsyncPgConnection,
    hash: &secret::Hash,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    diesel::delete(one_time_links::table.filter(one_time_links::purpose.eq("set_up"))).execute(connection).await?;
    diesel::insert_into(one_time_links::table)
        .values((
            one_time_links::hash.eq(hash.as_bytes()),
            one_time_links::purpose.eq("set_up"),
            one_time_links::created_at.eq(now),
            one_time_links::expires_at.eq(expires_at),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn use_set_up_link(
    connection: &mut AsyncPgConnection,
    hash: &secret::Hash,
    now: DateTime<Utc>,
) -> Result<bool> {
    let used = diesel::update(
        one_time_links::table
            .find(hash.as_bytes())
            .filter(one_time_links::purpose.eq("set_up"))
            .filter(one_time_links::used_at.is_null())
            .filter(one_time_links::expires_at.gt(now)),
    )
    .set(one_time_links::used_at.eq(now))
    .execute(connection)
    .await?;
    Ok(used == 1)
}

pub async fn insert_token(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    token: &ApiToken,
    hash: &secret::Hash,
) -> Result<()> {
    diesel::insert_into(tokens::table)
        .values((
            tokens::id.eq(token.id),
            tokens::workspace_id.eq(workspace),
            tokens::user_id.eq(token.user_id),
            tokens::name.eq(&token.name),
            tokens::hash.eq(hash.as_bytes()),
            tokens::hint.eq(&token.hint),
            tokens::scopes.eq(&token.scopes),
            tokens::created_at.eq(token.created_at),
            tokens::expires_at.eq(token.expires_at),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn count_tokens(connection: &mut AsyncPgConnection, workspace: WorkspaceId, user: UserId) -> Result<i64> {
    Ok(tokens::table
        .filter(tokens::workspace_id.eq(workspace))
        .filter(tokens::user_id.eq(user))
        .filter(tokens::revoked_at.is_null())
        .count()
        .get_result(connection)
        .await?)
}

pub async fn tokens(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    only: Option<UserId>,
) -> Result<Vec<ApiToken>> {
    let mut query = tokens::table
        .filter(tokens::workspace_id.eq(workspace))
        .filter(tokens::revoked_at.is_null())
        .order(tokens::id.desc())
        .limit(1000)
        .select(ApiToken::as_select())
        .into_boxed();
    if let Some(only) = only {
        query = query.filter(tokens::user_id.eq(only));
    }
    Ok(query.load(connection).await?)
}

pub async fn token(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: TokenId,
) -> Result<Option<ApiToken>> {
    Ok(tokens::table
        .find(id)
        .filter(tokens::workspace_id.eq(workspace))
        .filter(tokens::revoked_at.is_null())
        .select(ApiToken::as_select())
        .first(connection)
        .await
        .optional()?)
}

pub async fn revoke_token(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: TokenId,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(tokens::table.find(id).filter(tokens::workspace_id.eq(workspace)))
        .set(tokens::revoked_at.eq(now))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn insert_invitation(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    invitation: &Invitation,
) -> Result<()> {
    diesel::insert_into(invitations::table)
        .values((
            invitations::workspace_id.eq(workspace),
            invitations::id.eq(invitation.id),
            invitations::email.eq(&invitation.email),
            invitations::full_name.eq(&invitation.full_name),
            invitations::role.eq(invitation.role),
            invitations::invited_by.eq(invitation.invited_by),
            invitations::created_at.eq(invitation.created_at),
            invitations::expires_at.eq(invitation.expires_at),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// An invitation that has lapsed must not stand in the way of a new one.
pub async fn close_lapsed_invitations(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    email: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(
        invitations::table
            .filter(invitations::workspace_id.eq(workspace))
            .filter(invitations::email.eq(email))
            .filter(invitations::accepted_at.is_null())
            .filter(invitations::revoked_at.is_null())
            .filter(invitations::expires_at.le(now)),
    )
    .set(invitations::revoked_at.eq(now))
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn open_invitations(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    now: DateTime<Utc>,
) -> Result<Vec<Invitation>> {
    Ok(invitations::table
        .filter(invitations::workspace_id.eq(workspace))
        .filter(invitations::accepted_at.is_null())
        .filter(invitations::revoked_at.is_null())
        .filter(invitations::expires_at.gt(now))
        .order(invitations::id.desc())
        .limit(1000)
        .select(Invitation::as_select())
        .load(connection)
        .await?)
}

pub async fn lock_open_invitation(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: InvitationId,
    now: DateTime<Utc>,
) -> Result<Option<Invitation>> {
    Ok(invitations::table
        .find((workspace, id))
        .filter(invitations::accepted_at.is_null())
        .filter(invitations::revoked_at.is_null())
        .filter(invitations::expires_at.gt(now))
        .select(Invitation::as_select())
        .for_update()
        .first(connection)
        .await
        .optional()?)
}

/// An invitation, whatever has become of it.
pub async fn invitation(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: InvitationId,
) -> Result<Option<Invitation>> {
    Ok(invitations::table.find((workspace, id)).select(Invitation::as_select()).first(connection).await.optional()?)
}

pub async fn set_invitation_hash(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: InvitationId,
    hash: &secret::Hash,
) -> Result<()> {
    diesel::update(invitations::table.find((workspace, id)))
        .set(invitations::hash.eq(hash.as_bytes()))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn invitation_by_hash(
    connection: &mut AsyncPgConnection,
    hash: &secret::Hash,
    now: DateTime<Utc>,
) -> Result<Option<(WorkspaceId, Invitation)>> {
    Ok(invitations::table
        .filter(invitations::hash.eq(hash.as_bytes()))
        .filter(invitations::accepted_at.is_null())
        .filter(invitations::revoked_at.is_null())
        .filter(invitations::expires_at.gt(now))
        .select((invitations::workspace_id, Invitation::as_select()))
        .first(connection)
        .await
        .optional()?)
}

pub async fn accept_invitation(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: InvitationId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let accepted = diesel::update(
        invitations::table
            .find((workspace, id))
            .filter(invitations::accepted_at.is_null())
            .filter(invitations::revoked_at.is_null()),
    )
    .set(invitations::accepted_at.eq(now))
    .execute(connection)
    .await?;
    Ok(accepted == 1)
}

pub async fn revoke_invitation(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: InvitationId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let revoked = diesel::update(
        invitations::table
            .find((workspace, id))
            .filter(invitations::accepted_at.is_null())
            .filter(invitations::revoked_at.is_null()),
    )
    .set(invitations::revoked_at.eq(now))
    .execute(connection)
    .await?;
    Ok(revoked == 1)
}

/// Whether the key was free. Waits for a request under way that has claimed it.
pub async fn claim_key(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    key: &str,
    input: &[u8],
    now: DateTime<Utc>,
) -> Result<bool> {
    let claimed = diesel::insert_into(idempotency_keys::table)
        .values((
            idempotency_keys::workspace_id.eq(workspace),
            idempotency_keys::user_id.eq(user),
            idempotency_keys::key.eq(key),
            idempotency_keys::input_hash.eq(input),
            idempotency_keys::answer.eq(Value::Null),
            idempotency_keys::created_at.eq(now),
        ))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    Ok(claimed == 1)
}

pub async fn kept_outcome(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    key: &str,
) -> Result<Option<(Vec<u8>, Value)>> {
    Ok(idempotency_keys::table
        .find((workspace, user, key))
        .select((idempotency_keys::input_hash, idempotency_keys::answer))
        .first(connection)
        .await
        .optional()?)
}

pub async fn keep_outcome(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    key: &str,
    outcome: Value,
) -> Result<()> {
    diesel::update(idempotency_keys::table.find((workspace, user, key)))
        .set(idempotency_keys::answer.eq(outcome))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn insert_audit(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    caller: &Caller,
    at: DateTime<Utc>,
    entry: NewAuditEntry,
) -> Result<()> {
    let actor = serde_json::to_value(caller.actor()).map_err(Error::internal)?;
    diesel::insert_into(audit_log::table)
        .values((
            audit_log::workspace_id.eq(workspace),
            audit_log::id.eq(AuditEntryId::new()),
            audit_log::at.eq(at),
            audit_log::actor.eq(actor),
            audit_log::user_id.eq(caller.user),
            audit_log::action.eq(entry.action),
            audit_log::subject_kind.eq(entry.subject.map(|subject| subject.0)),
            audit_log::subject_id.eq(entry.subject.map(|subject| subject.1)),
            audit_log::address.eq(caller.address.map(|address| address.to_string())),
            audit_log::request_id.eq(caller.request_id.as_deref()),
            audit_log::details.eq(entry.details),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn count_audit(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<i64> {
    Ok(audit_log::table.filter(audit_log::workspace_id.eq(workspace)).count().get_result(connection).await?)
}

pub async fn audit_page(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    page: &PageRequest<AuditEntryId>,
) -> Result<Vec<AuditEntry>> {
    let query = audit_log::table
        .filter(audit_log::workspace_id.eq(workspace))
        .select(AuditEntry::as_select())
        .limit(page.fetch())
        .into_boxed();
    let query = match (page.is_backward(), page.from) {
        (false, Some(from)) => query.filter(audit_log::id.lt(from)).order(audit_log::id.desc()),
        (false, None) => query.order(audit_log::id.desc()),
        (true, Some(from)) => query.filter(audit_log::id.gt(from)).order(audit_log::id.asc()),
        (true, None) => query.order(audit_log::id.asc()),
    };
    Ok(query.load(connection).await?)
}
