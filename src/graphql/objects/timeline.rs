//! Timelines as the API shows them.

use async_graphql::{Context, Json, Object};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{
    change::{ActorObject, FieldChangeObject},
    note::NoteObject,
    scalars::json,
    task::TaskObject,
};
use crate::{
    base::{Error, page},
    connection,
    crm::{
        RecordKind,
        timeline::{About, Entry},
    },
    graphql::{
        errors::{Nullable, nullable},
        loaders::{Loaders, NoteOf, OfRecord, TimelineOf},
    },
};

#[derive(Clone)]
pub struct TimelineEntryObject {
    entry: Entry,
    kind: RecordKind,
}

/// Something that happened to a record.
#[Object(name = "TimelineEntry")]
impl TimelineEntryObject {
    async fn at(&self) -> DateTime<Utc> {
        self.entry.at
    }

    /// Who did it. Of a record that an import made, that is the import: `importJobs(job:)` finds it by
    /// `throughId`.
    async fn actor(&self) -> ActorObject {
        ActorObject::from(&self.entry.actor)
    }

    /// `created`, `updated`, `deleted` or `restored`, which the record was; `note` for a note about it;
    /// `task_created` or `task_completed` for a task about it; or what else was done to it, such as
    /// `converted`, of a lead and of what it became, or `merged`. Words will be added.
    async fn what(&self) -> &str {
        &self.entry.what
    }

    /// What an update did to the record's fields; empty for all else.
    async fn changes(&self) -> Vec<FieldChangeObject> {
        self.entry.changes.iter().cloned().map(FieldChangeObject).collect()
    }

    /// The note, as it is now.
    async fn note(&self, context: &Context<'_>) -> Nullable<NoteObject> {
        nullable(async {
            let About::Note(id) = self.entry.about else { return Ok(None) };
            let key = NoteOf { kind: self.kind, id };
            Ok(context.data::<Loaders>()?.notes.load_one(key).await?.map(NoteObject))
        })
        .await
    }

    /// The task, as it is now.
    async fn task(&self, context: &Context<'_>) -> Nullable<TaskObject> {
        nullable(async {
            let About::Task(id) = self.entry.about else { return Ok(None) };
            Ok(context.data::<Loaders>()?.linked.load_one(id).await?.map(TaskObject))
        })
        .await
    }

    /// More about what was done to the record, by what it was; null for changes, notes and tasks.
    async fn payload(&self) -> Option<Json<Value>> {
        self.entry.payload.as_ref().map(json)
    }
}

impl crate::graphql::leaves::Leaves for TimelineEntryObject {}

connection!(TimelineConnection TimelineEdge of TimelineEntryObject, "TimelineConnection" "TimelineEdge", count(record: OfRecord, context) {
    context.data::<Loaders>()?.timeline_counts.load_one(*record).await?.unwrap_or_default()
});

/// A page of a record's timeline.
pub async fn timeline(
    context: &Context<'_>,
    kind: RecordKind,
    id: Uuid,
    first: Option<i32>,
    after: Option<String>,
) -> async_graphql::Result<TimelineConnection> {
    let record = OfRecord { kind, id };
    let slice = context.data::<Loaders>()?.timelines.load_one(TimelineOf { record, first, after }).await?;
    let slice = slice.ok_or_else(|| Error::internal("a record has no timeline, not even an empty one"))?;
    let edge = |entry: Entry| (page::encode(&entry.place), TimelineEntryObject { entry, kind });
    Ok(TimelineConnection::new(slice, record, edge))
}
