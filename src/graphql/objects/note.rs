//! Notes as the API shows them.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::user::{self, UserObject};
use crate::{
    base::{Error, page},
    connection,
    crm::{RecordKind, notes::Note},
    graphql::{
        errors::{Nullable, nullable},
        loaders::{Loaders, NotesOf, OfRecord},
    },
};

#[derive(Clone)]
pub struct NoteObject(pub Note);

/// Something that was written down about a record.
#[Object(name = "Note")]
impl NoteObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The kind of the record that it is about.
    async fn record_kind(&self) -> async_graphql::Result<RecordKind> {
        Ok(self.about()?.0)
    }

    /// The record that it is about.
    async fn record_id(&self) -> async_graphql::Result<ID> {
        Ok(self.about()?.1.into())
    }

    /// Plain text or Markdown.
    async fn body(&self) -> &str {
        &self.0.body
    }

    /// Whether it stands before the others.
    async fn is_pinned(&self) -> bool {
        self.0.is_pinned
    }

    /// 1 when created, one more with each change. Send it as `expectedVersion` to be told of changes
    /// that you have not seen.
    async fn version(&self) -> i32 {
        self.0.version
    }

    async fn created_by_id(&self) -> ID {
        self.0.created_by.into()
    }

    /// Who wrote it.
    async fn created_by(&self, context: &Context<'_>) -> Nullable<UserObject> {
        nullable(user::named(context, Some(self.0.created_by))).await
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}

impl NoteObject {
    fn about(&self) -> Result<(RecordKind, Uuid), Error> {
        self.0.about.record().ok_or_else(|| Error::internal("a note about nothing"))
    }
}

impl crate::graphql::leaves::Leaves for NoteObject {}

connection!(NoteConnection NoteEdge of NoteObject, "NoteConnection" "NoteEdge", count(record: OfRecord, context) {
    context.data::<Loaders>()?.note_counts.load_one(*record).await?.unwrap_or_default()
});

/// A page of a record's notes.
pub async fn notes(
    context: &Context<'_>,
    kind: RecordKind,
    id: Uuid,
    first: Option<i32>,
    after: Option<String>,
) -> async_graphql::Result<NoteConnection> {
    let record = OfRecord { kind, id };
    let slice = context.data::<Loaders>()?.note_pages.load_one(NotesOf { record, first, after }).await?;
    let slice = slice.ok_or_else(|| Error::internal("a record without a page of its notes"))?;
    Ok(NoteConnection::new(slice, record, |note| (page::encode(&note.place()), NoteObject(note))))
}
