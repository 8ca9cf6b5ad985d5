//! The nouns of imports, as others see them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    base::ids::{FileId, ImportId, JobId, UserId},
    crm::RecordKind,
    text_enum,
};

text_enum! {
    /// Where an import stands.
    pub enum ImportStatus {
        Pending = "pending",
        Checking = "checking",
        Ready = "ready",
        Processing = "processing",
        Paused = "paused",
        Completed = "completed",
        Failed = "failed",
        Cancelled = "cancelled",
        Expired = "expired",
        Undoing = "undoing",
        Undone = "undone",
    }
}

impl ImportStatus {
    /// Those in which the job waits or runs.
    pub const OPEN: [Self; 2] = [Self::Pending, Self::Processing];

    /// Whether the job still has something to do.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Checking | Self::Ready | Self::Processing | Self::Paused)
    }
}

/// Column of the file, as its header calls it, to the field's API name.
pub type Mapping = BTreeMap<String, String>;

/// What becomes of a row whose key exists already. With neither it is an error; with both, the
/// update wins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImportOptions {
    pub skip_duplicates: bool,
    pub update_existing: bool,
}

/// An import about to be made from an uploaded file.
#[derive(Debug, Clone)]
pub struct NewImport {
    pub kind: RecordKind,
    pub file: FileId,
    /// Column to field, by any of the names that a face uses; columns that are to be ignored may
    /// be left out or map to nothing. When empty, columns are matched to fields by their names.
    pub mapping: BTreeMap<String, Option<String>>,
    pub options: ImportOptions,
}

/// An import as a person sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    pub id: ImportId,
    pub kind: RecordKind,
    pub status: ImportStatus,
    /// `None` when it has expired.
    pub file: Option<FileId>,
    pub file_name: String,
    /// Bytes.
    pub file_size: i64,
    /// Watch it for live progress.
    pub job: JobId,
    /// Empty until the columns were matched, where none was given.
    pub mapping: Mapping,
    pub options: ImportOptions,
    /// `None` until they were counted; exact when completed.
    pub total_rows: Option<i64>,
    pub counts: Counts,
    /// Why it failed as a whole.
    pub message: Option<String>,
    pub created_by: UserId,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    /// When it completed, failed or was cancelled.
    pub completed_at: Option<DateTime<Utc>>,
}

/// What became of the rows so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub created: i64,
    pub updated: i64,
    /// Matched a record that has all these values already.
    pub unchanged: i64,
    /// Duplicates that were to be skipped, and empty rows.
    pub skipped: i64,
    pub failed: i64,
}

impl Counts {
    pub fn processed(self) -> i64 {
        self.succeeded() + self.skipped + self.failed
    }

    /// Rows whose values are in the records now.
    pub fn succeeded(self) -> i64 {
        self.created + self.updated + self.unchanged
    }
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            created: self.created + more.created,
            updated: self.updated + more.updated,
            unchanged: self.unchanged + more.unchanged,
            skipped: self.skipped + more.skipped,
            failed: self.failed + more.failed,
        }
    }
}

/// Which imports a page holds; what is empty does not matter.
#[derive(Debug, Clone, Default)]
pub struct ImportFilter {
    pub statuses: Vec<ImportStatus>,
    pub kind: Option<RecordKind>,
    pub created_by: Option<UserId>,
    /// That which this job does.
    pub job: Option<JobId>,
}
