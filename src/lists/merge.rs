//! Lists whose contacts become one: the contact that stays joins the static lists in which the others
//! were, and leaves them again when the merge is undone. Those others leave their lists as every deleted
//! contact does, and return when they are restored. Dynamic lists follow their criteria.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use serde_json::json;

use super::{
    model::Source,
    queries::merge as queries,
    steps::{self, By},
};
use crate::{
    base::{Error, Result, ids::ContactListId},
    crm::{
        RecordKind,
        merge::relink::{Moved, Relinked, Relinking, Returned, Returns, Step},
    },
};

/// To be made known where the program is put together.
pub const STEPS: &[Step] = &[Step {
    name: "lists",
    kinds: &[RecordKind::Contact],
    relink,
    back,
    // only live contacts return to their lists
    returns: Returns::After,
}];

fn by(merge: &Relinking<'_>) -> By {
    By::caller(merge.ctx, merge.caller)
}

fn relink<'a>(merge: &'a mut Relinking<'_>) -> BoxFuture<'a, Result<Relinked>> {
    Box::pin(async move {
        let by = By { at: merge.at, ..by(merge) };
        let lists = queries::static_lists_with(merge.tx.connection(), by.workspace, merge.losers).await?;
        let mut moved = Vec::new();
        for list in lists {
            let entered = steps::add_in(merge.tx, &by, list, &[merge.winner], Source::Merge).await;
            if there(entered)?.is_some_and(|entered| !entered.is_empty()) {
                moved.push(Moved { row: list.0, data: json!({}) });
            }
            steps::follow_in(merge.tx, &by, list, merge.losers).await?;
        }
        Ok(Relinked { moved, part: None })
    })
}

fn back<'a>(merge: &'a mut Relinking<'_>, moved: Vec<Moved>) -> BoxFuture<'a, Result<Returned>> {
    Box::pin(async move {
        let by = by(merge);
        let entered: Vec<_> = moved.iter().map(|moved| moved.row).collect();
        let (connection, workspace) = (merge.tx.connection(), by.workspace);
        let entered = queries::entered_by_merge(connection, workspace, merge.winner, &entered, merge.at).await?;
        let entered: BTreeSet<ContactListId> = entered.into_iter().collect();
        let others = queries::static_lists_with(merge.tx.connection(), by.workspace, merge.losers).await?;
        let mut back = 0;
        // in the order of their ids
        for list in entered.iter().copied().chain(others).collect::<BTreeSet<_>>() {
            if entered.contains(&list) {
                let left = steps::remove_in(merge.tx, &by, list, &[merge.winner], Source::Merge).await;
                back += there(left)?.map_or(0, |left| left.len());
            }
            steps::follow_in(merge.tx, &by, list, merge.losers).await?;
        }
        Ok(Returned { back, part: None })
    })
}

/// `None` where the list was deleted meanwhile.
fn there<T>(moved: Result<T>) -> Result<Option<T>> {
    match moved {
        Ok(moved) => Ok(Some(moved)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
