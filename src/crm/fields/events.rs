//! What changes of definitions tell the world: whoever keeps criteria looks whether they still hold.

use serde_json::json;

use super::CustomField;
use crate::events::NewEvent;

/// What happened to a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldAction {
    Created,
    Updated,
    Deleted,
}

impl FieldAction {
    /// Also the action in the audit log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "custom_field.created",
            Self::Updated => "custom_field.updated",
            Self::Deleted => "custom_field.deleted",
        }
    }
}

/// In the payload the record's `kind` and the field's `key`; criteria know it as `custom.<key>`.
pub fn changed(action: FieldAction, field: &CustomField) -> NewEvent {
    NewEvent {
        name: action.name(),
        kind: Some("custom_field"),
        record_ids: vec![field.id.0],
        payload: json!({ "kind": field.kind, "key": field.key }),
    }
}
