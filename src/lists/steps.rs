//! How a membership moves: inside somebody's transaction, for everybody who moves one (people,
//! imports, merges, live lists). The list's row is locked first, so that two movers of one list
//! follow one another; what really came and went is logged, counted and told in the same
//! transaction.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    access::NOUN,
    events,
    model::{ListType, Source},
    queries::{
        kept,
        members::{self, Change},
        moves::{self, Moves},
    },
};
use crate::{
    auth::{Actor, Caller},
    base::{
        Error, Result,
        ids::{ContactListId, JobId, WorkspaceId},
    },
    ctx::Ctx,
    db::Tx,
    events::outbox,
};

/// A membership that is not what the criteria say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    pub list_id: ContactListId,
    pub record_id: Uuid,
    /// Whether it is to become a member; else it is none any more.
    pub enters: bool,
    pub is_live: bool,
}

/// Who moves it, and when.
#[derive(Debug, Clone)]
pub struct By {
    pub workspace: WorkspaceId,
    pub actor: Actor,
    pub at: DateTime<Utc>,
}

impl By {
    /// The program itself, in a job of its own.
    pub fn job(workspace: WorkspaceId, job: JobId, at: DateTime<Utc>) -> Self {
        let actor = Actor { kind: "system".to_owned(), user: None, through: Some(job.0) };
        Self { workspace, actor, at }
    }

    pub fn caller(ctx: &Ctx, caller: &Caller) -> Self {
        Self { workspace: caller.workspace, actor: caller.actor(), at: ctx.clock.now() }
    }
}

/// Adds live contacts; those that were no members before. What is no live contact is left out.
pub async fn add_in(tx: &mut Tx, by: &By, list: ContactListId, records: &[Uuid], source: Source) -> Result<Vec<Uuid>> {
    lock(tx, by, list).await?;
    let change = Change { list, records, at: by.at, source };
    let entered = members::add(tx.connection(), by.workspace, change).await?;
    settle(tx, by, list, &entered, &[]).await?;
    Ok(entered)
}

/// Removes contacts; those that were members before.
pub async fn remove_in(
    tx: &mut Tx,
    by: &By,
    list: ContactListId,
    records: &[Uuid],
    source: Source,
) -> Result<Vec<Uuid>> {
    lock(tx, by, list).await?;
    let change = Change { list, records, at: by.at, source };
    let left = members::remove(tx.connection(), by.workspace, change).await?;
    settle(tx, by, list, &[], &left).await?;
    Ok(left)
}

/// Makes these live contacts the members, and nobody else; whether anything moved.
pub async fn set_in(tx: &mut Tx, by: &By, list: ContactListId, records: &[Uuid], source: Source) -> Result<bool> {
    lock(tx, by, list).await?;
    let change = Change { list, records, at: by.at, source };
    let left = members::remove_others(tx.connection(), by.workspace, change).await?;
    let entered = members::add(tx.connection(), by.workspace, change).await?;
    settle(tx, by, list, &entered, &left).await?;
    Ok(!(entered.is_empty() && left.is_empty()))
}

/// Gives a static list that is empty the members of another, in one statement; how many. Deleted contacts,
/// which a dynamic list may not have come to follow yet, are members of neither.
pub(super) async fn copy_in(tx: &mut Tx, by: &By, from: ContactListId, to: ContactListId) -> Result<i64> {
    let copied = members::copy(tx.connection(), by.workspace, from, to, by.at).await?;
    members::move_count(tx.connection(), by.workspace, to, copied, by.at).await
}

/// Lets contacts enter and leave many dynamic lists at once; the lists are locked, those of which the
/// criteria were changed meanwhile are left alone. How many really moved.
pub(super) async fn move_in(
    tx: &mut Tx,
    by: &By,
    versions: &BTreeMap<ContactListId, i32>,
    differences: &[Difference],
) -> Result<usize> {
    if differences.is_empty() {
        return Ok(0);
    }
    let touched: BTreeSet<_> = differences.iter().map(|one| one.list_id).collect();
    let wanted: Vec<_> = touched.iter().filter_map(|list| Some((*list, *versions.get(list)?))).collect();
    let held: BTreeSet<_> = kept::lock_many(tx.connection(), by.workspace, &wanted).await?.into_iter().collect();
    let (mut come, mut go) = (Moves::default(), Moves::default());
    for one in differences.iter().filter(|one| held.contains(&one.list_id)) {
        match (one.enters, one.is_live) {
            (true, _) => come.push(one.list_id, one.record_id, Source::CriteriaMatch),
            (false, true) => go.push(one.list_id, one.record_id, Source::CriteriaMatch),
            (false, false) => go.push(one.list_id, one.record_id, Source::Deleted),
        }
    }
    let left = if go.is_empty() { Vec::new() } else { moves::leave(tx.connection(), by.workspace, &go, by.at).await? };
    let entered =
        if come.is_empty() { Vec::new() } else { moves::enter(tx.connection(), by.workspace, &come, by.at).await? };
    let mut moved: BTreeMap<ContactListId, (Vec<Uuid>, Vec<Uuid>)> = BTreeMap::new();
    for one in &entered {
        moved.entry(one.list_id).or_default().0.push(one.record_id);
    }
    for one in &left {
        moved.entry(one.list_id).or_default().1.push(one.record_id);
    }
    if moved.is_empty() {
        return Ok(0);
    }
    let lists: Vec<_> = moved.keys().copied().collect();
    let more: Vec<_> = moved.values().map(|(entered, left)| entered.len() as i64 - left.len() as i64).collect();
    let counts = moves::count(tx.connection(), by.workspace, &lists, &more, by.at).await?;
    let mut told = Vec::new();
    for (counted, more) in counts.iter().zip(&more) {
        if let Some((entered, left)) = moved.get(&counted.list_id) {
            told.extend(events::members_changed(counted.list_id, counted.count - more, entered, left));
        }
    }
    outbox::emit(tx, &by.actor, by.at, &told).await?;
    Ok(entered.len() + left.len())
}

/// Brings the membership of these contacts in line with whether they are live: of a static list a
/// deleted one is suspended and a restored one returns. Dynamic lists follow by themselves, see `live`, but for
/// broken ones: a deleted contact leaves these, and does not return before they are built again.
/// Looks at the present, so it may be done late, and again.
pub async fn follow_in(tx: &mut Tx, by: &By, list: ContactListId, records: &[Uuid]) -> Result<()> {
    match lock(tx, by, list).await {
        Ok(ListType::Static) => {}
        Ok(ListType::Dynamic) => {
            let dead = members::dead_of_broken(tx.connection(), by.workspace, list, records).await?;
            let change = Change { list, records: &dead, at: by.at, source: Source::Deleted };
            let left = members::remove(tx.connection(), by.workspace, change).await?;
            return settle(tx, by, list, &[], &left).await;
        }
        // deleted meanwhile, and its members with it
        Err(Error::NotFound(_)) => return Ok(()),
        Err(error) => return Err(error),
    }
    let deleted = Change { list, records, at: by.at, source: Source::Deleted };
    let left = members::suspend(tx.connection(), by.workspace, deleted).await?;
    let restored = Change { source: Source::Restored, ..deleted };
    let entered = members::resume(tx.connection(), by.workspace, restored).await?;
    settle(tx, by, list, &entered, &left).await
}

/// Suspends those members of a list, which has just become static, that are deleted: as a dynamic one it
/// had perhaps not come to follow that yet.
pub(super) async fn suspend_in(tx: &mut Tx, by: &By, list: ContactListId) -> Result<()> {
    let dead = members::dead(tx.connection(), by.workspace, list).await?;
    if dead.is_empty() { Ok(()) } else { follow_in(tx, by, list, &dead).await }
}

async fn lock(tx: &mut Tx, by: &By, list: ContactListId) -> Result<ListType> {
    members::lock(tx.connection(), by.workspace, list).await?.ok_or(Error::NotFound(NOUN))
}

/// Counts and tells what has come and gone.
async fn settle(tx: &mut Tx, by: &By, list: ContactListId, entered: &[Uuid], left: &[Uuid]) -> Result<()> {
    if entered.is_empty() && left.is_empty() {
        return Ok(());
    }
    let more = entered.len() as i64 - left.len() as i64;
    let count = members::move_count(tx.connection(), by.workspace, list, more, by.at).await?;
    let told = events::members_changed(list, count - more, entered, left);
    outbox::emit(tx, &by.actor, by.at, &told).await
}
