//! Merges and duplicates as the API shows them.

use async_graphql::{ID, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::record::RecordObject;
use crate::{
    connection,
    crm::{
        RecordKind,
        merge::{
            DuplicateGroup, RecordMerge,
            duplicates::{self, GroupedBy, Reason},
        },
    },
    for_kind,
    graphql::{context::both, leaves::Leaves},
};

#[derive(Clone)]
pub struct MergeObject(pub RecordMerge);

/// That several records became one.
#[Object(name = "RecordMerge")]
impl MergeObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    async fn kind(&self) -> RecordKind {
        self.0.kind
    }

    /// The record that stayed.
    async fn record_id(&self) -> ID {
        self.0.record_id.into()
    }

    /// The records that became part of it.
    async fn merged_ids(&self) -> Vec<ID> {
        self.0.losers.iter().copied().map(ID::from).collect()
    }

    async fn merged_at(&self) -> DateTime<Utc> {
        self.0.merged_at
    }

    async fn merged_by_id(&self) -> ID {
        self.0.merged_by.into()
    }

    /// Null where it was undone already.
    async fn undoable_until(&self) -> Option<DateTime<Utc>> {
        self.0.undoable_until()
    }

    async fn undone_at(&self) -> Option<DateTime<Utc>> {
        self.0.undone_at
    }

    async fn undone_by_id(&self) -> Option<ID> {
        self.0.undone_by.map(Into::into)
    }
}

/// A record that may be the same as the one that was asked for.
#[derive(SimpleObject)]
#[graphql(name = "DuplicateCandidate")]
pub struct CandidateObject {
    pub record: RecordObject,
    /// Why it may be.
    pub reasons: Vec<Reason>,
    /// How likely it is, from 0 to 1; good for comparing, and not a measure of anything.
    pub score: f64,
}

/// What a page of groups was asked for, to count them.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub kind: RecordKind,
    pub by: GroupedBy,
}

#[derive(Clone)]
pub struct GroupObject {
    pub group: DuplicateGroup,
    pub records: Vec<RecordObject>,
}

/// Records that have a mark in common, and may be one.
#[Object(name = "DuplicateGroup")]
impl GroupObject {
    /// The mark: an e-mail address, the end of a phone number, or a name in lower case.
    async fn value(&self) -> &str {
        &self.group.key
    }

    /// How many records there are.
    async fn count(&self) -> i64 {
        self.group.count
    }

    /// The oldest of them; at most 50.
    async fn records(&self) -> &[RecordObject] {
        &self.records
    }
}

impl Leaves for GroupObject {}

connection!(GroupConnection GroupEdge of GroupObject, "DuplicateGroupConnection" "DuplicateGroupEdge", count(asked: Asked, context) {
    let (ctx, caller) = both(context)?;
    for_kind!(asked.kind, R => duplicates::count_groups::<R>(ctx, caller, asked.by).await?)
});
