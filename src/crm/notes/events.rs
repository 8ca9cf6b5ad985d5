//! What happens to notes, as events.

use serde_json::json;

use super::model::Note;
use crate::events::NewEvent;

/// The kind that these events are about.
pub const KIND: &str = "note";

pub fn created(note: &Note) -> NewEvent {
    about("note.created", note)
}

pub fn updated(note: &Note) -> NewEvent {
    about("note.updated", note)
}

pub fn deleted(note: &Note) -> NewEvent {
    about("note.deleted", note)
}

/// The payload says which record the note is about.
fn about(name: &'static str, note: &Note) -> NewEvent {
    let record = note.about.record();
    let payload = json!({
        "kind": record.map(|(kind, _)| kind),
        "recordId": record.map(|(_, id)| id),
        "version": note.version,
    });
    NewEvent { name, kind: Some(KIND), record_ids: vec![note.id.0], payload }
}
