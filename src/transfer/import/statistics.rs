//! Keeps the planner's statistics in step with a table that an import fills. PostgreSQL's own
//! renewal comes a minute late, and until then it takes a table of a million records for an empty
//! one and reads all of it for every page.

use tokio_util::task::AbortOnDropHandle;

use super::{model::Counts, queries::statistics, target::Target};
use crate::{base::Result, ctx::Ctx};

/// Fewer changes than these change no plan.
const LEAST: i64 = 5_000;

/// Renewed when the table has grown to so many times what it was at the last time.
const GROWTH: i64 = 3;

/// The tables that imports of this kind fill.
fn tables(target: &Target) -> [&'static str; 2] {
    [target.table, "record_changes"]
}

/// Watches one run of an import.
pub struct Statistics {
    ctx: Ctx,
    tables: [&'static str; 2],
    /// Rows of the table when they were last renewed.
    known: i64,
    /// Changes by the import when they were last renewed.
    renewed_at: i64,
    renewing: Option<AbortOnDropHandle<()>>,
}

impl Statistics {
    pub async fn begin(ctx: &Ctx, target: &Target, before: Counts) -> Result<Self> {
        let known = statistics::known_rows(&*ctx.db.copy().await?, target.table).await?;
        let (ctx, tables) = (ctx.clone(), tables(target));
        Ok(Self { ctx, tables, known, renewed_at: changes(before), renewing: None })
    }

    /// Told of the counts after a batch. Renews beside the import's own work, and one at a time.
    pub fn follow(&mut self, counts: Counts) {
        let (changes, is_busy) = (changes(counts), self.renewing.as_ref().is_some_and(|task| !task.is_finished()));
        let new = changes - self.renewed_at;
        if is_busy || new < LEAST || new < self.known.saturating_mul(GROWTH - 1) {
            return;
        }
        self.known = self.known.saturating_add(new);
        self.renewed_at = changes;
        let (ctx, tables) = (self.ctx.clone(), self.tables);
        self.renewing = Some(AbortOnDropHandle::new(tokio::spawn(async move { renew(&ctx, &tables).await })));
    }
}

/// After an import has ended: renews where it changed more than a tenth of the table.
pub async fn settle(ctx: &Ctx, target: &Target, counts: Counts) {
    let changed = async || {
        let known = statistics::known_rows(&*ctx.db.copy().await?, target.table).await?;
        Ok::<_, crate::base::Error>(changes(counts) >= LEAST.max(known / 10))
    };
    match changed().await {
        Ok(true) => renew(ctx, &tables(target)).await,
        Ok(false) => {}
        Err(error) => tracing::info!(%error, "statistics are left to the database's own renewal"),
    }
}

/// The import is none the worse where this fails: the database does it itself, later.
async fn renew(ctx: &Ctx, tables: &[&str]) {
    let renewed = async || statistics::renew(&*ctx.db.copy().await?, tables).await;
    if let Err(error) = renewed().await {
        tracing::info!(%error, "statistics are left to the database's own renewal");
    }
}

fn changes(counts: Counts) -> i64 {
    counts.created + counts.updated
}
