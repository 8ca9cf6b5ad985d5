//! The nouns: a note, and what people send.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    base::ids::{NoteId, UserId},
    crm::record::RecordKind,
    db::schema::notes,
};

/// Something that was written down about a record.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = notes)]
pub struct Note {
    pub id: NoteId,
    /// 1 when created; one more with each change.
    pub version: i32,
    #[diesel(embed)]
    pub about: About,
    /// Plain text or Markdown.
    pub body: String,
    pub is_pinned: bool,
    pub created_by: UserId,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
}

/// The one record that a note is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = notes)]
pub struct About {
    lead_id: Option<Uuid>,
    contact_id: Option<Uuid>,
    account_id: Option<Uuid>,
    deal_id: Option<Uuid>,
    product_id: Option<Uuid>,
    task_id: Option<Uuid>,
}

impl About {
    pub fn new(kind: RecordKind, record: Uuid) -> Self {
        let mut about = Self::default();
        let link = match kind {
            RecordKind::Lead => &mut about.lead_id,
            RecordKind::Contact => &mut about.contact_id,
            RecordKind::Account => &mut about.account_id,
            RecordKind::Deal => &mut about.deal_id,
            RecordKind::Product => &mut about.product_id,
            RecordKind::Task => &mut about.task_id,
        };
        *link = Some(record);
        about
    }

    fn link(&self, kind: RecordKind) -> Option<Uuid> {
        match kind {
            RecordKind::Lead => self.lead_id,
            RecordKind::Contact => self.contact_id,
            RecordKind::Account => self.account_id,
            RecordKind::Deal => self.deal_id,
            RecordKind::Product => self.product_id,
            RecordKind::Task => self.task_id,
        }
    }

    /// The record by its kind; the database keeps none without.
    pub fn record(&self) -> Option<(RecordKind, Uuid)> {
        RecordKind::ALL.iter().find_map(|kind| Some((*kind, self.link(*kind)?)))
    }
}

/// Input for a new note, not checked yet.
#[derive(Debug, Clone)]
pub struct NewNote {
    pub kind: RecordKind,
    pub record: Uuid,
    pub body: String,
    pub is_pinned: bool,
}

/// Input for a change: what is absent stays as it is.
#[derive(Debug, Clone, Default)]
pub struct NotePatch {
    pub body: Option<String>,
    pub is_pinned: Option<bool>,
}

/// Where a note stands among those of its record: pinned ones first, then the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place(pub bool, pub NoteId);

impl Note {
    pub fn place(&self) -> Place {
        Place(self.is_pinned, self.id)
    }
}
