//! The mails that the team's operations cause. A link's secret is made when its mail is sent, so
//! that it stands nowhere but in that mail.

use serde::{Deserialize, Serialize};

use crate::base::ids::{InvitationId, UserId, WorkspaceId};

/// Mails a link to set a new password.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendPasswordReset {
    pub user: UserId,
}

/// Mails an invitation to join a workspace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendInvitation {
    pub workspace: WorkspaceId,
    pub invitation: InvitationId,
}

impl crate::jobs::Job<crate::ctx::Ctx> for SendPasswordReset {
    const NAME: &'static str = "team.send_password_reset";
    async fn run(self, _: crate::ctx::Ctx, _: crate::jobs::Run) -> Result<(), crate::jobs::JobError> {
        Ok(())
    }
}
impl crate::jobs::Job<crate::ctx::Ctx> for SendInvitation {
    const NAME: &'static str = "team.send_invitation";
    async fn run(self, _: crate::ctx::Ctx, _: crate::jobs::Run) -> Result<(), crate::jobs::JobError> {
        Ok(())
    }
}
