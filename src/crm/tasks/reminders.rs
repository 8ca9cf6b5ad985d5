//! Reminders of tasks: found when they are due, told as an event, and mailed to the task's owner. All
//! of it is noted in the transaction that finds them, so each is given once, whoever dies or works
//! beside it. A reminder that is moved is given again.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{
    Task,
    letter::SendReminder,
    queries::{self, Given},
};
use crate::{
    auth::{Actor, Caller},
    base::{
        Result,
        ids::{UserId, WorkspaceId},
    },
    crm::record::{RecordKind, ops},
    ctx::Ctx,
    db::Tx,
    events::{LoggedEvent, NewEvent, outbox},
    jobs::{Enqueued, enqueue},
};

const REMINDER_DUE: &str = "task.reminder_due";

/// Tasks of one transaction.
const BATCH: i64 = 200;

/// Gives the reminders that are due in one workspace, as many as one transaction takes. Whether there
/// were any: then there may be more.
pub async fn give_due(ctx: &Ctx) -> Result<bool> {
    let now = ctx.clock.now();
    let mut tx = ctx.db.system().await?;
    let Some(workspace) = queries::workspace_with_due(tx.connection(), now).await? else { return Ok(false) };
    tx.bind(workspace).await?;
    let given = queries::give_due(tx.connection(), workspace, now, BATCH).await?;
    if given.is_empty() {
        return Ok(false);
    }
    for task in &given {
        enqueue_mail(&mut tx, workspace, now, task).await?;
    }
    let system = Actor { kind: "system".to_owned(), user: None, through: None };
    outbox::emit(&mut tx, &system, now, &[reminder_due(&given)]).await?;
    tx.commit().await?;
    Ok(true)
}

async fn enqueue_mail(tx: &mut Tx, workspace: WorkspaceId, now: DateTime<Utc>, task: &Given) -> Result<()> {
    let Some(user) = task.owner_id else { return Ok(()) };
    let mail = SendReminder { workspace, task: task.id, user, reminder: task.reminder };
    let about = Enqueued { workspace: Some(workspace), ..Enqueued::default() };
    enqueue::<Ctx, _>(tx, now, &mail, about).await?;
    Ok(())
}

/// The owners stand in the order of the tasks, so that who waits for their own need not look up all.
fn reminder_due(given: &[Given]) -> NewEvent {
    let record_ids = given.iter().map(|task| task.id.0).collect();
    let owners: Vec<_> = given.iter().map(|task| task.owner_id).collect();
    NewEvent {
        name: REMINDER_DUE,
        kind: Some(RecordKind::Task.as_str()),
        record_ids,
        payload: json!({ "owners": owners }),
    }
}

/// Of an event those tasks of which it reminds this user, with their places in it; none where it is
/// another sort of event.
pub fn reminded_of(event: &LoggedEvent, user: UserId) -> Vec<(usize, Uuid)> {
    if event.name != REMINDER_DUE {
        return Vec::new();
    }
    let owners = event.payload.get("owners").cloned().unwrap_or_default();
    let owners: Vec<Option<UserId>> = serde_json::from_value(owners).unwrap_or_default();
    let tasks = event.record_ids.iter().copied().zip(owners).enumerate();
    tasks.filter(|(_, (_, owner))| *owner == Some(user)).map(|(place, (task, _))| (place, task)).collect()
}

/// The caller's own ones of these tasks, as they are now.
pub async fn own(ctx: &Ctx, caller: &Caller, tasks: &[Uuid]) -> Result<Vec<Task>> {
    let mut found = ops::by_ids::<Task>(ctx, caller, tasks).await?;
    found.retain(|task| task.owner_id == Some(caller.user));
    Ok(found)
}
