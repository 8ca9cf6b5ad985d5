//! Invitations, open and past.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::super::model::Invitation;
use crate::{
    auth::secret,
    base::{
        Result,
        ids::{InvitationId, WorkspaceId},
    },
    db::schema::invitations,
};

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
