//! Bulk changes: many records at once, by a job.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    context::{Repeatable, both, once},
    errors::{Nullable, found, nullable, parse_id},
    jobs::JobObject,
    objects::{
        criteria::RecordCriteria,
        input::{AccountInput, ContactInput, DealInput, Given, LeadInput, ProductInput, TaskInput},
    },
};
use crate::{
    base::{
        Error, Result,
        ids::{JobId, UserId},
        page::{self as cursors, PageArgs},
    },
    connection,
    crm::{
        RecordKind,
        bulk::{Asked, Bulk, BulkAction, Chosen, NewBulk, Noted, Started, ops},
    },
    jobs::JobSummary,
};

pub struct BulkJobObject {
    bulk: Bulk,
    job: JobSummary,
}

/// A bulk change: what was asked for, how far it is, what could not be done.
#[Object(name = "BulkJob")]
impl BulkJobObject {
    /// The job's.
    async fn id(&self) -> ID {
        self.bulk.id.into()
    }

    /// `jobProgress` follows it. Records that are as they should be, or that an undo leaves alone
    /// because somebody has changed them since, are skipped.
    async fn job(&self) -> JobObject {
        JobObject(self.job.clone())
    }

    async fn action(&self) -> BulkAction {
        self.bulk.action
    }

    /// Of the records.
    async fn kinds(&self) -> &[RecordKind] {
        &self.bulk.kinds
    }

    /// How many records there were when it was asked for.
    async fn matched(&self) -> i64 {
        self.bulk.matched
    }

    /// The bulk change that this one takes back.
    async fn undoes(&self) -> Option<ID> {
        self.bulk.undoes.map(Into::into)
    }

    /// The records that were left as they are, with why, in the order in which that was found. At most
    /// 1,000 are kept (`limits.bulk_failures`); `job.progress` counts all.
    async fn failures(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] after: Option<String>,
    ) -> async_graphql::Result<BulkFailureConnection> {
        let (ctx, caller) = both(context)?;
        let slice = ops::failures(ctx, caller, self.bulk.id, PageArgs { first, after, ..PageArgs::default() }).await?;
        let edge = |noted: Noted| (cursors::encode(&noted.number), BulkFailureObject::from(noted));
        Ok(BulkFailureConnection::new(slice, self.bulk.noted, edge))
    }
}

/// Why a record was left as it is.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name = "BulkFailure")]
pub struct BulkFailureObject {
    record_kind: RecordKind,
    record_id: ID,
    /// As in the `extensions` of errors, for programs.
    code: String,
    /// The field at odds, where it is about one.
    field: Option<String>,
    message: String,
}

impl From<Noted> for BulkFailureObject {
    fn from(noted: Noted) -> Self {
        Self {
            record_kind: noted.kind,
            record_id: noted.record.into(),
            code: noted.code,
            field: noted.field,
            message: noted.message,
        }
    }
}

impl crate::graphql::leaves::Leaves for BulkFailureObject {}

connection!(BulkFailureConnection BulkFailureEdge of BulkFailureObject, "BulkFailureConnection" "BulkFailureEdge", count(kept: i64, _context) {
    *kept
});

/// Queries about bulk changes.
#[derive(Default)]
pub struct BulkQuery;

#[Object(name = "BulkQuery")]
impl BulkQuery {
    /// One bulk change of yours, or anybody's where your role sees all jobs; null where there is none.
    async fn bulk_job(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The id of its job.")] id: ID,
    ) -> Nullable<BulkJobObject> {
        nullable(async {
            let (ctx, caller) = both(context)?;
            let Ok(id) = id.parse::<JobId>() else { return Ok(None) };
            Ok(found(ops::get(ctx, caller, id).await)?.map(|(bulk, job)| BulkJobObject { bulk, job }))
        })
        .await
    }
}

/// Values for records of one kind: give the one of the kind. Absent fields stay as they are, nulls clear.
#[derive(InputObject)]
#[graphql(name = "BulkPatchInput")]
pub struct BulkPatchInput {
    lead: Option<LeadInput>,
    contact: Option<ContactInput>,
    account: Option<AccountInput>,
    deal: Option<DealInput>,
    product: Option<ProductInput>,
    task: Option<TaskInput>,
}

impl BulkPatchInput {
    /// What is given for this kind; nothing may be given for another.
    fn values(&self, kind: RecordKind) -> Result<Map<String, Value>> {
        let given: [(RecordKind, Option<Given>); 6] = [
            (RecordKind::Lead, self.lead.as_ref().map(LeadInput::given)),
            (RecordKind::Contact, self.contact.as_ref().map(ContactInput::given)),
            (RecordKind::Account, self.account.as_ref().map(AccountInput::given)),
            (RecordKind::Deal, self.deal.as_ref().map(DealInput::given)),
            (RecordKind::Product, self.product.as_ref().map(ProductInput::given)),
            (RecordKind::Task, self.task.as_ref().map(TaskInput::given)),
        ];
        let mut values = Map::new();
        for (of, given) in given.into_iter().filter_map(|(of, given)| Some((of, given?))) {
            if of != kind {
                return Err(Error::invalid(format!("patch.{of}"), "is for records of another kind"));
            }
            values = given.into_json();
        }
        Ok(values)
    }
}

#[derive(InputObject)]
#[graphql(name = "BulkUpdateInput")]
pub struct BulkUpdateInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    kind: RecordKind,
    /// These records, at most 10,000 (`limits.bulk_ids`); or else `where`.
    ids: Option<Vec<ID>>,
    /// All records that match these criteria when the job starts.
    #[graphql(name = "where")]
    criteria: Option<RecordCriteria>,
    /// Values that each of them gets.
    patch: Option<BulkPatchInput>,
    /// Tags that each gets besides its own.
    #[graphql(default)]
    add_tags: Vec<String>,
    /// Tags that each loses.
    #[graphql(default)]
    remove_tags: Vec<String>,
    /// A `CONFLICT` where it would be about another number of records; `details.matched` has that.
    expected_count: Option<i64>,
}

#[derive(InputObject)]
#[graphql(name = "BulkDeleteInput")]
pub struct BulkDeleteInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    kind: RecordKind,
    /// These records, at most 10,000 (`limits.bulk_ids`); or else `where`.
    ids: Option<Vec<ID>>,
    /// All records that match these criteria when the job starts.
    #[graphql(name = "where")]
    criteria: Option<RecordCriteria>,
    /// A `CONFLICT` where it would be about another number of records; `details.matched` has that.
    expected_count: Option<i64>,
}

#[derive(InputObject)]
#[graphql(name = "BulkRestoreInput")]
pub struct BulkRestoreInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    kind: RecordKind,
    /// At most 10,000 (`limits.bulk_ids`). What a bulk change deleted, `undoBulk` restores.
    ids: Vec<ID>,
    /// A `CONFLICT` where it would be about another number of records; `details.matched` has that.
    expected_count: Option<i64>,
}

#[derive(InputObject)]
#[graphql(name = "BulkReassignInput")]
pub struct BulkReassignInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    /// Whose records they are; a person who was deactivated, too.
    from: ID,
    /// Whose they become: an active user; nobody's where it is absent.
    to: Option<ID>,
    /// Of these kinds only; of all where it is absent.
    kinds: Option<Vec<RecordKind>>,
    /// A `CONFLICT` where it would be about another number of records; `details.matched` has that.
    expected_count: Option<i64>,
}

#[derive(InputObject)]
#[graphql(name = "UndoBulkInput")]
pub struct UndoBulkInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    /// The job of the bulk change.
    job_id: ID,
}

#[derive(SimpleObject)]
#[graphql(name = "BulkPayload")]
pub struct BulkPayload {
    /// Does it; `jobProgress` follows it, and `bulkJob` tells what could not be done.
    job: JobObject,
    /// How many records there were when it was asked for.
    matched: i64,
}

impl From<Started> for BulkPayload {
    fn from(Started { job, matched }: Started) -> Self {
        Self { job: JobObject(job), matched }
    }
}

fn ids(given: &[ID]) -> Result<Chosen> {
    let ids = given.iter().map(|id| parse_id::<Uuid>("ids", id)).collect::<Result<_>>()?;
    Ok(Chosen::Ids(ids))
}

fn chosen(given: Option<&[ID]>, criteria: Option<RecordCriteria>) -> Result<Chosen> {
    match (given, criteria) {
        (Some(given), None) => ids(given),
        (None, Some(criteria)) => Ok(Chosen::Where(criteria.node("where")?)),
        _ => Err(Error::invalid("ids", "or where must be given, and not both")),
    }
}

/// Mutations of many records.
#[derive(Default)]
pub struct BulkMutation;

#[Object(name = "BulkMutation")]
impl BulkMutation {
    /// Sets fields of many records, or adds and removes tags; for admins and managers. A record that
    /// is refused takes no other with it.
    async fn bulk_update(&self, context: &Context<'_>, input: BulkUpdateInput) -> async_graphql::Result<BulkPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let values = input.patch.as_ref().map(|patch| patch.values(input.kind)).transpose()?.unwrap_or_default();
        let new = NewBulk {
            kind: input.kind,
            chosen: chosen(input.ids.as_deref(), input.criteria)?,
            asked: Asked::Update { values, add_tags: input.add_tags, remove_tags: input.remove_tags },
            expected: input.expected_count,
        };
        Ok(ops::start(ctx, &caller, new).await?.into())
    }

    /// Deletes many records softly; for admins and managers.
    async fn bulk_delete(&self, context: &Context<'_>, input: BulkDeleteInput) -> async_graphql::Result<BulkPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let new = NewBulk {
            kind: input.kind,
            chosen: chosen(input.ids.as_deref(), input.criteria)?,
            asked: Asked::Delete,
            expected: input.expected_count,
        };
        Ok(ops::start(ctx, &caller, new).await?.into())
    }

    /// Takes the deletions of many records back; for admins and managers.
    async fn bulk_restore(&self, context: &Context<'_>, input: BulkRestoreInput) -> async_graphql::Result<BulkPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let new = NewBulk {
            kind: input.kind,
            chosen: ids(&input.ids)?,
            asked: Asked::Restore,
            expected: input.expected_count,
        };
        Ok(ops::start(ctx, &caller, new).await?.into())
    }

    /// Gives all records of one person to another, or to nobody; for admins and managers. A record that
    /// is somebody else's when its turn comes stays theirs.
    async fn bulk_reassign(
        &self,
        context: &Context<'_>,
        input: BulkReassignInput,
    ) -> async_graphql::Result<BulkPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let from: UserId = parse_id("from", &input.from)?;
        let to: Option<UserId> = input.to.as_ref().map(|id| parse_id("to", id)).transpose()?;
        let kinds = input.kinds.unwrap_or_default();
        Ok(ops::reassign(ctx, &caller, from, to, kinds, input.expected_count).await?.into())
    }

    /// Takes a bulk change back that has ended, whether it was done to its end or not; for admins and
    /// managers. Records that somebody has changed since stay as they are, and are told as `failures`.
    async fn undo_bulk(&self, context: &Context<'_>, input: UndoBulkInput) -> async_graphql::Result<BulkPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        Ok(ops::undo(ctx, &caller, parse_id("jobId", &input.job_id)?).await?.into())
    }
}
