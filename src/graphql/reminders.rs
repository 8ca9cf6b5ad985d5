//! Reminders of one's own tasks, live.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use async_graphql::{Context, SimpleObject, Subscription};
use chrono::{DateTime, Utc};
use futures_util::Stream;

use super::{
    context::both,
    objects::task::TaskObject,
    position::{Position, StreamPosition},
};
use crate::{
    auth::Caller,
    base::Result,
    crm::{Task, record::Rules, tasks::reminders},
    ctx::Ctx,
    events::{Bus, Cursor, LoggedEvent, Subscription as EventReader},
};

/// It is time to think of a task.
#[derive(Clone, SimpleObject)]
#[graphql(name = "TaskReminder")]
pub struct TaskReminder {
    /// Pass as `after` to go on behind this reminder.
    cursor: String,
    occurred_at: DateTime<Utc>,
    /// As it is now.
    task: TaskObject,
}

/// What is live of reminders. Everybody has an execution of their own, for everybody is told of
/// something else.
#[derive(Default)]
pub struct ReminderSubscription;

#[Subscription(name = "ReminderSubscription")]
impl ReminderSubscription {
    /// The reminders of your own tasks, each when it is due. With `after`, first what was missed since
    /// that cursor, then on live, without gap or repeat; `CURSOR_EXPIRED` where it is older than the
    /// log (7 days). A task that was deleted or given to somebody else since is left out.
    async fn task_reminders(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The cursor of the last reminder you have seen.")] after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<TaskReminder>> + use<>> {
        let (ctx, caller) = both(context)?;
        caller.require(Task::READ)?;
        let after = after.map(|text| Cursor::parse("after", &text)).transpose()?;
        let mut events = context.data::<Bus>()?.subscribe(caller.workspace, after).await?;
        let position = context.data_opt::<Arc<StreamPosition>>().cloned().unwrap_or_default();
        let resumed = after.unwrap_or_else(|| events.cursor());
        position.passed(Position::from(resumed));
        let (ctx, caller) = (ctx.clone(), caller.clone());
        let reader = Reader { ctx, caller, events, resumed, position, waiting: VecDeque::new(), over: false };
        Ok(futures_util::stream::unfold(reader, |mut reader| async move {
            let reminder = reader.next().await?;
            Some((reminder, reader))
        }))
    }
}

/// One running subscription.
struct Reader {
    ctx: Ctx,
    caller: Arc<Caller>,
    events: EventReader,
    /// What the client had seen when it came.
    resumed: Cursor,
    position: Arc<StreamPosition>,
    /// What of the event read last comes next.
    waiting: VecDeque<(Cursor, TaskReminder)>,
    over: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<async_graphql::Result<TaskReminder>> {
        if self.over {
            return None;
        }
        loop {
            if let Some((cursor, reminder)) = self.waiting.pop_front() {
                self.position.at(Position::from(cursor));
                return Some(Ok(reminder));
            }
            if let Err(error) = self.read().await {
                self.over = true;
                return Some(Err(error.into()));
            }
        }
    }

    /// Reads one event; says how far we are before it waits for one.
    async fn read(&mut self) -> Result<()> {
        let event = match self.events.try_next()? {
            Some(event) => event,
            None => {
                self.position.passed(Position::from(self.events.cursor()));
                self.events.next().await?
            }
        };
        let seen = usize::try_from(self.resumed.seen_of(&event)).unwrap_or(usize::MAX);
        let mut own = reminders::reminded_of(&event, self.caller.user);
        own.retain(|(index, _)| *index >= seen);
        if own.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = own.iter().map(|(_, id)| *id).collect();
        let tasks = reminders::own(&self.ctx, &self.caller, &ids).await?;
        let mut tasks: HashMap<_, _> = tasks.into_iter().map(|task| (task.id.0, task)).collect();
        for (index, id) in own {
            let Some(task) = tasks.remove(&id) else { continue };
            let cursor = behind(&event, index);
            let reminder = TaskReminder { cursor: cursor.encode(), occurred_at: event.at, task: TaskObject(task) };
            self.waiting.push_back((cursor, reminder));
        }
        Ok(())
    }
}

/// The cursor behind this place in an event.
fn behind(event: &LoggedEvent, index: usize) -> Cursor {
    match u32::try_from(index + 1) {
        Ok(seen) if index + 1 < event.record_ids.len() => Cursor::within(event, seen),
        _ => Cursor::after(event.position),
    }
}
