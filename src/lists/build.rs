//! Building a dynamic list: its members become those that its criteria match, some thousand contacts
//! at a time in the order of their ids. What a run has done is what the next one finds right, so one
//! that died is simply begun again; one whose criteria were changed meanwhile ends.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    model::Source,
    queries::{lists, members},
    steps::{self, By},
};
use crate::{
    auth::{Caller, Origin, Role, Via},
    base::{
        Error, Result,
        ids::{ContactListId, WorkspaceId},
    },
    crm::{
        RecordKind,
        criteria::{Criteria, Known, Setting},
    },
    ctx::Ctx,
    db::Tx,
    jobs::{Job, JobError, Progress, Run},
    team::workspace,
};

/// Contacts that one transaction looks at: a few tenths of a second.
const CHUNK: i64 = 10_000;

/// Makes the members of a list what this version of its criteria says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildList {
    pub list: ContactListId,
    pub version: i32,
}

impl Job<Ctx> for BuildList {
    const NAME: &'static str = "lists.build";
    const PRIORITY: i16 = 30;
    const PER_WORKSPACE: i32 = 2;
    const LONG: bool = true;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let workspace = run.workspace.ok_or_else(|| JobError::Fail(Error::NotFound("Workspace")))?;
        let mut from = Uuid::nil();
        let mut progress = Progress::default();
        loop {
            run.check_stop()?;
            let mut tx = ctx.db.system().await?;
            tx.bind(workspace).await?;
            run.hold_in(&mut tx).await?;
            let Some(row) = lists::lock_to_build(tx.connection(), workspace, self.list, self.version).await? else {
                return Ok(());
            };
            let asked = match asked(&ctx, &mut tx, &run, workspace, &row).await {
                Err(Error::Invalid(why)) => {
                    lists::note_broken(tx.connection(), workspace, self.list, &why.to_string()).await?;
                    return Ok(tx.commit().await?);
                }
                asked => asked?,
            };
            let to = members::end_of_chunk(tx.connection(), workspace, from, CHUNK).await?;
            let moved = self.build_chunk(&ctx, &mut tx, &asked, (from, to.unwrap_or(Uuid::max()))).await?;
            progress.processed += CHUNK;
            progress.succeeded += moved;
            match to {
                Some(to) => from = to,
                None => lists::end_build(tx.connection(), workspace, self.list, self.version).await?,
            }
            run.report_in(&mut tx, progress.clone()).await?;
            tx.commit().await?;
            if to.is_none() {
                return Ok(());
            }
        }
    }
}

/// What a list asks, and for whom.
struct Asked {
    criteria: Criteria,
    setting: Setting,
    caller: Caller,
}

/// The criteria by the fields that there are now.
async fn asked(ctx: &Ctx, tx: &mut Tx, run: &Run, workspace: WorkspaceId, row: &lists::ToBuild) -> Result<Asked> {
    let caller = Caller::new(workspace, row.created_by, Role::Support, Origin::Job(run.job), Via::System);
    let known = Known::load(tx.connection(), workspace).await?;
    let node = Criteria::read(&row.criteria).map_err(Error::Invalid)?;
    let criteria = Criteria::check(RecordKind::Contact, &node, &known).map_err(Error::Invalid)?;
    let settings = workspace::get(ctx, &caller).await?;
    let zone: Tz = settings.time_zone.parse().unwrap_or(Tz::UTC);
    let setting = Setting::new(ctx.clock.now(), zone, settings.week_start).kept_by(row.created_by);
    Ok(Asked { criteria, setting, caller })
}

impl BuildList {
    /// Contacts behind the first id, up to the second; how many entered or left.
    async fn build_chunk(&self, ctx: &Ctx, tx: &mut Tx, asked: &Asked, range: (Uuid, Uuid)) -> Result<i64> {
        let workspace = asked.caller.workspace;
        let by = By::caller(ctx, &asked.caller);
        let matching = asked.criteria.ids_between(tx.connection(), workspace, &asked.setting, range).await?;
        let others = members::between_but(tx.connection(), workspace, self.list, range, &matching).await?;
        let left = steps::remove_in(tx, &by, self.list, &others, Source::CriteriaMatch).await?;
        let entered = steps::add_in(tx, &by, self.list, &matching, Source::CriteriaMatch).await?;
        Ok((entered.len() + left.len()) as i64)
    }
}
