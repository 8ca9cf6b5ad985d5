//! How a membership moves: inside somebody's transaction, for everybody who moves one (people,
//! imports, merges, live lists). The list's row is locked first, so that two movers of one list
//! follow one another; what really came and went is logged, counted and told in the same
//! transaction.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    access::NOUN,
    events,
    model::{ListType, Source},
    queries::members::{self, Change},
};
use crate::{
    auth::{Actor, Caller},
    base::{
        Error, Result,
        ids::{ContactListId, WorkspaceId},
    },
    ctx::Ctx,
    db::Tx,
    events::outbox,
};

/// Who moves it, and when.
#[derive(Debug, Clone)]
pub struct By {
    pub workspace: WorkspaceId,
    pub actor: Actor,
    pub at: DateTime<Utc>,
}

impl By {
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

/// Gives a list that is empty the members of another, in one statement; how many.
pub(super) async fn copy_in(tx: &mut Tx, by: &By, from: ContactListId, to: ContactListId) -> Result<i64> {
    let copied = members::copy(tx.connection(), by.workspace, from, to, by.at).await?;
    members::move_count(tx.connection(), by.workspace, to, copied, by.at).await
}

/// Brings the membership of these contacts in line with whether they are live: of a static list a
/// deleted one is suspended and a restored one returns, of a dynamic one a deleted one is removed.
/// Looks at the present, so it may be done late, and again.
pub async fn follow_in(tx: &mut Tx, by: &By, list: ContactListId, records: &[Uuid]) -> Result<()> {
    let list_type = match lock(tx, by, list).await {
        // deleted meanwhile, and its members with it
        Err(Error::NotFound(_)) => return Ok(()),
        locked => locked?,
    };
    let deleted = Change { list, records, at: by.at, source: Source::Deleted };
    let (left, entered) = match list_type {
        ListType::Static => {
            let left = members::suspend(tx.connection(), by.workspace, deleted).await?;
            let restored = Change { source: Source::Restored, ..deleted };
            (left, members::resume(tx.connection(), by.workspace, restored).await?)
        }
        ListType::Dynamic => (members::remove_dead(tx.connection(), by.workspace, deleted).await?, Vec::new()),
    };
    settle(tx, by, list, &entered, &left).await
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
