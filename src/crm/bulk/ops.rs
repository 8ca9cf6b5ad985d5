//! The verbs of bulk changes: start one, take one back, look. The work itself is a job.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    jobs::RunBulk,
    model::{Asked, Bulk, Noted},
    queries::{self, NewRow},
};
use crate::{
    auth::{Caller, Permission},
    base::{
        Error, FieldErrors, Result,
        error::Conflict,
        ids::{JobId, UserId},
        page::{PageArgs, Slice},
    },
    crm::{
        RecordKind,
        criteria::Node,
        matching,
        record::{
            Rules, Sight,
            bulk::{self, Work},
            ops as records,
        },
    },
    ctx::Ctx,
    db::Tx,
    for_kind,
    jobs::{self, Enqueued, JobSummary, enqueue},
    team::{
        audit,
        repeat::{self, Turn},
        work,
    },
};

/// Which records are meant.
#[derive(Debug, Clone)]
pub enum Chosen {
    Ids(Vec<Uuid>),
    Where(Node),
}

/// A bulk change that somebody asks for.
#[derive(Debug, Clone)]
pub struct NewBulk {
    pub kind: RecordKind,
    pub chosen: Chosen,
    pub asked: Asked,
    /// Refused where it is about another number of records.
    pub expected: Option<i64>,
}

/// A bulk change that will be done.
#[derive(Debug, Clone)]
pub struct Started {
    pub job: JobSummary,
    /// How many records there were when it was asked for.
    pub matched: i64,
}

/// Starts a bulk change of the records of one kind.
pub async fn start(ctx: &Ctx, caller: &Caller, new: NewBulk) -> Result<Started> {
    let kind = new.kind;
    for_kind!(kind, R => bulk::require::<R>(caller, &new.asked.work::<R>()?)?);
    if let Some((id, tx)) = repeat::earlier(ctx, caller).await? {
        return again(tx, caller, id).await;
    }
    let (ids, criteria) = match new.chosen {
        Chosen::Ids(ids) => (checked_ids(ctx, ids)?, None),
        Chosen::Where(node) => (Vec::new(), Some(counted(ctx, caller, kind, &node).await?)),
    };
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, tx) => return again(tx, caller, id).await,
    };
    for_kind!(kind, R => {
        if let Work::Update(values) = new.asked.work::<R>()? {
            values.check_in::<R>(&mut tx, caller).await?;
        }
    });
    let (matched, criteria) = match criteria {
        Some((matched, node)) => (matched, Some(node)),
        None => {
            let (sight, noun) = for_kind!(kind, R => (Sight::of_writer::<R>(caller), <R as Rules>::NOUN));
            let are_deleted = new.asked == Asked::Restore;
            let there = queries::count_of(tx.connection(), caller.workspace, kind, sight, &ids, are_deleted).await?;
            if there == 0 {
                return Err(Error::NotFound(noun));
            }
            (there, None)
        }
    };
    require_expected(new.expected, matched)?;
    let total = criteria.is_none().then_some(ids.len() as i64);
    let plan = Plan { kinds: vec![kind], asked: new.asked, criteria, matched, total, undoes: None };
    let job = plan.put_in(ctx, &mut tx, caller).await?;
    queries::target(tx.connection(), caller.workspace, job.id, kind, &ids).await?;
    tx.commit(job.id).await?;
    Ok(Started { job, matched })
}

/// Starts to give all that is one person's to another, or to nobody; of these kinds, or of all.
pub async fn reassign(
    ctx: &Ctx,
    caller: &Caller,
    from: UserId,
    to: Option<UserId>,
    kinds: Vec<RecordKind>,
    expected: Option<i64>,
) -> Result<Started> {
    let kinds: BTreeSet<_> = if kinds.is_empty() { RecordKind::ALL.to_vec() } else { kinds }.into_iter().collect();
    let asked = Asked::Reassign { from, to };
    for kind in &kinds {
        for_kind!(*kind, R => bulk::require::<R>(caller, &asked.work::<R>()?)?);
    }
    if to == Some(from) {
        return Err(Error::invalid("to", "must be somebody else"));
    }
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, tx) => return again(tx, caller, id).await,
    };
    let mut fields = FieldErrors::new();
    if !queries::is_member(tx.connection(), caller.workspace, from).await? {
        fields.add("from", "is not a user of this workspace");
    }
    if let Some(to) = to
        && !records::may_own(&mut tx, caller.workspace, to).await?
    {
        fields.add("to", "is not an active user of this workspace");
    }
    fields.into_result()?;
    let mut matched = 0;
    for kind in &kinds {
        matched += queries::count_owned(tx.connection(), caller.workspace, *kind, from).await?;
    }
    require_room(ctx, matched)?;
    require_expected(expected, matched)?;
    let kinds = kinds.into_iter().collect();
    let plan = Plan { kinds, asked, criteria: None, matched, total: None, undoes: None };
    let job = plan.put_in(ctx, &mut tx, caller).await?;
    tx.commit(job.id).await?;
    Ok(Started { job, matched })
}

/// Starts to take a bulk change back that has ended: each of its records gets the values that it had
/// before, unless somebody has changed it since.
pub async fn undo(ctx: &Ctx, caller: &Caller, id: JobId) -> Result<Started> {
    caller.require_all(Permission::RecordsBulk)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, tx) => return again(tx, caller, id).await,
    };
    // two who take it back at once wait for one another here
    let of = queries::lock(tx.connection(), caller.workspace, id).await?.ok_or(NOT_FOUND)?;
    for kind in &of.kinds {
        for_kind!(*kind, R => bulk::require::<R>(caller, &of.asked.work::<R>()?)?);
    }
    let job = jobs::find(&mut tx, caller.workspace, id).await?.ok_or(NOT_FOUND)?;
    if !job.state.is_final() {
        return Err(Error::conflict("This bulk change has not ended yet; cancel its job first"));
    }
    if queries::is_being_undone(tx.connection(), caller.workspace, id).await? {
        return Err(Error::conflict("This bulk change is being taken back already"));
    }
    let matched = queries::count_done(tx.connection(), caller.workspace, id).await?;
    let asked = Asked::Undo { of: id };
    let plan = Plan { kinds: of.kinds, asked, criteria: None, matched, total: None, undoes: Some(id) };
    let job = plan.put_in(ctx, &mut tx, caller).await?;
    tx.commit(job.id).await?;
    Ok(Started { job, matched })
}

/// One bulk change with its job: the caller's own, or anybody's for those who see all jobs.
pub async fn get(ctx: &Ctx, caller: &Caller, id: JobId) -> Result<(Bulk, JobSummary)> {
    let job = work::get(ctx, caller, id).await?;
    let mut tx = ctx.db.read(caller).await?;
    let found = queries::find(tx.connection(), caller.workspace, id).await?;
    Ok((found.ok_or(NOT_FOUND)?, job))
}

/// The records of a bulk change that were left as they are, with why; those that are kept.
pub async fn failures(ctx: &Ctx, caller: &Caller, id: JobId, args: PageArgs) -> Result<Slice<Noted>> {
    let request = args.parse::<i64>()?;
    get(ctx, caller, id).await?;
    let mut tx = ctx.db.read(caller).await?;
    Ok(request.slice(queries::failures(tx.connection(), caller.workspace, id, &request).await?))
}

const NOT_FOUND: Error = Error::NotFound("Bulk change");

/// What a repetition is answered with.
async fn again(mut tx: Tx, caller: &Caller, id: JobId) -> Result<Started> {
    let found = queries::find(tx.connection(), caller.workspace, id).await?.ok_or(NOT_FOUND)?;
    let job = jobs::find(&mut tx, caller.workspace, id).await?.ok_or(NOT_FOUND)?;
    Ok(Started { job, matched: found.matched })
}

/// A bulk change about to be put down.
struct Plan {
    kinds: Vec<RecordKind>,
    asked: Asked,
    criteria: Option<Json>,
    matched: i64,
    total: Option<i64>,
    undoes: Option<JobId>,
}

impl Plan {
    /// Puts it down with its job and its line in the audit log.
    async fn put_in(self, ctx: &Ctx, tx: &mut Tx, caller: &Caller) -> Result<JobSummary> {
        let (workspace, now) = (caller.workspace, ctx.clock.now());
        let about = Enqueued { workspace: Some(workspace), created_by: Some(caller.user), ..Enqueued::default() };
        let id = enqueue::<Ctx, _>(tx, now, &RunBulk {}, about).await?;
        let id = id.ok_or_else(|| Error::internal("a job without a unique key was taken for another"))?;
        let work = self.asked.to_json()?;
        let details = json!({ "kinds": self.kinds, "matched": self.matched, "work": work, "where": self.criteria });
        let row = NewRow {
            workspace_id: workspace,
            id,
            action: self.asked.action(),
            kinds: self.kinds,
            work,
            criteria: self.criteria,
            matched: self.matched,
            total: self.total,
            undoes: self.undoes,
            created_by: caller.user,
            scopes: caller.scopes(),
            created_at: now,
        };
        queries::insert(tx.connection(), &row).await?;
        audit::record_in(ctx, tx, caller, audit::Entry::new("bulk.started", "job", id).with(details)).await?;
        jobs::find(tx, workspace, id).await?.ok_or(NOT_FOUND)
    }
}

/// Each once.
fn checked_ids(ctx: &Ctx, ids: Vec<Uuid>) -> Result<Vec<Uuid>> {
    let most = ctx.limits.bulk_ids;
    if ids.len() > most {
        return Err(Error::invalid("ids", format!("must be at most {most} (limits.bulk_ids)")));
    }
    let ids: BTreeSet<_> = ids.into_iter().collect();
    if ids.is_empty() {
        return Err(Error::invalid("ids", "must name a record"));
    }
    Ok(ids.into_iter().collect())
}

fn require_expected(expected: Option<i64>, matched: i64) -> Result<()> {
    if expected.is_none_or(|expected| expected == matched) {
        return Ok(());
    }
    let message = format!("There are {matched} such records by now");
    let mut fields = FieldErrors::new();
    fields.add("expectedCount", format!("is not what there is: {matched}"));
    Err(Error::Conflict(Conflict { message: message.into(), fields, details: Some(json!({ "matched": matched })) }))
}

fn require_room(ctx: &Ctx, matched: i64) -> Result<()> {
    let most = ctx.limits.bulk_records;
    if matched <= most {
        return Ok(());
    }
    Err(Error::TooLarge(format!("This is about more than {most} records (limits.bulk_records)").into()))
}

/// How many records match, and the criteria as they are kept.
async fn counted(ctx: &Ctx, caller: &Caller, kind: RecordKind, node: &Node) -> Result<(i64, Json)> {
    let matched = for_kind!(kind, R => matching::count_all::<R>(ctx, caller, node).await?);
    require_room(ctx, matched)?;
    Ok((matched, serde_json::to_value(node).map_err(Error::internal)?))
}
