//! What happens to records, as events. One event may be about many records of one kind.

use serde_json::json;
use uuid::Uuid;

use super::RecordKind;
use crate::{
    events::{LoggedEvent, NewEvent},
    text_enum,
};

text_enum! {
    /// What happened to a record.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "ChangeAction")]
    pub enum ChangeAction {
        Created = "created",
        Updated = "updated",
        Deleted = "deleted",
        Restored = "restored",
    }
}

/// The event's name begins so for records of every kind.
pub const PREFIX: &str = "record.";

/// An event about records, each with its version after the change. `changed` holds the API names of
/// the changed fields.
pub fn changed(kind: RecordKind, action: ChangeAction, records: &[(Uuid, i32)], changed: &[&str]) -> NewEvent {
    let name = match action {
        ChangeAction::Created => "record.created",
        ChangeAction::Updated => "record.updated",
        ChangeAction::Deleted => "record.deleted",
        ChangeAction::Restored => "record.restored",
    };
    let (record_ids, versions): (_, Vec<_>) = records.iter().copied().unzip();
    // by it the values are looked up; other actions change no field
    let payload = match action {
        ChangeAction::Updated => json!({ "changed": changed, "versions": versions }),
        _ => json!({ "changed": changed }),
    };
    NewEvent { name, kind: Some(kind.as_str()), record_ids, payload }
}

/// The action of a logged event, where it is one about records.
pub fn action_of(event_name: &str) -> Option<ChangeAction> {
    ChangeAction::parse(event_name.strip_prefix(PREFIX)?).ok()
}

/// The versions that the records of an update had after it, in the order of their ids.
pub fn versions(event: &LoggedEvent) -> Vec<i32> {
    let versions = event.payload.get("versions").cloned().unwrap_or_default();
    serde_json::from_value(versions).unwrap_or_default()
}
