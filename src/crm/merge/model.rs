//! The nouns: what is asked of a merge, and what is kept of it.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    prelude::*,
    sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    base::ids::{MergeId, UserId},
    crm::record::RecordKind,
};

/// How long a merge can be undone. The merged records are kept as long at least.
pub const UNDOABLE_FOR: TimeDelta = TimeDelta::days(30);

/// Whose value a field is to have.
#[derive(Debug, Clone)]
pub struct FieldChoice {
    /// The field's API name; of a custom field `custom.<key>`.
    pub field: String,
    pub record: Uuid,
}

/// What is to become one.
#[derive(Debug, Clone)]
pub struct MergeRequest {
    /// Which one stays.
    pub winner: Uuid,
    /// The others.
    pub losers: Vec<Uuid>,
    pub choices: Vec<FieldChoice>,
    /// The versions that the caller has seen.
    pub expected: Vec<(Uuid, i32)>,
}

/// That several records became one.
#[derive(Debug, Clone, QueryableByName)]
pub struct RecordMerge {
    #[diesel(sql_type = SqlUuid)]
    pub id: MergeId,
    #[diesel(sql_type = Text)]
    pub kind: RecordKind,
    /// The one that stayed.
    #[diesel(sql_type = SqlUuid)]
    pub record_id: Uuid,
    /// Those that became part of it.
    #[diesel(sql_type = Array<SqlUuid>)]
    pub losers: Vec<Uuid>,
    #[diesel(sql_type = Timestamptz)]
    pub merged_at: DateTime<Utc>,
    #[diesel(sql_type = SqlUuid)]
    pub merged_by: UserId,
    /// What it did to the fields of the one that stayed, by column.
    #[diesel(sql_type = Jsonb)]
    pub before: Json,
    #[diesel(sql_type = Jsonb)]
    pub after: Json,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub undone_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub undone_by: Option<UserId>,
}

impl RecordMerge {
    /// Until when it can be undone; none where it was.
    pub fn undoable_until(&self) -> Option<DateTime<Utc>> {
        self.undone_at.is_none().then(|| self.merged_at + UNDOABLE_FOR)
    }
}

/// What came of an undoing.
#[derive(Debug, Clone)]
pub struct Undone {
    pub merge: RecordMerge,
    /// The fields of the record that stayed that have been changed since, and are as they were then.
    pub kept_fields: Vec<String>,
    /// Rows that lead to the others again: deals, tasks, notes, addresses, list members.
    pub moved_back: i64,
    /// Rows that were moved elsewhere since, or removed, and stay so.
    pub kept: i64,
}

/// Records that have a mark in common.
#[derive(Debug, Clone, QueryableByName)]
pub struct DuplicateGroup {
    /// The mark.
    #[diesel(sql_type = Text)]
    pub key: String,
    #[diesel(sql_type = BigInt)]
    pub count: i64,
    /// The oldest of them.
    #[diesel(sql_type = Array<SqlUuid>)]
    pub ids: Vec<Uuid>,
}
