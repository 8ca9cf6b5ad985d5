//! A bulk change as it is kept.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::{
    base::{
        Error, Result,
        ids::{JobId, UserId},
    },
    crm::record::{
        Record, RecordKind,
        bulk::{Values, Work},
    },
    text_enum,
};

text_enum! {
    /// What is done to many records.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "BulkAction")]
    pub enum BulkAction {
        Update = "update",
        Delete = "delete",
        Restore = "restore",
        /// From one owner to another.
        Reassign = "reassign",
        /// Takes another one back.
        Undo = "undo",
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Asked {
    Update {
        /// By the fields' names in the API.
        values: Map<String, Json>,
        add_tags: Vec<String>,
        remove_tags: Vec<String>,
    },
    Delete,
    Restore,
    Reassign {
        from: UserId,
        to: Option<UserId>,
    },
    Undo {
        of: JobId,
    },
}

impl Asked {
    pub fn action(&self) -> BulkAction {
        match self {
            Self::Update { .. } => BulkAction::Update,
            Self::Delete => BulkAction::Delete,
            Self::Restore => BulkAction::Restore,
            Self::Reassign { .. } => BulkAction::Reassign,
            Self::Undo { .. } => BulkAction::Undo,
        }
    }

    /// The same for records of one kind, checked by its fields.
    pub fn work<R: Record>(&self) -> Result<Work> {
        Ok(match self {
            Self::Update { values, add_tags, remove_tags } => {
                Work::Update(Values::check::<R>(values, add_tags, remove_tags)?)
            }
            Self::Delete => Work::Delete,
            Self::Restore => Work::Restore,
            Self::Reassign { from, to } => Work::Reassign { from: *from, to: *to },
            Self::Undo { of } => Work::PutBack(*of),
        })
    }

    pub(super) fn to_json(&self) -> Result<Json> {
        serde_json::to_value(self).map_err(Error::internal)
    }
}

/// A bulk change; its job tells how far it is.
#[derive(Debug, Clone)]
pub struct Bulk {
    /// Its job's.
    pub id: JobId,
    pub action: BulkAction,
    pub kinds: Vec<RecordKind>,
    pub asked: Asked,
    pub criteria: Option<Json>,
    /// How many records there were when it was asked for.
    pub matched: i64,
    /// How many there are to do; `None` until it is settled which they are. Of ids that is at once.
    pub total: Option<i64>,
    pub counts: Counts,
    /// Failures that were kept.
    pub noted: i64,
    pub undoes: Option<JobId>,
    pub created_by: UserId,
    pub scopes: Option<Vec<String>>,
}

/// What has become of the records so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub succeeded: i64,
    pub failed: i64,
    pub skipped: i64,
}

impl Counts {
    pub fn processed(self) -> i64 {
        self.succeeded + self.failed + self.skipped
    }
}

/// Why a record was left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// Counts from 1.
    pub number: i64,
    pub kind: RecordKind,
    pub record: Uuid,
    pub code: String,
    pub field: Option<String>,
    pub message: String,
}
