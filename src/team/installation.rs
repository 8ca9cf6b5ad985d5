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
    /// Those that we have begun to invent.
    InPart,
    /// Those that we invented.
    ByDemo,
    /// Somebody's.
    ByPeople,
}

/// Whether the database is filled. The demo's first user, known by the address, tells a demo that
/// was stopped half-way from the data of people.
pub async fn filled(ctx: &Ctx, demo_email: &str) -> Result<Filled> {
    let mut tx = ctx.db.system().await?;
    if queries::installation::setting(tx.connection(), DEMO).await?.is_some() {
        return Ok(Filled::ByDemo);
    }
    let begun = queries::passwords::credentials(tx.connection(), demo_email).await?.is_some();
    let users = queries::installation::any_user(tx.connection()).await?;
    Ok(match (begun, users) {
        (true, _) => Filled::InPart,
        (false, true) => Filled::ByPeople,
        (false, false) => Filled::No,
    })
}

/// Notes, after the last invented record, that all is there.
pub async fn mark_demo(ctx: &Ctx) -> Result<()> {
    let mut tx = ctx.db.system().await?;
    queries::installation::keep_setting(tx.connection(), DEMO, json!(true)).await?;
    tx.commit().await
}
