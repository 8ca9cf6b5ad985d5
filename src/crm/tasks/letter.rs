//! The mail of a reminder: what it says, looked up when it is sent, and the job that sends it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Task, TaskStatus};
use crate::{
    auth::{Caller, Origin, Via},
    base::{
        Error, Result,
        ids::{JobId, TaskId, UserId, WorkspaceId},
    },
    crm::{
        accounts::Account,
        contacts::Contact,
        deals::Deal,
        leads::Lead,
        record::{Record, ops},
    },
    ctx::Ctx,
    jobs::{Job, JobError, Run},
    mail::template,
    team::{
        User, access,
        jobs::{patiently, send},
        users, workspace,
    },
};

/// A reminder that could not be mailed for so long is of no use any more.
const USEFUL: TimeDelta = TimeDelta::days(1);

/// Mails a task's owner that it is time for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendReminder {
    pub workspace: WorkspaceId,
    pub task: TaskId,
    pub user: UserId,
    /// The time that was due; where it is another by now, that one has a mail of its own.
    pub reminder: DateTime<Utc>,
}

impl Job<Ctx> for SendReminder {
    const NAME: &'static str = "crm.send_reminder";
    const PRIORITY: i16 = 30;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let Some(prepared) = prepare(&ctx, run.job, &self).await? else { return Ok(()) };
        let link = format!("{}/tasks/{}", ctx.public_url, self.task);
        let letter = template::TaskReminder {
            name: &prepared.user.full_name,
            title: &prepared.title,
            due: prepared.due.as_deref(),
            about: prepared.about.as_deref(),
            workspace: &prepared.workspace_name,
            link: &link,
        };
        let sent =
            send(&ctx, run.job.0, prepared.user.email, Some(prepared.user.full_name.clone()), letter.render()).await;
        patiently(sent, &ctx, &run, self.reminder + USEFUL)
    }
}

/// A reminder about to be mailed.
struct ReminderMail {
    user: User,
    title: String,
    /// In the workspace's time zone, for people.
    due: Option<String>,
    /// What people call the record that it is about.
    about: Option<String>,
    workspace_name: String,
}

/// Looks up what the mail says. `None` where nobody is to be reminded any more: the task is done,
/// deleted, somebody else's, or its reminder was moved; or its owner is not active.
async fn prepare(ctx: &Ctx, job: JobId, mail: &SendReminder) -> Result<Option<ReminderMail>> {
    let role = match access::role_of(ctx, mail.workspace, mail.user).await {
        Err(Error::Forbidden(_)) => return Ok(None),
        role => role?,
    };
    let owner = Caller::new(mail.workspace, mail.user, role, Origin::Job(job), Via::System);
    let task = ops::by_ids::<Task>(ctx, &owner, &[mail.task.0]).await?.pop();
    let is_open = |task: &Task| matches!(task.status, TaskStatus::Pending | TaskStatus::InProgress);
    let Some(task) =
        task.filter(|task| is_open(task) && task.owner_id == Some(mail.user) && task.reminder == Some(mail.reminder))
    else {
        return Ok(None);
    };
    let Some(user) = users::by_ids(ctx, &owner, &[mail.user]).await?.pop() else { return Ok(None) };
    let workspace = workspace::get(ctx, &owner).await?;
    let zone: chrono_tz::Tz = workspace.time_zone.parse().unwrap_or(chrono_tz::UTC);
    let due = task.due_date.map(|due| {
        let local = due.with_timezone(&zone).format("%A, %-d %B %Y, %H:%M");
        format!("{local} ({zone})")
    });
    let about = about(ctx, &owner, &task).await?;
    Ok(Some(ReminderMail { user, title: task.title, due, about, workspace_name: workspace.name }))
}

/// The name of the record that a task is about, where the caller may see it.
async fn about(ctx: &Ctx, caller: &Caller, task: &Task) -> Result<Option<String>> {
    if let Some(id) = task.lead_id {
        return name_of::<Lead>(ctx, caller, id.0).await;
    }
    if let Some(id) = task.contact_id {
        return name_of::<Contact>(ctx, caller, id.0).await;
    }
    if let Some(id) = task.account_id {
        return name_of::<Account>(ctx, caller, id.0).await;
    }
    match task.deal_id {
        Some(id) => name_of::<Deal>(ctx, caller, id.0).await,
        None => Ok(None),
    }
}

async fn name_of<R: Record>(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<Option<String>> {
    match ops::by_ids::<R>(ctx, caller, &[id]).await {
        Err(Error::Forbidden(_)) => Ok(None),
        found => Ok(found?.pop().map(|record| record.display_name())),
    }
}
