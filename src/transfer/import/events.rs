//! What imports tell the world. What happens to the records themselves are record events, one per
//! batch.

use serde_json::json;

use super::model::{Counts, ImportStatus};
use crate::{base::ids::ImportId, events::NewEvent};

pub fn created(import: ImportId) -> NewEvent {
    about("import.created", import, json!({}))
}

pub fn started(import: ImportId) -> NewEvent {
    about("import.started", import, json!({}))
}

/// It came to its end; the counts say with what.
pub fn ended(import: ImportId, status: ImportStatus, counts: Counts) -> NewEvent {
    let name = match status {
        ImportStatus::Failed => "import.failed",
        ImportStatus::Cancelled => "import.cancelled",
        _ => "import.completed",
    };
    let counts = json!({
        "created": counts.created,
        "updated": counts.updated,
        "unchanged": counts.unchanged,
        "skipped": counts.skipped,
        "failed": counts.failed,
    });
    about(name, import, counts)
}

fn about(name: &'static str, import: ImportId, payload: serde_json::Value) -> NewEvent {
    NewEvent { name, kind: Some("import"), record_ids: vec![import.0], payload }
}
