//! What the team's operations cause later: what the other workspaces of a person are told, and mails. These
//! wait out a mail server that is away, for as long as their link is of use; so do the mails of other features,
//! by the same [`send`] and [`patiently`].

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{events, letters, queries};
use crate::{
    auth::Actor,
    base::{
        Error,
        ids::{InvitationId, UserId, WorkspaceId},
        text::EmailAddress,
    },
    ctx::Ctx,
    events::outbox,
    jobs::{Job, JobError, Run, delay},
    mail::{Mail, template},
};

/// Mails a link to set a new password.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendPasswordReset {
    /// `None` where the address that was asked for is nobody's: to answer this takes as long.
    pub user: Option<UserId>,
    pub asked_at: DateTime<Utc>,
}

impl Job<Ctx> for SendPasswordReset {
    const NAME: &'static str = "team.send_password_reset";
    const PRIORITY: i16 = 10;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let Some(user) = self.user else { return Ok(()) };
        let Some(reset) = letters::prepare_reset(&ctx, user).await? else { return Ok(()) };
        let link = format!("{}/#reset={}", ctx.public_url, reset.link.text);
        let letter = template::PasswordReset { name: &reset.full_name, link: &link, valid_for: letters::RESET_LINK };
        let sent = send(&ctx, run.job.0, reset.email, Some(reset.full_name.clone()), letter.render()).await;
        patiently(sent, &ctx, &run, self.asked_at + letters::RESET_LINK)
    }
}

/// Mails an invitation to join a workspace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendInvitation {
    pub workspace: WorkspaceId,
    pub invitation: InvitationId,
}

impl Job<Ctx> for SendInvitation {
    const NAME: &'static str = "team.send_invitation";
    const PRIORITY: i16 = 10;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let Some(prepared) = letters::prepare_invitation(&ctx, self.workspace, self.invitation).await? else {
            return Ok(());
        };
        let link = format!("{}/#invitation={}", ctx.public_url, prepared.link.text);
        let letter = template::Invitation {
            workspace: &prepared.workspace_name,
            inviter: &prepared.inviter_name,
            link: &link,
            valid_for: letters::OPEN_FOR,
        };
        let invitation = prepared.invitation;
        let sent = send(&ctx, run.job.0, invitation.email, invitation.full_name, letter.render()).await;
        patiently(sent, &ctx, &run, invitation.expires_at)
    }
}

/// Tells all workspaces of a person that the profile was changed, which was done in one of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TellProfile {
    pub user: UserId,
    /// Names of fields.
    pub changed: Vec<String>,
}

impl Job<Ctx> for TellProfile {
    const NAME: &'static str = "team.tell_profile";
    const PRIORITY: i16 = 10;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let mut tx = ctx.db.system().await?;
        let workspaces = queries::members::workspaces_of(tx.connection(), self.user).await?;
        tx.commit().await?;
        for workspace in workspaces.into_iter().filter(|id| Some(*id) != run.workspace) {
            let mut tx = ctx.db.system_in(workspace).await?;
            let actor = Actor { kind: "user".to_owned(), user: Some(self.user), through: Some(run.job.0) };
            let changed: Vec<_> = self.changed.iter().map(String::as_str).collect();
            outbox::emit(&mut tx, &actor, ctx.clock.now(), &[events::user_updated(self.user, &changed)]).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Comes back until then, however often, where the mail server is what is in the way.
pub fn patiently(sent: Result<(), JobError>, ctx: &Ctx, run: &Run, give_up_at: DateTime<Utc>) -> Result<(), JobError> {
    let now = ctx.clock.now();
    match sent {
        Err(JobError::Retry(error @ Error::Unavailable(_))) if now < give_up_at => {
            Err(JobError::Wait { until: now + delay(run.attempt, rand::random()), error })
        }
        sent => sent,
    }
}

/// Sends what a template says. `id` is the job's: however often it is tried, it is one mail.
pub async fn send(
    ctx: &Ctx,
    id: uuid::Uuid,
    to: String,
    to_name: Option<String>,
    content: template::Content,
) -> Result<(), JobError> {
    let to = EmailAddress::parse(&to).map_err(|message| JobError::Fail(Error::invalid("email", message)))?;
    let mail = Mail { id, to, to_name, subject: content.subject, text: content.text, html: content.html };
    Ok(ctx.mail.send(&mail).await?)
}
