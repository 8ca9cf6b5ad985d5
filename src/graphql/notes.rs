//! Mutations of notes. (They are read beside their records: see `objects::note`.)

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use uuid::Uuid;

use super::{
    context::{Repeatable, once},
    errors::parse_id,
    objects::note::NoteObject,
};
use crate::{
    base::ids::NoteId,
    crm::{
        RecordKind,
        notes::{self, NewNote, NotePatch},
    },
};

#[derive(InputObject)]
#[graphql(name = "CreateNoteInput")]
pub struct CreateNoteInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    record_kind: RecordKind,
    /// The record that it is about.
    record_id: ID,
    /// Plain text or Markdown, at most 65,536 characters.
    body: String,
    /// Whether it stands before the others.
    #[graphql(default)]
    is_pinned: bool,
}

#[derive(InputObject)]
#[graphql(name = "UpdateNoteInput")]
pub struct UpdateNoteInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    /// Refuses where the note has changed since this version.
    expected_version: Option<i32>,
    /// Plain text or Markdown, at most 65,536 characters; stays as it is where absent.
    body: Option<String>,
    /// Stays as it is where absent.
    is_pinned: Option<bool>,
}

#[derive(InputObject)]
#[graphql(name = "DeleteNoteInput")]
pub struct DeleteNoteInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    /// Refuses where the note has changed since this version.
    expected_version: Option<i32>,
}

#[derive(SimpleObject)]
#[graphql(name = "CreateNotePayload")]
pub struct CreateNotePayload {
    note: NoteObject,
}

#[derive(SimpleObject)]
#[graphql(name = "UpdateNotePayload")]
pub struct UpdateNotePayload {
    note: NoteObject,
}

#[derive(SimpleObject)]
#[graphql(name = "DeleteNotePayload")]
pub struct DeleteNotePayload {
    deleted_id: ID,
}

/// Mutations of notes.
#[derive(Default)]
pub struct NoteMutation;

#[Object(name = "NoteMutation")]
impl NoteMutation {
    /// Writes a note about a record.
    async fn create_note(
        &self,
        context: &Context<'_>,
        input: CreateNoteInput,
    ) -> async_graphql::Result<CreateNotePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let record: Uuid = parse_id("recordId", &input.record_id)?;
        let new = NewNote { kind: input.record_kind, record, body: input.body, is_pinned: input.is_pinned };
        let note = notes::create(ctx, &caller, new).await?;
        Ok(CreateNotePayload { note: NoteObject(note) })
    }

    /// Changes or pins a note: one's own; managers and admins anybody's.
    async fn update_note(
        &self,
        context: &Context<'_>,
        input: UpdateNoteInput,
    ) -> async_graphql::Result<UpdateNotePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: NoteId = parse_id("id", &input.id)?;
        let patch = NotePatch { body: input.body, is_pinned: input.is_pinned };
        let note = notes::update(ctx, &caller, id, input.expected_version, patch).await?;
        Ok(UpdateNotePayload { note: NoteObject(note) })
    }

    /// Deletes a note: one's own; managers and admins anybody's.
    async fn delete_note(
        &self,
        context: &Context<'_>,
        input: DeleteNoteInput,
    ) -> async_graphql::Result<DeleteNotePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: NoteId = parse_id("id", &input.id)?;
        notes::delete(ctx, &caller, id, input.expected_version).await?;
        Ok(DeleteNotePayload { deleted_id: input.id })
    }
}
