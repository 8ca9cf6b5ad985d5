//! The jobs of lists: what follows from deleted and restored contacts, lists that become static on
//! a date, and the members of deleted lists.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    freeze::freeze_in,
    model::ListType,
    queries::{builds, lists, members},
    room,
    steps::{self, By},
};
use crate::{
    auth::{Caller, Origin, Role, Via},
    base::{Error, ids::ContactListId},
    ctx::Ctx,
    jobs::{Job, JobError, Run},
};

/// Rows of a deleted list that one transaction removes.
const PURGED: i64 = 5_000;
/// Lists that are looked up at once to become static.
const FROZEN: i64 = 100;

/// Brings the memberships of these contacts in line with whether they are live.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FollowContacts {
    pub contacts: Vec<Uuid>,
}

impl Job<Ctx> for FollowContacts {
    const NAME: &'static str = "lists.follow_contacts";
    const PRIORITY: i16 = 10;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let workspace = run.workspace.ok_or_else(|| JobError::Fail(Error::NotFound("Workspace")))?;
        let by = By::job(workspace, run.job, ctx.clock.now());
        let mut tx = ctx.db.begin(&workspace).await?;
        let with = members::lists_to_follow(tx.connection(), workspace, &self.contacts).await?;
        tx.commit().await?;
        // one list at a time, so that this never waits for one while it holds another
        for list in with {
            run.check_stop()?;
            let mut tx = ctx.db.begin(&workspace).await?;
            run.hold_in(&mut tx).await?;
            steps::follow_in(&mut tx, &by, list, &self.contacts).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Brings a list that began as a copy, or has just come to be broken, in line with which of its members are live:
/// one may have been deleted right before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FollowList {
    pub list: ContactListId,
}

impl Job<Ctx> for FollowList {
    const NAME: &'static str = "lists.follow_list";
    const PRIORITY: i16 = 20;
    const PER_WORKSPACE: i32 = 1;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let workspace = run.workspace.ok_or_else(|| JobError::Fail(Error::NotFound("Workspace")))?;
        let mut tx = ctx.db.begin(&workspace).await?;
        run.hold_in(&mut tx).await?;
        steps::suspend_in(&mut tx, &By::job(workspace, run.job, ctx.clock.now()), self.list).await?;
        Ok(tx.commit().await?)
    }
}

/// Makes dynamic lists static whose time has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FreezeLists {}

impl Job<Ctx> for FreezeLists {
    const NAME: &'static str = "lists.freeze";

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let (now, mut behind) = (ctx.clock.now(), None);
        loop {
            run.check_stop()?;
            let mut tx = ctx.db.system().await?;
            let due = lists::due_to_freeze(tx.connection(), now, behind, FROZEN).await?;
            tx.commit().await?;
            let Some(last) = due.last() else { return Ok(()) };
            behind = Some((last.freeze_at, last.id));
            for lists::Due { workspace_id, id, created_by, .. } in due {
                let caller = Caller::new(workspace_id, created_by, Role::Support, Origin::Job(run.job), Via::System);
                let mut tx = ctx.db.begin(&caller).await?;
                let frozen = async {
                    // the list before the number of lists, as whoever makes one static by hand
                    lists::lock_built(tx.connection(), workspace_id, id).await?;
                    room::require_in(&ctx, &mut tx, &caller, ListType::Static).await?;
                    freeze_in(&mut tx, &By::caller(&ctx, &caller), id).await
                };
                match frozen.await {
                    Ok(_) => tx.commit().await?,
                    // it is being built, or there are as many static lists as there may be: the next time
                    Err(Error::Conflict(_)) => {}
                    // the others are not to wait for it
                    Err(error) => tracing::warn!(?error, list = %id, "a list was not frozen; it will be tried again"),
                }
            }
        }
    }
}

/// Removes the members of a deleted list, and then itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PurgeList {
    pub list: ContactListId,
}

impl Job<Ctx> for PurgeList {
    const NAME: &'static str = "lists.purge";
    const PRIORITY: i16 = 90;
    const PER_WORKSPACE: i32 = 1;
    const LONG: bool = true;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let workspace = run.workspace.ok_or_else(|| JobError::Fail(Error::NotFound("Workspace")))?;
        loop {
            run.check_stop()?;
            let mut tx = ctx.db.begin(&workspace).await?;
            run.hold_in(&mut tx).await?;
            if !lists::is_deleted(tx.connection(), workspace, self.list).await? {
                return Ok(());
            }
            builds::clear(tx.connection(), workspace, self.list).await?;
            let gone = members::purge(tx.connection(), workspace, self.list, PURGED).await?
                + members::purge_log(tx.connection(), workspace, self.list, PURGED).await?;
            if gone == 0 {
                lists::purge(tx.connection(), workspace, self.list).await?;
            }
            tx.commit().await?;
        }
    }
}
