//! Finding duplicates, merging records, and taking that back.

use std::collections::HashMap;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use uuid::Uuid;

use super::{
    context::{Repeatable, both, once},
    errors::{Nullable, nullable, parse_id},
    objects::{
        contact::ContactObject,
        merge::{Asked, CandidateObject, GroupConnection, GroupObject, MergeObject},
        record::{RecordObject, Shown},
    },
};
use crate::{
    base::{
        Result,
        ids::MergeId,
        page::{self, PageArgs},
    },
    crm::{
        Contact, RecordKind,
        merge::{
            self, FieldChoice, MergeRequest,
            duplicates::{self, GroupedBy},
        },
        record::{Record, ops},
    },
    for_kind,
};

/// Whose value a field is to have.
#[derive(InputObject)]
#[graphql(name = "MergeFieldInput")]
pub struct MergeFieldInput {
    /// The field's name, as in the record's type; of a custom field `custom.` and its key.
    field: String,
    /// One of the records to be merged.
    record_id: ID,
}

/// The version of a record as you read it.
#[derive(InputObject)]
#[graphql(name = "ExpectedVersionInput")]
pub struct ExpectedVersionInput {
    id: ID,
    version: i32,
}

#[derive(InputObject)]
#[graphql(name = "MergeInput")]
pub struct MergeInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    /// The record that stays.
    into_id: ID,
    /// Those that become part of it and are deleted: with the one that stays at most `limits.records_per_merge` (50).
    ids: Vec<ID>,
    /// Fields that are not to be as they are in the record that stays. Its empty fields are filled from the
    /// others anyway, in the order of `ids`; tags and custom fields are united.
    #[graphql(default)]
    fields_from: Vec<MergeFieldInput>,
    /// Refuses where one of these records has been changed since.
    #[graphql(default)]
    expected_versions: Vec<ExpectedVersionInput>,
}

#[derive(InputObject)]
#[graphql(name = "MergeRecordsInput")]
pub struct MergeRecordsInput {
    /// Leads, contacts, accounts or deals.
    kind: RecordKind,
    #[graphql(flatten)]
    merge: MergeInput,
}

impl MergeInput {
    fn read(&self) -> Result<MergeRequest> {
        let choice = |choice: &MergeFieldInput| {
            Ok(FieldChoice { field: choice.field.clone(), record: parse_id("fieldsFrom", &choice.record_id)? })
        };
        let expected = |expected: &ExpectedVersionInput| {
            Ok((parse_id::<Uuid>("expectedVersions", &expected.id)?, expected.version))
        };
        Ok(MergeRequest {
            winner: parse_id("intoId", &self.into_id)?,
            losers: self.ids.iter().map(|id| parse_id("ids", id)).collect::<Result<_>>()?,
            choices: self.fields_from.iter().map(choice).collect::<Result<_>>()?,
            expected: self.expected_versions.iter().map(expected).collect::<Result<_>>()?,
        })
    }
}

#[derive(SimpleObject)]
#[graphql(name = "MergeContactsPayload")]
pub struct MergeContactsPayload {
    /// The contact that stays.
    contact: ContactObject,
    merge: MergeObject,
}

#[derive(SimpleObject)]
#[graphql(name = "MergeRecordsPayload")]
pub struct MergeRecordsPayload {
    /// The record that stays.
    record: RecordObject,
    merge: MergeObject,
}

#[derive(InputObject)]
#[graphql(name = "UndoMergeInput")]
pub struct UndoMergeInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    merge_id: ID,
}

#[derive(SimpleObject)]
#[graphql(name = "UndoMergePayload")]
pub struct UndoMergePayload {
    merge: MergeObject,
    /// The records that are there again.
    restored_ids: Vec<ID>,
    /// The fields of the record that stayed that were changed since the merge, and are as they were then.
    kept_fields: Vec<String>,
    /// Deals, tasks, notes, addresses, list members and the like that were led back.
    moved_back_count: i64,
    /// Those that were led elsewhere since the merge, or removed, and stay so.
    kept_count: i64,
}

/// Queries about duplicates and merges.
#[derive(Default)]
pub struct MergeQuery;

#[Object(name = "MergeQuery")]
impl MergeQuery {
    /// Records that may be the same as this one, the likeliest first; at most 50. Only those that you may
    /// see. Tasks have none.
    async fn duplicates(
        &self,
        context: &Context<'_>,
        kind: RecordKind,
        id: ID,
    ) -> async_graphql::Result<Vec<CandidateObject>> {
        let (ctx, caller) = both(context)?;
        let id: Uuid = parse_id("id", &id)?;
        Ok(for_kind!(kind, R => {
            let found = duplicates::of_record::<R>(ctx, caller, id).await?;
            let shown = |one: duplicates::Duplicate<R>| CandidateObject {
                record: one.record.into_record(),
                reasons: one.reasons,
                score: one.score,
            };
            found.into_iter().map(shown).collect()
        }))
    }

    /// Groups of records that have an e-mail address, a phone number or a name in common, in the order of
    /// those. All records of the kind are looked at; where that takes longer than ten seconds it is
    /// `TIMED_OUT`.
    async fn duplicate_groups(
        &self,
        context: &Context<'_>,
        kind: RecordKind,
        by: GroupedBy,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] after: Option<String>,
    ) -> async_graphql::Result<GroupConnection> {
        let (ctx, caller) = both(context)?;
        let args = PageArgs { first, after, ..PageArgs::default() };
        let (slice, records) = for_kind!(kind, R => {
            let slice = duplicates::groups::<R>(ctx, caller, by, args).await?;
            let ids: Vec<_> = slice.rows.iter().flat_map(|group| group.ids.iter().copied()).collect();
            let records = ops::by_ids::<R>(ctx, caller, &ids).await?.into_iter();
            let records: HashMap<_, _> = records.map(|record| (record.meta().id, record.into_record())).collect();
            (slice, records)
        });
        Ok(GroupConnection::new(slice, Asked { kind, by }, |group| {
            let records = group.ids.iter().filter_map(|id| records.get(id).cloned()).collect();
            (page::encode(&group.key), GroupObject { group, records })
        }))
    }

    /// The merges that a record came through, the newest first; at most 500.
    async fn merges(
        &self,
        context: &Context<'_>,
        kind: RecordKind,
        record_id: ID,
    ) -> async_graphql::Result<Vec<MergeObject>> {
        let (ctx, caller) = both(context)?;
        let id: Uuid = parse_id("recordId", &record_id)?;
        let found = for_kind!(kind, R => merge::of_record::<R>(ctx, caller, id).await?);
        Ok(found.into_iter().map(MergeObject).collect())
    }

    /// What has become of a record that was merged: the one that it is part of now, however many merges led
    /// there; null where it is part of none that you may see.
    async fn merged_into(&self, context: &Context<'_>, kind: RecordKind, id: ID) -> Nullable<RecordObject> {
        nullable(async {
            let (ctx, caller) = both(context)?;
            let Ok(id) = id.parse::<Uuid>() else { return Ok(None) };
            Ok(for_kind!(kind, R => merge::into::<R>(ctx, caller, id).await?.map(Shown::into_record)))
        })
        .await
    }
}

/// Mutations that merge.
#[derive(Default)]
pub struct MergeMutation;

#[Object(name = "MergeMutation")]
impl MergeMutation {
    /// Makes one contact of several. What leads to the others leads to the one that stays: deals, tasks,
    /// notes, list members, conversions; their e-mail addresses and phone numbers become its further ones.
    async fn merge_contacts(
        &self,
        context: &Context<'_>,
        input: MergeInput,
    ) -> async_graphql::Result<MergeContactsPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let (contact, merge) = Box::pin(merge::merge::<Contact>(ctx, &caller, input.read()?)).await?;
        Ok(MergeContactsPayload { contact: ContactObject(contact), merge: MergeObject(merge) })
    }

    /// The same for leads, contacts, accounts and deals. (A deal's line items stay with their deal.)
    async fn merge_records(
        &self,
        context: &Context<'_>,
        input: MergeRecordsInput,
    ) -> async_graphql::Result<MergeRecordsPayload> {
        let (ctx, caller) = once(context, &input.merge.repeat)?;
        let request = input.merge.read()?;
        Ok(for_kind!(input.kind, R => {
            let (record, merge) = Box::pin(merge::merge::<R>(ctx, &caller, request)).await?;
            MergeRecordsPayload { record: record.into_record(), merge: MergeObject(merge) }
        }))
    }

    /// Takes a merge back, within 30 days: the merged records are there again, and everything that is still
    /// where the merge put it returns to them. What was changed since stays, and is told.
    async fn undo_merge(
        &self,
        context: &Context<'_>,
        input: UndoMergeInput,
    ) -> async_graphql::Result<UndoMergePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: MergeId = parse_id("mergeId", &input.merge_id)?;
        let undone = Box::pin(merge::undo(ctx, &caller, id)).await?;
        Ok(UndoMergePayload {
            restored_ids: undone.merge.losers.iter().copied().map(ID::from).collect(),
            merge: MergeObject(undone.merge),
            kept_fields: undone.kept_fields,
            moved_back_count: undone.moved_back,
            kept_count: undone.kept,
        })
    }
}
