//! Dynamic lists as they are kept: what each asks, for whom, and at which present. Whoever moves the
//! members of dynamic lists goes through here, one at a time for each workspace: what somebody finds out
//! about a membership then stays true until it is moved, without a lock on every list.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::{
    jobs::FollowList,
    memo::{self, Checked, Fields},
    queries::{
        kept::{self as queries, KeptRow},
        lists,
    },
};
use crate::{
    base::{
        Clock, Result,
        ids::{ContactListId, UserId, WorkspaceId},
    },
    crm::{
        RecordKind,
        criteria::{Criteria, Known, Meets, Setting},
    },
    ctx::Ctx,
    db::{Tx, locks},
    jobs::{Enqueued, enqueue},
};

/// Among what a list reads: that its criteria are relative to the present.
pub const CLOCK: &str = "clock";
/// Among what a list reads: that it matters where days and weeks begin.
pub const DAYS: &str = "days";
/// Whose changes are about who is in which list.
pub const MEMBER: &str = "list_member";

/// The source of a change after which criteria that could not be answered are tried again.
pub const CRITERIA: &str = "criteria";

/// Why criteria cannot be answered that name a list which is not there for whoever made them; which list
/// it was is nothing that everybody may know.
pub const UNSEEN: &str = "names a list that was deleted, or that its maker does not see any more";

/// A dynamic list that can be asked.
#[derive(Debug, Clone)]
pub struct KeptList {
    pub id: ContactListId,
    /// Of the criteria.
    pub version: i32,
    /// Whether its members are still those of former criteria, see `build`.
    pub is_rebuilding: bool,
    pub criteria: Criteria,
    /// Its maker's: a list tells of nothing that this person does not see.
    pub setting: Setting,
}

/// The present of a workspace's dynamic lists.
#[derive(Debug, Clone)]
pub struct Present {
    /// No earlier than the moment up to which the lists were told of time's passing.
    pub setting: Setting,
    /// Up to when they were, and by which days; none before the first list that time matters to.
    pub told: Option<Setting>,
    /// How long that took, or the last try of it.
    pub took: TimeDelta,
    /// When they were told last, or that was tried since.
    pub tried: Option<DateTime<Utc>>,
}

/// Waits until nobody else moves members of this workspace's dynamic lists, and then looks at the clock.
/// Comes before any lock on a list.
pub async fn hold_in(tx: &mut Tx, clock: &Clock, workspace: WorkspaceId) -> Result<Present> {
    hold_alone_in(tx, workspace).await?;
    look_in(tx, clock, workspace).await
}

/// The same for who moves nobody.
pub async fn look_in(tx: &mut Tx, clock: &Clock, workspace: WorkspaceId) -> Result<Present> {
    let row = queries::present(tx.connection(), workspace).await?;
    let setting = |at, zone: &str, week| Setting::new(at, zone.parse().unwrap_or(Tz::UTC), week);
    let took = row.clock.as_ref().map_or(TimeDelta::zero(), |clock| TimeDelta::milliseconds(clock.took_millis));
    let tried = row.clock.as_ref().map(|clock| clock.tried_at.unwrap_or(clock.at));
    let told = row.clock.map(|clock| setting(clock.at, &clock.time_zone, clock.week_start));
    // another node's clock may be ahead of this one's
    let now = told.as_ref().map_or_else(|| clock.now(), |told| told.now.max(clock.now()));
    Ok(Present { setting: setting(now, &row.time_zone, row.week_start), told, took, tried })
}

/// As [`hold_in`], without a look at the clock: for whoever takes rows of several lists in no order.
pub async fn hold_alone_in(tx: &mut Tx, workspace: WorkspaceId) -> Result<()> {
    locks::hold_named_in(tx, &format!("live lists of {workspace}")).await
}

/// Writes down that the lists were told of time's passing up to this present, and how long that took.
pub async fn note_told_in(tx: &mut Tx, workspace: WorkspaceId, present: &Present, took: Duration) -> Result<()> {
    let took_millis = millis(took);
    let Setting { now, zone, week_start, .. } = present.setting;
    let clock = queries::Clock { at: now, time_zone: zone.name().to_owned(), week_start, took_millis, tried_at: None };
    queries::set_clock(tx.connection(), workspace, &clock).await
}

/// Writes down that telling them was tried, in vain, and how long that took.
pub async fn note_tried_in(tx: &mut Tx, workspace: WorkspaceId, at: DateTime<Utc>, took: Duration) -> Result<()> {
    queries::note_tried(tx.connection(), workspace, at, millis(took)).await
}

fn millis(took: Duration) -> i64 {
    i64::try_from(took.as_millis()).unwrap_or(i64::MAX)
}

/// Notes why the criteria of these lists, with a version only where it is theirs still, cannot be answered any
/// more. They keep their members but for those that are deleted.
pub async fn break_in(
    tx: &mut Tx,
    workspace: WorkspaceId,
    at: DateTime<Utc>,
    ids: &[ContactListId],
    version: Option<i32>,
    why: &str,
) -> Result<()> {
    lists::note_broken(tx.connection(), workspace, ids, version, why).await?;
    for list in ids {
        let about = Enqueued { workspace: Some(workspace), ..Enqueued::default() };
        enqueue::<Ctx, _>(tx, at, &FollowList { list: *list }, about).await?;
    }
    Ok(())
}

/// The lists that read any of these, or all. Those whose criteria cannot be answered any more are noted as
/// broken, and left out.
pub async fn load_in(
    tx: &mut Tx,
    workspace: WorkspaceId,
    present: &Present,
    reading: Option<&[String]>,
) -> Result<Vec<KeptList>> {
    let rows = queries::rows(tx.connection(), workspace, reading).await?;
    let (found, refused) = ask_in(tx, workspace, present, rows).await?;
    for (row, why) in refused {
        break_in(tx, workspace, present.setting.now, &[row.id], Some(row.version), &why).await?;
    }
    Ok(found)
}

/// One list by its row, or why it cannot be asked.
pub async fn ask_one_in(
    tx: &mut Tx,
    workspace: WorkspaceId,
    present: &Present,
    row: KeptRow,
) -> Result<Result<KeptList, String>> {
    let (mut found, mut refused) = ask_in(tx, workspace, present, vec![row]).await?;
    Ok(match (found.pop(), refused.pop()) {
        (Some(found), _) => Ok(found),
        (None, Some((_, why))) => Err(why),
        (None, None) => Err("cannot be asked".to_owned()),
    })
}

type Refused = (KeptRow, String);

/// By the fields that there are now. What each reads is written down where that is not what it was.
pub async fn ask_in(
    tx: &mut Tx,
    workspace: WorkspaceId,
    present: &Present,
    rows: Vec<KeptRow>,
) -> Result<(Vec<KeptList>, Vec<Refused>)> {
    if rows.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let checked = checked_in(tx, workspace, &rows).await?;
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    for row in rows {
        match checked.get(&row.digest) {
            Some(Ok(checked)) => found.push((row, checked.clone())),
            Some(Err(why)) => refused.push((row, why.clone())),
            // they were changed between two statements: it is built anew
            None => {}
        }
    }
    let missing = missing_in(tx, workspace, &found).await?;
    let mut lists = Vec::new();
    for (row, Checked { criteria, reads }) in found {
        if criteria.lists().iter().any(|list| missing.contains(&(row.created_by, *list))) {
            refused.push((row, UNSEEN.to_owned()));
            continue;
        }
        if row.reads.as_ref() != Some(&reads) {
            queries::set_reads(tx.connection(), workspace, row.id, row.version, &reads).await?;
        }
        let setting = present.setting.clone().kept_by(row.created_by);
        let KeptRow { id, version, is_rebuilding, .. } = row;
        lists.push(KeptList { id, version, is_rebuilding, criteria, setting });
    }
    Ok((lists, refused))
}

/// What the criteria of these lists ask, by their digests, or why they cannot be asked.
async fn checked_in(
    tx: &mut Tx,
    workspace: WorkspaceId,
    rows: &[KeptRow],
) -> Result<HashMap<Vec<u8>, Result<Checked, String>>> {
    let known = Known::load(tx.connection(), workspace).await?;
    let fields = Fields::of(&known);
    let (mut checked, mut unknown) = (HashMap::new(), Vec::new());
    for row in rows {
        match memo::find(fields, &row.digest) {
            Some(found) => {
                checked.insert(row.digest.clone(), Ok(found));
            }
            None => unknown.push(row.id),
        }
    }
    if unknown.is_empty() {
        return Ok(checked);
    }
    for row in queries::criteria(tx.connection(), workspace, &unknown).await? {
        let node = Criteria::read(&row.criteria);
        let found = match node.and_then(|node| Criteria::check(RecordKind::Contact, &node, &known)) {
            Ok(criteria) => {
                let found = Checked { reads: reads_of(&criteria), criteria };
                memo::keep(fields, &row.digest, row.criteria.to_string().len(), &found);
                Ok(found)
            }
            Err(why) => Err(why.to_string()),
        };
        checked.insert(row.digest, found);
    }
    Ok(checked)
}

/// Lists that are named and not there for whoever named them.
async fn missing_in(
    tx: &mut Tx,
    workspace: WorkspaceId,
    asked: &[(KeptRow, Checked)],
) -> Result<HashSet<(UserId, Uuid)>> {
    let mut named: BTreeMap<UserId, BTreeSet<ContactListId>> = BTreeMap::new();
    for (row, checked) in asked.iter().filter(|(_, checked)| !checked.criteria.lists().is_empty()) {
        named.entry(row.created_by).or_default().extend(checked.criteria.lists().iter().copied().map(ContactListId));
    }
    let mut missing = HashSet::new();
    for (maker, lists) in named {
        let lists: Vec<_> = lists.into_iter().collect();
        let seen = lists::visible_of(tx.connection(), workspace, maker, &lists).await?;
        missing.extend(lists.into_iter().filter(|list| !seen.contains(list)).map(|list| (maker, list.0)));
    }
    Ok(missing)
}

/// Whose changes matter to criteria, in the words of [`super::live`]; sorted.
fn reads_of(criteria: &Criteria) -> Vec<String> {
    let mut reads = BTreeSet::new();
    for read in &criteria.reads().reads {
        if read.source == MEMBER && !read.all_fields && read.meets == Meets::Ids {
            reads.extend(read.fields.iter().map(|list| member_of(list)));
        } else {
            reads.insert(read.source.to_owned());
        }
    }
    let words = [(CLOCK, criteria.is_relative()), (DAYS, criteria.is_of_days())];
    reads.extend(words.into_iter().filter(|(_, holds)| *holds).map(|(word, _)| word.to_owned()));
    reads.into_iter().collect()
}

/// What a list reads that asks who is in this one.
pub fn member_of(list: &str) -> String {
    format!("{MEMBER}:{list}")
}
