//! Live changes of records: each event once, in order, with a cursor to resume by.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use async_graphql::{Context, ID, Interface, SimpleObject, Subscription};
use chrono::{DateTime, Utc};
use futures_util::Stream;
use uuid::Uuid;

use super::{
    context::both,
    error::{OrRefuse, parse_id, refusal},
    objects::{account::AccountObject, contact::ContactObject, record::RecordObject},
    position::{Position, StreamPosition},
};
use crate::{
    auth::{Actor, Caller},
    base::{Error, Result, ids::ContactId},
    crm::{
        Account, Contact, RecordKind,
        record::{
            Record, Rules,
            events::{ChangeAction, action_of},
            ops,
        },
    },
    ctx::Ctx,
    events::{Bus, Cursor, LoggedEvent, Subscription as EventReader},
};

/// Who did something.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name = "Actor")]
pub struct ActorObject {
    /// `user`, `import` or `system`.
    kind: String,
    /// The person, or the person for whom a job worked.
    user_id: Option<ID>,
    /// The job or token that acted.
    through_id: Option<ID>,
}

impl From<&Actor> for ActorObject {
    fn from(actor: &Actor) -> Self {
        let id = |id: Uuid| ID::from(id);
        Self { kind: actor.kind.clone(), user_id: actor.user.map(|user| id(user.0)), through_id: actor.through.map(id) }
    }
}

/// Something that happened, with its place in the log.
#[derive(Interface)]
#[graphql(
    name = "Event",
    field(name = "cursor", ty = "&String", desc = "Pass as `after` to go on behind this event."),
    field(name = "occurred_at", ty = "&DateTime<Utc>"),
    field(name = "actor", ty = "&ActorObject")
)]
pub enum EventObject {
    RecordChange(RecordChange),
}

/// A change of one record.
#[derive(Clone, SimpleObject)]
#[graphql(name = "RecordChange")]
pub struct RecordChange {
    cursor: String,
    occurred_at: DateTime<Utc>,
    actor: ActorObject,
    action: ChangeAction,
    record_id: ID,
    /// As it is now, which on replay may be newer than the change; null where it is deleted.
    record: Option<RecordObject>,
    /// The names of the fields that an update changed.
    changed_fields: Vec<String>,
}

/// Live changes.
#[derive(Default)]
pub struct ChangeSubscription;

#[Subscription(name = "ChangeSubscription")]
impl ChangeSubscription {
    /// Changes of the records of a kind, or of one record. With `after`, first what was missed
    /// since that cursor, then on live, without gap or repeat; `CURSOR_EXPIRED` where it is older
    /// than the log (7 days): then read the present state and begin anew.
    async fn record_changed(
        &self,
        context: &Context<'_>,
        kind: RecordKind,
        #[graphql(desc = "Only this record.")] id: Option<ID>,
        #[graphql(desc = "The cursor of the last event you have seen.")] after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<RecordChange>> + use<>> {
        let (ctx, caller) = both(context)?;
        require_read(caller, kind).or_refuse()?;
        let only = id.as_ref().map(|id| parse_id::<ContactId>("id", id)).transpose()?.map(|id| id.0);
        let after = after.map(|text| Cursor::parse("after", &text)).transpose().or_refuse()?;
        let mut events = context.data::<Bus>()?.subscribe(caller.workspace, after).await.or_refuse()?;
        let position = context.data_opt::<Arc<StreamPosition>>().cloned().unwrap_or_default();
        let seen = after.unwrap_or_else(|| events.cursor());
        position.passed(place(seen));
        let (ctx, caller) = (ctx.clone(), caller.clone());
        let reader =
            Reader { ctx, caller, kind, only, events, resumed: seen, position, waiting: VecDeque::new(), over: false };
        Ok(futures_util::stream::unfold(reader, |mut reader| async move {
            let change = reader.next().await?;
            Some((change, reader))
        }))
    }
}

/// One running subscription.
struct Reader {
    ctx: Ctx,
    caller: Arc<Caller>,
    kind: RecordKind,
    only: Option<Uuid>,
    events: EventReader,
    /// What the client had seen when it came.
    resumed: Cursor,
    position: Arc<StreamPosition>,
    /// What is still to be told of the event read last.
    waiting: VecDeque<(Cursor, RecordChange)>,
    over: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<async_graphql::Result<RecordChange>> {
        if self.over {
            return None;
        }
        loop {
            if let Some((cursor, change)) = self.waiting.pop_front() {
                self.position.at(place(cursor));
                return Some(Ok(change));
            }
            let told = async {
                let event = self.next_event().await?;
                require_read(&self.caller, self.kind)?;
                self.waiting = self.changes(&event).await?;
                Ok(())
            };
            if let Err(error) = told.await {
                self.over = true;
                return Some(Err(refusal(error)));
            }
        }
    }

    /// Waits for an event; says how far we are before it waits.
    async fn next_event(&mut self) -> Result<Arc<LoggedEvent>> {
        if let Some(event) = self.events.try_next()? {
            return Ok(event);
        }
        self.position.passed(place(self.events.cursor()));
        self.events.next().await
    }

    /// The event as changes of single records, without those that the client has seen.
    async fn changes(&self, event: &LoggedEvent) -> Result<VecDeque<(Cursor, RecordChange)>> {
        let action = action_of(&event.name).filter(|_| event.kind.as_deref() == Some(self.kind.as_str()));
        let Some(action) = action else { return Ok(VecDeque::new()) };
        let seen = usize::try_from(self.resumed.seen_of(event)).unwrap_or(usize::MAX);
        let last = event.record_ids.len();
        let wanted: Vec<(usize, Uuid)> = event
            .record_ids
            .iter()
            .copied()
            .enumerate()
            .skip(seen)
            .filter(|(_, id)| self.only.is_none_or(|only| only == *id))
            .collect();
        let ids: Vec<_> = wanted.iter().map(|(_, id)| *id).collect();
        let mut records = records(&self.ctx, &self.caller, self.kind, &ids).await?;
        let changed_fields: Vec<String> =
            serde_json::from_value(event.payload.get("changed").cloned().unwrap_or_default()).unwrap_or_default();
        let change = |(index, id): (usize, Uuid)| {
            let cursor = match u32::try_from(index + 1) {
                Ok(seen) if index + 1 < last => Cursor::within(event, seen),
                _ => Cursor::after(event.position),
            };
            let change = RecordChange {
                cursor: cursor.encode(),
                occurred_at: event.at,
                actor: ActorObject::from(&event.actor),
                action,
                record_id: id.into(),
                record: records.remove(&id),
                changed_fields: changed_fields.clone(),
            };
            (cursor, change)
        };
        Ok(wanted.into_iter().map(change).collect())
    }
}

/// Live records by id, one statement for all.
async fn records(ctx: &Ctx, caller: &Caller, kind: RecordKind, ids: &[Uuid]) -> Result<HashMap<Uuid, RecordObject>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    match kind {
        RecordKind::Contact => {
            let rows = ops::by_ids::<Contact>(ctx, caller, ids).await?;
            Ok(rows.into_iter().map(|row| (row.meta().id, RecordObject::Contact(ContactObject(row)))).collect())
        }
        RecordKind::Account => {
            let rows = ops::by_ids::<Account>(ctx, caller, ids).await?;
            Ok(rows.into_iter().map(|row| (row.meta().id, RecordObject::Account(AccountObject(row)))).collect())
        }
        RecordKind::Lead | RecordKind::Deal | RecordKind::Product | RecordKind::Task => Err(no_such_kind()),
    }
}

fn require_read(caller: &Caller, kind: RecordKind) -> Result<()> {
    match kind {
        RecordKind::Contact => caller.require(Contact::READ).map(drop),
        RecordKind::Account => caller.require(Account::READ).map(drop),
        RecordKind::Lead | RecordKind::Deal | RecordKind::Product | RecordKind::Task => Err(no_such_kind()),
    }
}

fn no_such_kind() -> Error {
    Error::invalid("kind", "has no records in this version; CONTACT and ACCOUNT have")
}

fn place(cursor: Cursor) -> Position {
    let (event, index) = cursor.into();
    Position { event, index }
}
