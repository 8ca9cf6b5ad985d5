//! The mails that the team's operations cause. A link's secret is made when its mail is sent, so
//! that it stands nowhere but in that mail; a repeated attempt makes another.

use serde::{Deserialize, Serialize};

use super::letters;
use crate::{
    base::{
        Error,
        ids::{InvitationId, UserId, WorkspaceId},
        text::EmailAddress,
    },
    ctx::Ctx,
    jobs::{Job, JobError, Run},
    mail::{Mail, template},
};

/// Mails a link to set a new password.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendPasswordReset {
    pub user: UserId,
}

impl Job<Ctx> for SendPasswordReset {
    const NAME: &'static str = "team.send_password_reset";
    const PRIORITY: i16 = 10;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let Some(reset) = letters::prepare_reset(&ctx, self.user).await? else { return Ok(()) };
        let link = format!("{}/#reset={}", ctx.public_url, reset.link.text);
        let letter = template::PasswordReset { name: &reset.full_name, link: &link, valid_for: letters::RESET_LINK };
        send(&ctx, run.job.0, reset.email, Some(reset.full_name.clone()), letter.render()).await
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
        send(&ctx, run.job.0, invitation.email, invitation.full_name, letter.render()).await
    }
}

async fn send(
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
