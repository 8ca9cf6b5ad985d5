//! What lists keep about contacts goes with them: memberships and the log of who entered and left. And
//! dynamic lists are told of links that became empty, for no event tells of those.

use futures_util::future::BoxFuture;

use super::{
    live::changes,
    model::Source,
    queries::purge as queries,
    steps::{self, By},
};
use crate::{
    base::{Error, Result},
    crm::{
        RecordKind,
        purge::steps::{Cleared, Purging, Step, Unlinked},
    },
};

/// To be made known where the program is put together.
pub const STEPS: &[Step] = &[Step { clear, unlinked }];

/// A deleted contact has left its lists long ago: static ones keep it suspended. But one that is broken
/// keeps the members that it had, and those leave it now, one list in a transaction.
fn clear<'a>(purging: &'a mut Purging<'_>) -> BoxFuture<'a, Result<Cleared>> {
    Box::pin(async move {
        if purging.kind != RecordKind::Contact {
            return Ok(Cleared::default());
        }
        let (workspace, ids, room) = (purging.workspace, purging.ids, purging.room);
        if let Some(list) = queries::list_with(purging.tx.connection(), workspace, ids).await? {
            let by = By::job(workspace, purging.job, purging.ctx.clock.now());
            match steps::remove_in(purging.tx, &by, list, ids, Source::Deleted).await {
                // deleted meanwhile
                Ok(_) | Err(Error::NotFound(_)) => return Ok(Cleared { again: true, ..Cleared::default() }),
                Err(error) => return Err(error),
            }
        }
        let mut rows = queries::forget_members(purging.tx.connection(), workspace, ids, room).await?;
        if rows < room {
            rows += queries::forget_log(purging.tx.connection(), workspace, ids, room - rows).await?;
        }
        let held = queries::known(purging.tx.connection(), workspace, ids).await?;
        Ok(Cleared { rows, held, again: false })
    })
}

fn unlinked<'a>(purging: &'a mut Purging<'_>, links: Unlinked) -> BoxFuture<'a, Result<()>> {
    let Unlinked { of, field, ids } = links;
    Box::pin(
        async move { changes::note_in(purging.tx, purging.ctx.clock.now(), purging.workspace, of, field, ids).await },
    )
}
