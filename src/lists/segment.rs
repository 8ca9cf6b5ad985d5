//! What dynamic lists ask of the criteria language: whether criteria can be kept, and the job that
//! makes the members what they say (see `build`).

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use super::{
    build::BuildList,
    model::{ContactList, ListType},
    queries::{kept, lists},
};
use crate::{
    auth::Caller,
    base::{
        Error, Result,
        ids::{ContactListId, JobId, WorkspaceId},
    },
    crm::{
        RecordKind,
        criteria::{Criteria, Known},
        matching,
    },
    ctx::Ctx,
    db::{Tx, locks},
    jobs::{self, Enqueued, JobState, enqueue},
};

/// The field that criteria come in, in errors.
const FIELD: &str = "criteria";
/// Lists that may stand behind one another by their criteria.
const MOST_BEHIND: usize = 200;

/// The criteria as they are to be kept. `list` is the one that they are for, where it exists: it
/// must not end up in a circle. Lists that they name must be the caller's to see, and all that they read
/// the caller's to read.
pub async fn check(tx: &mut Tx, caller: &Caller, list: Option<&ContactList>, given: &Json) -> Result<Json> {
    let known = Known::load(tx.connection(), caller.workspace).await?;
    let node = matching::read(given, FIELD)?;
    let checked = matching::checked_in(tx, caller, RecordKind::Contact, &node, &known, FIELD).await?;
    matching::require_reads(caller, &checked)?;
    if let Some(list) = list {
        // they are asked for the list's maker
        let counts_lists = checked.reads().reads.iter().any(|read| read.source == "list");
        if counts_lists && list.created_by != caller.user {
            let why = "can ask about LISTS only in a list of one's own: they are asked for whoever made the list";
            return Err(Error::invalid(FIELD, why));
        }
        if list.created_by != caller.user {
            let named: Vec<_> = checked.lists().iter().copied().map(ContactListId).collect();
            let seen = lists::visible_of(tx.connection(), caller.workspace, list.created_by, &named).await?;
            if seen.len() < named.len() {
                let why = "name a list that whoever made this one does not see: they are asked for that person";
                return Err(Error::invalid(FIELD, why));
            }
        }
        refuse_circle(tx, caller, list.id, &checked).await?;
    }
    serde_json::to_value(checked.node()).map_err(Error::internal)
}

/// How many contacts a dynamic list is going to have whose members are being made, as it is asked itself:
/// for whoever made it. To whoever has the list in hand, for it is the list's own count that this tells. None
/// where its members are made, where the criteria cannot be answered, and where that takes too long.
pub async fn expected(ctx: &Ctx, caller: &Caller, list: &ContactList) -> Result<Option<i64>> {
    let kept = list.criteria.as_ref().filter(|_| list.list_type == ListType::Dynamic);
    let Some(kept) = kept.filter(|_| list.version != list.built_version && list.broken.is_none()) else {
        return Ok(None);
    };
    let mut tx = ctx.db.read(caller).await?;
    let known = Known::load(tx.connection(), caller.workspace).await?;
    drop(tx);
    let checked = Criteria::read(kept).and_then(|node| Criteria::check(RecordKind::Contact, &node, &known));
    let Ok(criteria) = checked else { return Ok(None) };
    match matching::count_kept(ctx, caller, &criteria, list.created_by).await {
        Err(Error::TimedOut) => Ok(None),
        counted => counted,
    }
}

/// Follows the lists that criteria name, and those that these name. The criteria of lists are written
/// one after another where they name lists, so that two cannot close a circle at once.
async fn refuse_circle(tx: &mut Tx, caller: &Caller, list: ContactListId, criteria: &Criteria) -> Result<()> {
    if criteria.lists().is_empty() {
        return Ok(());
    }
    locks::hold_named_in(tx, &format!("list criteria of {}", caller.workspace)).await?;
    let (mut seen, mut next) = (HashSet::new(), criteria.lists().to_vec());
    while !next.is_empty() {
        if next.contains(&list.0) {
            return Err(Error::invalid(FIELD, "would make the list depend on itself, by way of a list it names"));
        }
        seen.extend(next.iter().copied());
        if seen.len() > MOST_BEHIND {
            return Err(Error::invalid(FIELD, format!("depends on more than {MOST_BEHIND} lists")));
        }
        let behind = lists::criteria_of(tx.connection(), caller.workspace, &next).await?;
        // as they are written: those that cannot be answered now may be again
        next = behind
            .iter()
            .filter_map(|json| Criteria::read(json).ok())
            .flat_map(|node| node.named_lists())
            .map(|(_, list)| list)
            .filter(|list| !seen.contains(list))
            .collect();
    }
    Ok(())
}

/// Has a list built anew for which its criteria, the fields or the days are not what they were. Whoever
/// calls moves members of dynamic lists; nothing happens where the list is not of this version any more.
pub(super) async fn rebuild_in(
    tx: &mut Tx,
    now: DateTime<Utc>,
    workspace: WorkspaceId,
    list: ContactListId,
    version: i32,
) -> Result<()> {
    if kept::lock(tx.connection(), workspace, list, version).await?.is_none() {
        return Ok(());
    }
    let about = Enqueued { workspace: Some(workspace), ..Enqueued::default() };
    let job = enqueue::<Ctx, _>(tx, now, &BuildList { list, version: version + 1 }, about).await?;
    lists::begin_build(tx.connection(), workspace, list, version + 1, job).await
}

/// Puts the job into the queue that builds this version of a list; the job that will do it.
pub async fn enqueue_build(
    ctx: &Ctx,
    tx: &mut Tx,
    caller: &Caller,
    list: ContactListId,
    version: i32,
) -> Result<Option<JobId>> {
    let about = Enqueued { workspace: Some(caller.workspace), created_by: Some(caller.user), ..Enqueued::default() };
    enqueue::<Ctx, _>(tx, ctx.clock.now(), &BuildList { list, version }, about).await
}

/// Whether the job that is to build a list is still at it.
pub async fn is_building_in(tx: &mut Tx, workspace: WorkspaceId, job: Option<JobId>) -> Result<bool> {
    let Some(job) = job else { return Ok(false) };
    let job = jobs::find(tx, workspace, job).await?;
    Ok(job.is_some_and(|job| matches!(job.state, JobState::Queued | JobState::Running)))
}
