//! Live changes of records: each event once, in order, with a cursor to resume by.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use async_graphql::{Context, ID, Interface, Object, SimpleObject, Subscription};
use chrono::{DateTime, Utc};
use futures_util::Stream;
use uuid::Uuid;

use super::{
    context::{both, caller},
    errors::parse_id,
    list_changes::ContactListChange,
    loaders::{Coming, Loaders, OfRecord},
    objects::{
        change::{ActorObject, FieldChangeObject},
        criteria::RecordCriteria,
        record::{RecordObject, Shown},
    },
    position::{Position, StreamPosition},
};
use crate::{
    auth::Caller,
    base::{
        Error, Result,
        ids::{AccountId, ContactId},
    },
    crm::{
        RecordKind,
        matching::{self, ARGUMENT, Followed},
        record::{
            Record, Rules,
            events::{ChangeAction, action_of, versions},
            history, ops,
        },
    },
    ctx::Ctx,
    events::{Bus, Cursor, LoggedEvent, Subscription as EventReader},
    for_kind,
};

/// Something that happened, with its place in the log.
#[expect(clippy::large_enum_variant, reason = "tells the schema of the interface; none is ever made")]
#[derive(Interface)]
#[graphql(
    name = "Event",
    field(name = "cursor", ty = "&String", desc = "Pass as `after` to go on behind this event."),
    field(name = "occurred_at", ty = "&DateTime<Utc>"),
    field(name = "actor", ty = "&ActorObject")
)]
pub enum EventObject {
    RecordChange(RecordChange),
    ContactListChange(ContactListChange),
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
    /// As it is now, which on replay may be newer than the change; null where it is deleted, or not for you to
    /// see from this change on.
    record: Option<RecordObject>,
    /// What an update changed, as it was then; empty for all else.
    changes: Vec<FieldChangeObject>,
}

/// How far the log of changes had come when a request began.
pub struct Begun(pub Option<Cursor>);

/// Queries about changes.
#[derive(Default)]
pub struct ChangeQuery;

#[Object(name = "ChangeQuery")]
impl ChangeQuery {
    /// How far the log of changes had come when this request began. Whoever asks for it with what they show, and
    /// then subscribes with it as `after`, misses nothing in between; a change may be told that is in what was
    /// read already.
    async fn event_cursor(&self, context: &Context<'_>) -> async_graphql::Result<String> {
        caller(context)?;
        let begun = context.data::<Begun>()?.0;
        let cursor =
            begun.ok_or_else(|| Error::Unavailable("This node does not follow the log yet; try again".into()))?;
        Ok(cursor.encode())
    }
}

/// Live changes.
#[derive(Default)]
pub struct ChangeSubscription;

#[Subscription(name = "ChangeSubscription")]
impl ChangeSubscription {
    /// Changes of the records of a kind, or of one record. With `after`, first what was missed
    /// since that cursor, then on live, without gap or repeat; `CURSOR_EXPIRED` where it is older
    /// than the log (7 days): then read the present state and begin anew.
    ///
    /// With `where`, changes of records that the criteria mean now, and of those that they meant until
    /// this change, so that a record's leaving is told as well.
    async fn record_changed(
        &self,
        context: &Context<'_>,
        kind: RecordKind,
        #[graphql(desc = "Only this record.")] id: Option<ID>,
        #[graphql(name = "where", desc = "Only records that these criteria mean, or meant until the change.")]
        criteria: Option<RecordCriteria>,
        #[graphql(desc = "The cursor of the last event you have seen.")] after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<RecordChange>> + use<>> {
        let (ctx, caller) = both(context)?;
        require_read(caller, kind)?;
        let only = id.as_ref().map(|id| parse_id::<ContactId>("id", id)).transpose()?.map(|id| id.0);
        let after = after.map(|text| Cursor::parse("after", &text)).transpose()?;
        let asked_for = match criteria.map(|criteria| criteria.node(ARGUMENT)).transpose()? {
            Some(node) => Some(matching::followed(ctx, caller, kind, &node, ARGUMENT).await?),
            None => None,
        };
        let mut events = context.data::<Bus>()?.subscribe(caller.workspace, after).await?;
        let position = context.data_opt::<Arc<StreamPosition>>().cloned().unwrap_or_default();
        let seen = after.unwrap_or_else(|| events.cursor());
        position.passed(Position::from(seen));
        let (ctx, caller) = (ctx.clone(), caller.clone());
        let asked = context.look_ahead();
        let wanted = Wanted { record: asked.field("record").exists(), changes: asked.field("changes").exists() };
        let loaders = context.data::<Loaders>()?.clone();
        let reader = Reader {
            ctx,
            caller,
            loaders,
            kind,
            only,
            asked_for,
            wanted,
            events,
            resumed: seen,
            position,
            told_of: None,
            waiting: VecDeque::new(),
            over: false,
        };
        Ok(futures_util::stream::unfold(reader, |mut reader| async move {
            let change = reader.next().await?;
            Some((change, reader))
        }))
    }
}

/// What of a change has to be loaded, because the document asks for it.
#[derive(Clone, Copy)]
struct Wanted {
    record: bool,
    changes: bool,
}

/// Changes of one event that are loaded at once: few enough to be held while a client reads them.
const LOADED_AT_ONCE: usize = 200;

/// One running subscription.
struct Reader {
    ctx: Ctx,
    caller: Arc<Caller>,
    loaders: Loaders,
    kind: RecordKind,
    only: Option<Uuid>,
    asked_for: Option<Followed>,
    wanted: Wanted,
    events: EventReader,
    /// What the client had seen when it came.
    resumed: Cursor,
    position: Arc<StreamPosition>,
    /// The event read last, while not all of it has been told.
    told_of: Option<Told>,
    /// What of it is loaded and comes next.
    waiting: VecDeque<(Cursor, RecordChange)>,
    over: bool,
}

/// An event, and what of it is still to be told.
struct Told {
    event: Arc<LoggedEvent>,
    action: ChangeAction,
    /// By their places in the event.
    rest: VecDeque<(usize, Uuid)>,
}

impl Reader {
    async fn next(&mut self) -> Option<async_graphql::Result<RecordChange>> {
        if self.over {
            return None;
        }
        loop {
            if let Some((cursor, change)) = self.waiting.pop_front() {
                self.position.at(Position::from(cursor));
                return Some(Ok(change));
            }
            let told = async {
                let told = match self.told_of.take() {
                    Some(told) => told,
                    None => self.next_event().await?,
                };
                require_read(&self.caller, self.kind)?;
                self.load(told).await
            };
            if let Err(error) = told.await {
                self.over = true;
                return Some(Err(error.into()));
            }
        }
    }

    /// Waits for an event; says how far we are before it waits.
    async fn next_event(&mut self) -> Result<Told> {
        loop {
            let event = match self.events.try_next()? {
                Some(event) => event,
                None => {
                    self.position.passed(Position::from(self.events.cursor()));
                    self.events.next().await?
                }
            };
            if let Some(told) = self.of(event)
                && let Some(told) = self.meant(told).await?
            {
                return Ok(told);
            }
        }
    }

    /// What of an event is about records that the caller sees and that the criteria mean, or meant: one look at
    /// all of them. What is not for this caller to see, did not happen for them, and the criteria are not
    /// asked about it: but that it is so from now on is told.
    async fn meant(&self, mut told: Told) -> Result<Option<Told>> {
        let versions = versions(&told.event);
        let records: Vec<_> = told.rest.iter().map(|(index, id)| (*id, versions.get(*index).copied())).collect();
        let ids = records.iter().map(|(id, _)| *id).collect();
        let seen = for_kind!(self.kind, R => ops::seen::<R>(&self.ctx, &self.caller, ids).await?);
        let seen: HashSet<_> = seen.into_iter().collect();
        let (in_sight, others): (Vec<_>, Vec<_>) = records.into_iter().partition(|(id, _)| seen.contains(id));
        let mut meant = match &self.asked_for {
            Some(asked) if !in_sight.is_empty() => {
                matching::concerned(&self.ctx, &self.caller, asked, told.action, &in_sight).await?
            }
            _ => seen,
        };
        let others: Vec<_> = others.into_iter().filter_map(|(id, version)| Some((id, version?))).collect();
        meant.extend(for_kind!(self.kind, R => history::taken::<R>(&self.ctx, &self.caller, &others).await?));
        told.rest.retain(|(_, id)| meant.contains(id));
        Ok(Some(told).filter(|told| !told.rest.is_empty()))
    }

    /// What of an event concerns this subscription; nothing that the client has seen.
    fn of(&self, event: Arc<LoggedEvent>) -> Option<Told> {
        let action = action_of(&event.name).filter(|_| event.kind.as_deref() == Some(self.kind.as_str()))?;
        let seen = usize::try_from(self.resumed.seen_of(&event)).unwrap_or(usize::MAX);
        let ids = event.record_ids.iter().copied().enumerate().skip(seen);
        let rest: VecDeque<_> = ids.filter(|(_, id)| self.only.is_none_or(|only| only == *id)).collect();
        Some(Told { event, action, rest }).filter(|told| !told.rest.is_empty())
    }

    /// Loads what of an event comes next, as changes of single records.
    async fn load(&mut self, mut told: Told) -> Result<()> {
        let next: Vec<(usize, Uuid)> = told.rest.drain(..told.rest.len().min(LOADED_AT_ONCE)).collect();
        let Told { event, action, .. } = &told;
        let versions = versions(event);
        let versions: Vec<_> = next.iter().filter_map(|(index, id)| Some((*id, *versions.get(*index)?))).collect();
        let ids: Vec<_> = next.iter().map(|(_, id)| *id).collect();
        let records = if self.wanted.record { self.records(&ids).await? } else { HashMap::new() };
        self.loaders.look_ahead(records.values().map(coming));
        let is_update = *action == ChangeAction::Updated;
        let mut changes = if is_update && self.wanted.changes { self.fields(&versions).await? } else { HashMap::new() };
        let last = event.record_ids.len();
        for (at, (index, id)) in next.into_iter().enumerate() {
            let cursor = match u32::try_from(index + 1) {
                Ok(seen) if index + 1 < last => Cursor::within(event, seen),
                _ => Cursor::after(event.position),
            };
            let change = RecordChange {
                cursor: cursor.encode(),
                occurred_at: event.at,
                actor: ActorObject::from(&event.actor),
                action: *action,
                record_id: id.into(),
                record: records.get(&id).cloned(),
                changes: versions.get(at).and_then(|change| changes.remove(change)).unwrap_or_default(),
            };
            self.waiting.push_back((cursor, change));
        }
        self.told_of = Some(told).filter(|told| !told.rest.is_empty());
        Ok(())
    }

    /// Live records by id, one statement for all.
    async fn records(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, RecordObject>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        for_kind!(self.kind, R => {
            let rows = ops::by_ids::<R>(&self.ctx, &self.caller, ids).await?;
            Ok(rows.into_iter().map(|row| (row.meta().id, row.into_record())).collect())
        })
    }

    /// What each change did to its record's fields, one statement for all.
    async fn fields(&self, versions: &[(Uuid, i32)]) -> Result<HashMap<(Uuid, i32), Vec<FieldChangeObject>>> {
        let found = for_kind!(self.kind, R => history::of_versions::<R>(&self.ctx, &self.caller, versions).await?);
        let mut fields: HashMap<_, Vec<_>> = HashMap::new();
        for change in found {
            fields.entry((change.record, change.version)).or_default().push(FieldChangeObject(change));
        }
        Ok(fields)
    }
}

fn coming(record: &RecordObject) -> Coming {
    fn of<R: Record>(record: &R, account: Option<AccountId>) -> Coming {
        let meta = record.meta();
        let (record, people) = (OfRecord { kind: R::KIND, id: meta.id }, [record.owner(), Some(meta.created_by)]);
        Coming { record, people, account }
    }
    match record {
        RecordObject::Lead(lead) => of(&lead.0, None),
        RecordObject::Contact(contact) => of(&contact.0, contact.0.account_id),
        RecordObject::Account(account) => of(&account.0, None),
        RecordObject::Deal(deal) => of(&deal.0, deal.0.account_id),
        RecordObject::Product(product) => of(&product.0, None),
        RecordObject::Task(task) => of(&task.0, task.0.account_id),
    }
}

fn require_read(caller: &Caller, kind: RecordKind) -> Result<()> {
    for_kind!(kind, R => caller.require(R::READ).map(drop))
}
