//! What is read beside lists, for many of them at once: their members, who entered and left, their
//! sizes, who uses them, with whom they are shared. A list that the caller does not see has nothing.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    access,
    model::{ContactList, ListUse, LogEntry, Member, Share, SizePoint},
    queries::{beside, lists, members},
};
use crate::{
    auth::{Caller, Permission},
    base::{
        Error, Result,
        ids::{ContactListId, JobId},
        page::{PageArgs, Slice},
    },
    crm::record::select::{At, Order},
    ctx::Ctx,
    jobs::{self, JobSummary},
};

/// Longest time of which the sizes are told at once: a year by the hour.
const LONGEST: TimeDelta = TimeDelta::days(366);
/// Lists of one contact that are told.
const LISTS: i64 = 500;

/// A page of the members of each of these lists in this order, each with its place. One statement for all.
pub async fn members(
    ctx: &Ctx,
    caller: &Caller,
    lists: &[ContactListId],
    order: Order,
    args: PageArgs,
) -> Result<HashMap<ContactListId, Slice<(At, Member)>>> {
    access::require_read(caller)?;
    let page = args.parse::<At>()?;
    page.require_cursor(|at| at.is_of(members::TABLE, order))?;
    let mut tx = ctx.db.read(caller).await?;
    let rows = members::pages(tx.connection(), caller.workspace, caller.user, lists, order, &page).await?;
    Ok(by_list(lists, rows, |(_, member)| member.list_id).map(|(list, rows)| (list, page.slice(rows))).collect())
}

/// A page of who entered and left each of these lists, the newest first.
pub async fn log(
    ctx: &Ctx,
    caller: &Caller,
    lists: &[ContactListId],
    args: PageArgs,
) -> Result<HashMap<ContactListId, Slice<LogEntry>>> {
    access::require_read(caller)?;
    let page = args.parse::<i64>()?;
    let mut tx = ctx.db.read(caller).await?;
    let rows = members::log_pages(tx.connection(), caller.workspace, caller.user, lists, &page).await?;
    Ok(by_list(lists, rows, |row| row.list_id).map(|(list, rows)| (list, page.slice(rows))).collect())
}

/// The jobs of these that build lists, for whoever sees the list: it is the list that says which.
pub async fn builds(ctx: &Ctx, caller: &Caller, jobs: &[JobId]) -> Result<HashMap<JobId, JobSummary>> {
    caller.require(Permission::ListsRead)?;
    let mut tx = ctx.db.read(caller).await?;
    let found = jobs::find_many(&mut tx, caller.workspace, jobs).await?;
    Ok(found.into_iter().map(|job| (job.id, job)).collect())
}

/// How long the logs of these lists are.
pub async fn log_counts(ctx: &Ctx, caller: &Caller, lists: &[ContactListId]) -> Result<HashMap<ContactListId, i64>> {
    access::require_read(caller)?;
    let mut tx = ctx.db.read(caller).await?;
    let rows = members::log_counts(tx.connection(), caller.workspace, caller.user, lists).await?;
    Ok(rows.into_iter().map(|row| (row.list_id, row.count)).collect())
}

/// The sizes of these lists from one time to another, at the end of each hour in which they changed;
/// before them the one that they had at the beginning.
pub async fn sizes(
    ctx: &Ctx,
    caller: &Caller,
    lists: &[ContactListId],
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<HashMap<ContactListId, Vec<SizePoint>>> {
    caller.require(Permission::ListsRead)?;
    if [from, to].iter().any(|at| !(1..=9999).contains(&at.year())) {
        return Err(Error::invalid("range", "must be within the years 1 to 9999"));
    }
    if to <= from || to - from > LONGEST {
        return Err(Error::invalid("range", "must end behind its beginning, at most 366 days"));
    }
    let mut tx = ctx.db.read(caller).await?;
    let rows = beside::sizes(tx.connection(), caller.workspace, caller.user, lists, (from, to)).await?;
    Ok(by_list(lists, rows, |row| row.list_id).collect())
}

/// Whose criteria name these lists.
pub async fn uses(ctx: &Ctx, caller: &Caller, lists: &[ContactListId]) -> Result<HashMap<ContactListId, Vec<ListUse>>> {
    caller.require(Permission::ListsRead)?;
    let mut tx = ctx.db.read(caller).await?;
    let seen = lists::visible_of(tx.connection(), caller.workspace, caller.user, lists).await?;
    let rows = beside::uses(tx.connection(), caller.workspace, caller.user, &seen).await?;
    Ok(by_list(lists, rows, |row| row.list_id).collect())
}

/// With whom these lists are shared by name.
pub async fn shares(ctx: &Ctx, caller: &Caller, lists: &[ContactListId]) -> Result<HashMap<ContactListId, Vec<Share>>> {
    caller.require(Permission::ListsRead)?;
    let mut tx = ctx.db.read(caller).await?;
    let rows = beside::shares(tx.connection(), caller.workspace, caller.user, lists).await?;
    Ok(by_list(lists, rows, |row| row.list_id).collect())
}

/// The lists of each of these contacts that the caller sees, by name; the first 500.
pub async fn of_contacts(ctx: &Ctx, caller: &Caller, contacts: &[Uuid]) -> Result<HashMap<Uuid, Vec<ContactList>>> {
    caller.require(Permission::ListsRead)?;
    let mut tx = ctx.db.read(caller).await?;
    let rows = lists::with_contacts(tx.connection(), caller.workspace, caller.user, contacts, LISTS).await?;
    let mut found: HashMap<Uuid, Vec<ContactList>> = contacts.iter().map(|contact| (*contact, Vec::new())).collect();
    for (contact, list) in rows {
        found.entry(contact).or_default().push(list);
    }
    Ok(found)
}

/// The rows of each list, in their order; none for one without.
fn by_list<T>(
    lists: &[ContactListId],
    rows: Vec<T>,
    list_of: impl Fn(&T) -> ContactListId,
) -> impl Iterator<Item = (ContactListId, Vec<T>)> {
    let mut found: HashMap<ContactListId, Vec<T>> = lists.iter().map(|list| (*list, Vec::new())).collect();
    for row in rows {
        found.entry(list_of(&row)).or_default().push(row);
    }
    found.into_iter()
}
