//! What the mails of this feature say, made when they are sent: a link's secret stands nowhere but
//! in its mail. A mail may go out twice, and people keep either: both have a link that works.

use chrono::TimeDelta;

use super::{model::Invitation, queries};
use crate::{
    auth::secret,
    base::{
        Result,
        ids::{InvitationId, UserId, WorkspaceId},
    },
    ctx::Ctx,
};

/// How long a link to set a new password works.
pub const RESET_LINK: TimeDelta = TimeDelta::hours(1);

/// How long an invitation can be accepted.
pub const OPEN_FOR: TimeDelta = TimeDelta::days(7);

/// A mail with a reset link, about to be sent.
#[derive(Debug)]
pub struct ResetMail {
    pub email: String,
    pub full_name: String,
    pub link: secret::Fresh,
}

/// Makes the link's secret, for the job that mails it. `None` where the person is gone.
pub async fn prepare_reset(ctx: &Ctx, user: UserId) -> Result<Option<ResetMail>> {
    let now = ctx.clock.now();
    let mut tx = ctx.db.system().await?;
    let Some((email, full_name)) = queries::users::address(tx.connection(), user).await? else { return Ok(None) };
    let link = secret::Fresh::new(secret::Kind::Link);
    queries::links::insert_reset_link(tx.connection(), &link.hash, user, now, now + RESET_LINK).await?;
    tx.commit().await?;
    Ok(Some(ResetMail { email, full_name, link }))
}

/// An invitation about to be mailed.
#[derive(Debug)]
pub struct InvitationMail {
    pub invitation: Invitation,
    pub workspace_name: String,
    pub inviter_name: String,
    pub link: secret::Fresh,
}

/// Makes the link's secret, for the job that mails it. `None` where it is not open any more.
pub async fn prepare_invitation(ctx: &Ctx, workspace: WorkspaceId, id: InvitationId) -> Result<Option<InvitationMail>> {
    let mut tx = ctx.db.begin(&workspace).await?;
    let Some(invitation) =
        queries::invitations::lock_open_invitation(tx.connection(), workspace, id, ctx.clock.now()).await?
    else {
        return Ok(None);
    };
    // the same at each attempt, for there is room for one hash
    let link = ctx.seal("kontor/team/invitation/1", format!("{workspace}/{id}").as_bytes());
    let link = secret::Fresh::of(secret::Kind::Link, link);
    queries::invitations::set_invitation_hash(tx.connection(), workspace, id, &link.hash).await?;
    let workspace_name = queries::workspaces::workspace(tx.connection(), workspace).await?.name;
    let inviter = queries::users::user(tx.connection(), workspace, invitation.invited_by).await?;
    tx.commit().await?;
    let inviter_name = inviter.map_or_else(|| workspace_name.clone(), |user| user.full_name);
    Ok(Some(InvitationMail { invitation, workspace_name, inviter_name, link }))
}
