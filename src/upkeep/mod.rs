//! The installation's own chores, as jobs: what has expired goes away, in batches.
//! Each room deletes from its own tables; here stand only when and how often.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    auth,
    ctx::Ctx,
    files,
    jobs::{self, Job, JobError, Run},
    team,
};

/// Finished jobs are kept so long; dead letters longer, for a person to see.
const FINISHED_FOR: TimeDelta = TimeDelta::days(14);
const FAILED_FOR: TimeDelta = TimeDelta::days(90);

/// Most rows of a kind that one transaction deletes.
const BATCH: usize = 5_000;

/// Removes jobs that ended long ago.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PurgeJobs {}

impl Job<Ctx> for PurgeJobs {
    const NAME: &'static str = "upkeep.purge_jobs";
    const PRIORITY: i16 = 90;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let now = ctx.clock.now();
        loop {
            run.check_stop()?;
            let mut tx = ctx.db.system().await?;
            let purged = jobs::purge_finished(&mut tx, now - FINISHED_FOR, now - FAILED_FOR).await?;
            tx.commit().await?;
            if purged < jobs::PURGE_BATCH {
                return Ok(());
            }
        }
    }
}

/// Removes files whose time is over, and what no row tells of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PurgeFiles {}

impl Job<Ctx> for PurgeFiles {
    const NAME: &'static str = "upkeep.purge_files";
    const PRIORITY: i16 = 90;
    const LONG: bool = true;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let expired = files::clean::expire(&ctx.files, ctx.clock.now(), || run.check_stop()).await?;
        let store_now = files::clean::store_now(&ctx.files).await?;
        let swept = files::clean::sweep(&ctx.files, store_now, || run.check_stop()).await?;
        tracing::debug!(expired, swept, "files were removed");
        Ok(())
    }
}

/// Removes secrets, links, throttle windows and remembered answers that have expired, and the
/// sessions whose secrets are all gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PurgeSecrets {}

impl Job<Ctx> for PurgeSecrets {
    const NAME: &'static str = "upkeep.purge_secrets";
    const PRIORITY: i16 = 90;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let now = ctx.clock.now();
        let mut more = true;
        while more {
            run.check_stop()?;
            let mut tx = ctx.db.system().await?;
            let of_auth = auth::purge_expired(&mut tx, now, BATCH).await?;
            tx.commit().await?;
            let mut tx = ctx.db.system().await?;
            let of_team = team::purge_expired(&mut tx, now, BATCH).await?;
            tx.commit().await?;
            more = of_auth || of_team;
        }
        Ok(())
    }
}
