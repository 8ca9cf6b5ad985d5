//! What happens to records, as events. One event may be about many records of one kind.

use serde_json::json;
use uuid::Uuid;

use super::RecordKind;
use crate::{events::NewEvent, text_enum};

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

/// An event about records. `changed` holds the API names of the changed fields.
pub fn changed(kind: RecordKind, action: ChangeAction, records: Vec<Uuid>, changed: &[&str]) -> NewEvent {
    let name = match action {
        ChangeAction::Created => "record.created",
        ChangeAction::Updated => "record.updated",
        ChangeAction::Deleted => "record.deleted",
        ChangeAction::Restored => "record.restored",
    };
    NewEvent { name, kind: Some(kind.as_str()), record_ids: records, payload: json!({ "changed": changed }) }
}

/// The action of a logged event, where it is one about records.
pub fn action_of(event_name: &str) -> Option<ChangeAction> {
    ChangeAction::parse(event_name.strip_prefix(PREFIX)?).ok()
}
