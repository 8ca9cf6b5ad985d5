//! The nouns: an entry of a timeline, where it comes from, and its place.

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    auth::Actor,
    base::ids::{NoteId, TaskId},
    crm::record::{RecordKind, history::FieldChange},
};

/// Something that happened to a record.
#[derive(Debug, Clone)]
pub struct Entry {
    pub record: Uuid,
    pub at: DateTime<Utc>,
    pub actor: Actor,
    /// `created`, `updated`, `deleted`, `restored`, `note`, `task_created`, `task_completed`, or what
    /// others have written.
    pub what: String,
    pub about: About,
    /// What a change did to the record's fields.
    pub changes: Vec<FieldChange>,
    /// What others have written with it.
    pub payload: Option<Json>,
    pub place: Place,
}

/// Something beside the record that an entry tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    Itself,
    Note(NoteId),
    Task(TaskId),
}

/// An entry about to be written.
#[derive(Debug, Clone)]
pub struct NewEntry {
    pub kind: RecordKind,
    pub record: Uuid,
    /// In the past tense: `converted`, `merged`.
    pub what: &'static str,
    /// Ids and numbers only: who sees this record may not see others.
    pub payload: Json,
}

/// Where entries come from, in the order in which those of one instant stand, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Creation = 0,
    Change = 1,
    TaskCreation = 2,
    TaskCompletion = 3,
    Note = 4,
    Written = 5,
}

impl Source {
    pub fn number(self) -> i32 {
        self as i32
    }

    /// What an entry with this number and this id tells of.
    pub fn about(number: i32, id: Uuid) -> About {
        match number {
            number if number == Self::Note.number() => About::Note(NoteId(id)),
            number if number == Self::TaskCreation.number() || number == Self::TaskCompletion.number() => {
                About::Task(TaskId(id))
            }
            _ => About::Itself,
        }
    }
}

/// Where an entry stands: its time, the number of its source, the version of a change (else 0), its
/// id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place(pub DateTime<Utc>, pub i32, pub i32, pub Uuid);

impl Place {
    /// Whether the database can compare it.
    pub fn is_sound(&self) -> bool {
        (1..=9999).contains(&self.0.year())
    }
}
