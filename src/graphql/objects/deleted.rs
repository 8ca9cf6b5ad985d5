//! Deleted records as the API shows them: enough to know them by, for nothing can be read below them.

use async_graphql::{ID, Object};
use chrono::{DateTime, Utc};

use super::change::ActorObject;
use crate::{
    auth::Actor,
    base::page,
    connection,
    crm::{
        RecordKind,
        record::{
            Meta, Record,
            deletion::{self, Deleted},
        },
    },
    for_kind,
    graphql::{context::both, leaves::Leaves},
};

#[derive(Clone)]
pub struct DeletedObject {
    kind: RecordKind,
    meta: Meta,
    display_name: String,
    at: DateTime<Utc>,
    by: Option<Actor>,
    kept_until: DateTime<Utc>,
}

/// The row of a page.
pub fn edge<R: Record>(deleted: Deleted<R>) -> (String, DeletedObject) {
    let cursor = page::encode(&deleted.place());
    let Deleted { record, at, by, kept_until } = deleted;
    let (meta, display_name) = (record.meta(), record.display_name());
    (cursor, DeletedObject { kind: R::KIND, meta, display_name, at, by, kept_until })
}

/// A record that was deleted and can be restored.
#[Object(name = "DeletedRecord")]
impl DeletedObject {
    async fn id(&self) -> ID {
        self.meta.id.into()
    }

    async fn kind(&self) -> RecordKind {
        self.kind
    }

    /// What people called it.
    async fn display_name(&self) -> &str {
        &self.display_name
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.meta.created_at
    }

    async fn deleted_at(&self) -> DateTime<Utc> {
        self.at
    }

    /// Who deleted it; null where its history is gone.
    async fn deleted_by(&self) -> Option<ActorObject> {
        self.by.as_ref().map(ActorObject::from)
    }

    /// Until then it can be restored.
    async fn restorable_until(&self) -> DateTime<Utc> {
        self.kept_until
    }
}

impl Leaves for DeletedObject {}

connection!(DeletedConnection DeletedEdge of DeletedObject, "DeletedRecordConnection" "DeletedRecordEdge", count(kind: RecordKind, context) {
    let (ctx, caller) = both(context)?;
    for_kind!(*kind, R => deletion::count::<R>(ctx, caller).await?)
});
