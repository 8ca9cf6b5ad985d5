//! Reading timelines, and writing into them.

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    model::{Entry, NewEntry, Place, Source},
    queries::{self, EntryRow, Wanted},
};
use crate::{
    auth::{Actor, Caller, Grant, Permission},
    base::{
        Result,
        page::{PageArgs, Slice},
    },
    crm::record::{Record, Sight, history, ops},
    ctx::Ctx,
    db::Tx,
};

/// Writes entries of the caller, at the clock's time, with this transaction.
pub async fn add_in(ctx: &Ctx, tx: &mut Tx, caller: &Caller, entries: &[NewEntry]) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let workspace = tx.bound_workspace()?;
    queries::insert(tx.connection(), workspace, ctx.clock.now(), &caller.actor(), entries).await
}

/// A page of the timeline of each of these records, the newest first: a constant number of
/// statements for all.
pub async fn pages<R: Record>(
    ctx: &Ctx,
    caller: &Caller,
    records: &[Uuid],
    args: PageArgs,
) -> Result<HashMap<Uuid, Slice<Entry>>> {
    let sight = Sight::of::<R>(caller)?;
    let page = args.parse::<Place>()?;
    page.require_cursor(Place::is_sound)?;
    let mut tx = ctx.db.read(caller).await?;
    let seen = ops::seen_in::<R>(&mut tx, caller, sight, records.to_vec()).await?;
    let rows = queries::pages(tx.connection(), caller.workspace, wanted::<R>(caller), &seen, &page).await?;
    // what comes next has a transaction of its own
    drop(tx);
    let mut found: HashMap<Uuid, Vec<EntryRow>> = records.iter().map(|record| (*record, Vec::new())).collect();
    for row in rows {
        found.entry(row.record).or_default().push(row);
    }
    let slices: HashMap<_, _> = found.into_iter().map(|(record, rows)| (record, page.slice(rows))).collect();
    let shown = slices.values().flat_map(|slice| &slice.rows);
    let versions: Vec<_> = shown.filter_map(EntryRow::version).collect();
    let mut changes: HashMap<_, Vec<_>> = HashMap::new();
    for change in history::of_versions::<R>(ctx, caller, &versions).await? {
        changes.entry((change.record, change.version)).or_default().push(change);
    }
    let mut entry = |row: EntryRow| Entry {
        record: row.record,
        at: row.at,
        about: Source::about(row.source, row.id),
        changes: row.version().and_then(|version| changes.remove(&version)).unwrap_or_default(),
        place: Place(row.at, row.source, row.sequence, row.id),
        actor: Actor::read(row.actor),
        what: row.what,
        payload: row.payload,
    };
    let mut entries = |slice: Slice<EntryRow>| Slice {
        rows: slice.rows.into_iter().map(&mut entry).collect(),
        has_next: slice.has_next,
        has_previous: slice.has_previous,
    };
    Ok(slices.into_iter().map(|(record, slice)| (record, entries(slice))).collect())
}

/// How long the timelines of these records are.
pub async fn counts<R: Record>(ctx: &Ctx, caller: &Caller, records: &[Uuid]) -> Result<HashMap<Uuid, i64>> {
    let sight = Sight::of::<R>(caller)?;
    let mut tx = ctx.db.read(caller).await?;
    let seen = ops::seen_in::<R>(&mut tx, caller, sight, records.to_vec()).await?;
    let counted = queries::counts(tx.connection(), caller.workspace, wanted::<R>(caller), &seen).await?;
    let none = records.iter().map(|record| (*record, 0));
    Ok(none.chain(counted).collect())
}

/// Tasks need a right of their own: without it the timeline has none.
fn wanted<R: Record>(caller: &Caller) -> Wanted {
    let tasks = match caller.grant(Permission::TasksRead) {
        Grant::No => None,
        Grant::Own => Some(Sight::Own(caller.user)),
        Grant::All => Some(Sight::All),
    };
    Wanted { kind: R::KIND, tasks }
}
