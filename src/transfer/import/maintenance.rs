//! Keeps a table that an import fills in good order for those who read it meanwhile and afterwards.
//! PostgreSQL's own maintenance comes a minute late, and until then its planner takes a table of a
//! million records for an empty one and reads all of it for every page.

use tokio_util::task::AbortOnDropHandle;

use super::{model::Counts, queries::maintenance, target::Target};
use crate::{base::Result, ctx::Ctx};

/// Fewer changes than these change no plan.
const LEAST: i64 = 5_000;

/// Statistics are renewed when the table has grown to so many times what it was at the last time.
const GROWTH: i64 = 3;

/// The tables that imports of this kind fill.
fn tables(target: &Target) -> [&'static str; 2] {
    [target.table, "record_changes"]
}

/// Watches one run of an import.
pub struct Maintenance {
    ctx: Ctx,
    tables: [&'static str; 2],
    /// Rows of the table when they were last renewed.
    known: i64,
    /// Changes by the import when they were last renewed.
    renewed_at: i64,
    renewing: Option<AbortOnDropHandle<()>>,
}

impl Maintenance {
    pub async fn begin(ctx: &Ctx, target: &Target, before: Counts) -> Result<Self> {
        let known = maintenance::known_rows(&*ctx.db.copy().await?, target.table).await?;
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

/// After an import has ended: what waits for the search index goes into it, so that the next
/// person who saves a record need not do that work, and the statistics are renewed where more than
/// a tenth of the table is new.
pub async fn settle(ctx: &Ctx, target: &Target, counts: Counts) {
    let settled = async || {
        let client = ctx.db.copy().await?;
        maintenance::finish_search_index(&client, target.table).await?;
        if changes(counts) >= LEAST.max(maintenance::known_rows(&client, target.table).await? / 10) {
            maintenance::renew_statistics(&client, &tables(target)).await?;
        }
        Ok(())
    };
    left_to_the_database(settled().await);
}

async fn renew(ctx: &Ctx, tables: &[&str]) {
    let renewed = async || maintenance::renew_statistics(&*ctx.db.copy().await?, tables).await;
    left_to_the_database(renewed().await);
}

/// The import is none the worse where its maintenance fails.
fn left_to_the_database(done: Result<()>) {
    if let Err(error) = done {
        tracing::info!(%error, "an import's maintenance is left to the database's own");
    }
}

fn changes(counts: Counts) -> i64 {
    counts.created + counts.updated
}
