//! The step of addresses: those of the merged contacts become further ones of the contact that stays.

use futures_util::future::BoxFuture;

use super::relink::{Moved, Part, Relinked, Relinking, Returned, Returns, Step};
use crate::{
    base::Result,
    crm::{RecordKind, contacts::addresses},
};

pub const STEPS: &[Step] = &[Step {
    name: "addresses",
    kinds: &[RecordKind::Contact],
    relink,
    back,
    // or they would be taken when their contact returns
    returns: Returns::Before,
}];

fn relink<'a>(merge: &'a mut Relinking<'_>) -> BoxFuture<'a, Result<Relinked>> {
    Box::pin(async move {
        let workspace = merge.caller.workspace;
        let taken =
            addresses::take_over_in(merge.tx, workspace, merge.at, merge.winner, merge.losers, merge.replaced).await?;
        let moved = taken.moved.into_iter().map(|(row, data)| Moved { row, data }).collect();
        let part = Part { name: addresses::PART, before: taken.before, after: taken.after };
        Ok(Relinked { moved, part: Some(part) })
    })
}

fn back<'a>(merge: &'a mut Relinking<'_>, moved: Vec<Moved>) -> BoxFuture<'a, Result<Returned>> {
    Box::pin(async move {
        let moved = moved.into_iter().map(|moved| (moved.row, moved.data)).collect();
        let (left, back) = addresses::back_in(merge.tx, merge.caller.workspace, merge.winner, moved).await?;
        let part = Part { name: addresses::PART, before: left.before, after: left.after };
        Ok(Returned { back, part: Some(part) })
    })
}
