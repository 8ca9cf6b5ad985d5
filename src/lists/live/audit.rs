//! Whether lists are what they should be: at night some of every workspace are compared with a fresh look.
//! What differs is looked at again a minute later, for a change may just have been on its way; what still
//! differs then is a defect of this program, told as one and mended.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use metrics::counter;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::compare::{all, differences_in, move_in};
use crate::{
    base::{
        Error, Result,
        ids::{ContactListId, WorkspaceId},
    },
    ctx::Ctx,
    jobs::{Enqueued, Job, JobError, Run, enqueue},
    lists::{
        kept::{self, KeptList},
        queries::{kept as queries, members},
        steps::By,
    },
};

/// Lists of a workspace that are compared in one night.
const SAMPLE: usize = 20;
/// Contacts that are compared at once.
const CHUNK: i64 = 5_000;
/// Most differences that are looked at again; a hundred would tell as much.
const SUSPECTS: usize = 10_000;

/// Chooses the lists of every workspace that are compared this night.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuditLists {}

impl Job<Ctx> for AuditLists {
    const NAME: &'static str = "lists.audit";
    const PRIORITY: i16 = 90;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let mut tx = ctx.db.system().await?;
        let every = queries::all(tx.connection()).await?;
        for of_one in every.chunk_by(|one, other| one.workspace_id == other.workspace_id) {
            let Some(first) = of_one.first() else { continue };
            let mut lists: Vec<_> = of_one.iter().map(|list| list.id).collect();
            lists.shuffle(&mut rand::rng());
            lists.truncate(SAMPLE);
            let about = Enqueued { workspace: Some(first.workspace_id), ..Enqueued::default() };
            enqueue::<Ctx, _>(&mut tx, ctx.clock.now(), &CompareLists { lists }, about).await?;
        }
        run.check_stop()?;
        Ok(tx.commit().await?)
    }
}

/// Compares some lists of a workspace with a fresh look, a few thousand contacts at a time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompareLists {
    pub lists: Vec<ContactListId>,
}

impl Job<Ctx> for CompareLists {
    const NAME: &'static str = "lists.compare";
    const PRIORITY: i16 = 90;
    const PER_WORKSPACE: i32 = 1;
    const LONG: bool = true;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let workspace = run.workspace.ok_or_else(|| JobError::Fail(Error::NotFound("Workspace")))?;
        let (mut from, mut suspects) = (Uuid::nil(), BTreeSet::new());
        loop {
            run.check_stop()?;
            let mut tx = ctx.db.system_in(workspace).await?;
            run.hold_in(&mut tx).await?;
            let lists = chosen_in(&ctx, &mut tx, workspace, &self.lists).await?;
            // what loading them has written is not held while they are compared
            tx.commit().await?;
            let mut tx = ctx.db.system_in(workspace).await?;
            let some = members::chunk(tx.connection(), workspace, from, CHUNK).await?;
            let Some(last) = some.last().copied().filter(|_| suspects.len() < SUSPECTS) else { break };
            let differences = differences_in(&mut tx, workspace, &lists, &all(&lists, some)).await?;
            tx.commit().await?;
            suspects.extend(differences.iter().map(|one| one.record_id));
            from = last;
        }
        if suspects.is_empty() {
            return Ok(());
        }
        let mut tx = ctx.db.system().await?;
        let about = Enqueued {
            workspace: Some(workspace),
            run_at: Some(ctx.clock.now() + TimeDelta::minutes(1)),
            ..Enqueued::default()
        };
        let job = MendLists { lists: self.lists, contacts: suspects.into_iter().collect() };
        enqueue::<Ctx, _>(&mut tx, ctx.clock.now(), &job, about).await?;
        Ok(tx.commit().await?)
    }
}

/// Looks again at contacts whose memberships differed, and mends those that still do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MendLists {
    pub lists: Vec<ContactListId>,
    pub contacts: Vec<Uuid>,
}

impl Job<Ctx> for MendLists {
    const NAME: &'static str = "lists.mend";
    const PRIORITY: i16 = 90;
    const PER_WORKSPACE: i32 = 1;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let workspace = run.workspace.ok_or_else(|| JobError::Fail(Error::NotFound("Workspace")))?;
        let mut tx = ctx.db.system_in(workspace).await?;
        run.hold_in(&mut tx).await?;
        let present = kept::hold_in(&mut tx, &ctx.clock, workspace).await?;
        let lists = chosen(kept::load_in(&mut tx, workspace, &present, None).await?, &self.lists);
        let by = By::job(workspace, run.job, present.setting.now);
        let (mended, wrong) = move_in(&mut tx, &by, &lists, &all(&lists, self.contacts)).await?;
        tx.commit().await?;
        if mended > 0 {
            tracing::error!(%workspace, mended, lists = ?wrong, "members of lists were not what their criteria say");
            counter!("kontor_list_defects_total").increment(mended as u64);
        }
        Ok(())
    }
}

async fn chosen_in(
    ctx: &Ctx,
    tx: &mut crate::db::Tx,
    workspace: WorkspaceId,
    ids: &[ContactListId],
) -> Result<Vec<KeptList>> {
    // what is just being moved is looked at again
    let present = kept::look_in(tx, &ctx.clock, workspace).await?;
    Ok(chosen(kept::load_in(tx, workspace, &present, None).await?, ids))
}

fn chosen(lists: Vec<KeptList>, ids: &[ContactListId]) -> Vec<KeptList> {
    // the members of one that is being built are not what its criteria say
    lists.into_iter().filter(|list| ids.contains(&list.id) && !list.is_rebuilding).collect()
}
