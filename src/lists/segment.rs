//! What dynamic lists ask of the criteria language: whether criteria can be kept, and the job that
//! makes the members what they say (see `build`).

use std::collections::HashSet;

use serde_json::Value as Json;

use super::{access, build::BuildList, queries::lists};
use crate::{
    auth::Caller,
    base::{
        Error, FieldErrors, Result,
        ids::{ContactListId, JobId},
    },
    crm::{
        RecordKind,
        criteria::{Criteria, Known},
    },
    ctx::Ctx,
    db::{Tx, locks},
    jobs::{Enqueued, enqueue},
};

/// Lists that may stand behind one another by their criteria.
const MOST_BEHIND: usize = 200;

/// The criteria as they are to be kept. `list` is the one that they are for, where it exists: it
/// must not end up in a circle. Lists that they name must be the caller's to see.
pub async fn check(tx: &mut Tx, caller: &Caller, list: Option<ContactListId>, given: &Json) -> Result<Json> {
    let known = Known::load(tx.connection(), caller.workspace).await?;
    let checked = Criteria::read(given).and_then(|node| Criteria::check(RecordKind::Contact, &node, &known));
    let checked = checked.map_err(|errors| Error::Invalid(of_criteria(errors)))?;
    for named in checked.lists() {
        let seen = access::visible_in(tx, caller, ContactListId(*named)).await;
        seen.map_err(|_| Error::invalid("criteria", format!("names a list that you do not see: {named}")))?;
    }
    if let Some(list) = list {
        refuse_circle(tx, caller, list, &checked, &known).await?;
    }
    serde_json::to_value(checked.node()).map_err(Error::internal)
}

/// Errors by their paths within the criteria.
fn of_criteria(errors: FieldErrors) -> FieldErrors {
    let mut within = FieldErrors::new();
    for (path, message) in errors.iter() {
        // the language calls the whole of it so
        let path = if path == "where" { "criteria".to_owned() } else { format!("criteria.{path}") };
        within.add(path, message.to_owned());
    }
    within
}

/// Follows the lists that criteria name, and those that these name. The criteria of lists are written
/// one after another where they name lists, so that two cannot close a circle at once.
async fn refuse_circle(
    tx: &mut Tx,
    caller: &Caller,
    list: ContactListId,
    criteria: &Criteria,
    known: &Known,
) -> Result<()> {
    if criteria.lists().is_empty() {
        return Ok(());
    }
    locks::hold_named_in(tx, &format!("list criteria of {}", caller.workspace)).await?;
    let (mut seen, mut next) = (HashSet::new(), criteria.lists().to_vec());
    while !next.is_empty() {
        if next.contains(&list.0) {
            return Err(Error::invalid("criteria", "would make the list depend on itself, by way of a list it names"));
        }
        seen.extend(next.iter().copied());
        if seen.len() > MOST_BEHIND {
            return Err(Error::invalid("criteria", format!("depends on more than {MOST_BEHIND} lists")));
        }
        let behind = lists::criteria_of(tx.connection(), caller.workspace, &next).await?;
        next = behind
            .iter()
            .filter_map(|json| Criteria::check(RecordKind::Contact, &Criteria::read(json).ok()?, known).ok())
            .flat_map(|criteria| criteria.lists().to_vec())
            .filter(|id| !seen.contains(id))
            .collect();
    }
    Ok(())
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
