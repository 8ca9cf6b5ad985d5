//! Definitions of custom fields as the API shows them.

use async_graphql::{ID, Object};
use chrono::{DateTime, Utc};

use crate::crm::{
    RecordKind,
    fields::{CustomField, CustomType},
};

pub struct CustomFieldObject(pub CustomField);

/// A field that somebody defined for the records of a kind. Records have its value in `customFields`,
/// under its key.
#[Object(name = "CustomField")]
impl CustomFieldObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// Of which records.
    async fn kind(&self) -> RecordKind {
        self.0.kind
    }

    /// Where its values stand; never changes. Criteria and the history say `custom.` and the key.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// What people call it.
    async fn label(&self) -> &str {
        &self.0.label
    }

    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// What it holds; never changes.
    #[graphql(name = "type")]
    async fn field_type(&self) -> CustomType {
        self.0.field_type
    }

    /// Of a `CHOICE` or `MULTI_CHOICE`, in order; empty for the others.
    async fn choices(&self) -> &[String] {
        &self.0.choices
    }

    /// Of a `RECORD`: of which kind.
    async fn record_kind(&self) -> Option<RecordKind> {
        self.0.record_kind
    }

    /// Whether no new record may lack it, and nobody may clear it.
    async fn is_required(&self) -> bool {
        self.0.is_required
    }

    /// Whether no two records may have the same value; upper and lower case are the same.
    async fn is_unique(&self) -> bool {
        self.0.is_unique
    }

    /// Whether records are found by it fast.
    async fn is_indexed(&self) -> bool {
        self.0.is_indexed
    }

    /// Its place among the fields of the kind.
    async fn position(&self) -> i32 {
        self.0.position
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}
