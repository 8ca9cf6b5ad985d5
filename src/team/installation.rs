//! What is known of the installation as a whole: whether its data are the demo's, and which secret
//! is its own.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::queries;
use crate::{
    base::{Error, Result},
    ctx::Ctx,
};

const DEMO: &str = "demo";
/// A value that tells whether it is the same secret, and nothing of what it is.
const SECRET_CHECK: &str = "secret_check";

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

/// Notes, after the last invented record, that all is there, and what the demo wants to know of it.
pub async fn mark_demo(ctx: &Ctx, about: Value) -> Result<()> {
    let mut tx = ctx.db.system().await?;
    queries::installation::keep_setting(tx.connection(), DEMO, about).await?;
    tx.commit().await
}

/// What was noted of a demo that is complete.
pub async fn demo(ctx: &Ctx) -> Result<Option<Value>> {
    let mut tx = ctx.db.system().await?;
    queries::installation::setting(tx.connection(), DEMO).await
}

/// Refuses a secret that is not the one with which this installation began: nodes with different
/// secrets would refuse each other's links.
pub async fn check_secret(ctx: &Ctx) -> Result<()> {
    let ours = json!(URL_SAFE_NO_PAD.encode(ctx.seal("kontor/team/check/1", &[])));
    let mut tx = ctx.db.system().await?;
    let kept = queries::installation::first_setting(tx.connection(), SECRET_CHECK, ours.clone()).await?;
    tx.commit().await?;
    if kept == ours {
        return Ok(());
    }
    let message = "is not the one that this database was first used with. Set the same KONTOR_SECRET on every node, \
        or copy the file `secret` of the first one's data folder. To go on with a new one (all links sent so far stop \
        working): DELETE FROM instance_settings WHERE name = 'secret_check'";
    Err(Error::invalid("secret", message))
}
