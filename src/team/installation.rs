//! What is known of the installation as a whole: so far, whether its data are the demo's.

use serde_json::json;

use super::queries;
use crate::{base::Result, ctx::Ctx};

const DEMO: &str = "demo";

/// Whose data are in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// Nobody's.
    No,
    /// Those that we invented.
    ByDemo,
    /// Somebody's.
    ByPeople,
}

pub async fn filled(ctx: &Ctx) -> Result<Filled> {
    let mut tx = ctx.db.system().await?;
    let demo = queries::installation::setting(tx.connection(), DEMO).await?.is_some();
    let users = queries::installation::any_user(tx.connection()).await?;
    Ok(match (demo, users) {
        (true, true) => Filled::ByDemo,
        (false, true) => Filled::ByPeople,
        // marked, too, where the demo died before its first record
        (_, false) => Filled::No,
    })
}

/// Notes, before the first invented record, that what follows is the demo's.
pub async fn mark_demo(ctx: &Ctx) -> Result<()> {
    let mut tx = ctx.db.system().await?;
    queries::installation::keep_setting(tx.connection(), DEMO, json!(true)).await?;
    tx.commit().await
}
