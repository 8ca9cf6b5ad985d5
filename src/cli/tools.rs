//! Puts the tools together, for every command that works on the database.

use std::sync::Arc;

use super::{database::Database, instance};
use crate::{
    auth::Resolver,
    base::{Clock, Result},
    config::Config,
    ctx::Ctx,
    db::Db,
    files::{self, Files},
    mail::Mailer,
    outbound::Outbound,
};

/// The handles to the tools, over an opened database. Nothing runs yet.
pub fn tools(config: &Config, database: &Database) -> Result<Ctx> {
    let clock = Clock::default();
    let db = Db::open(&database.config)?;
    let secret = instance::secret(config)?;
    let store = files::Store::open(&config.files, &config.data_dir)?;
    let signer = files::Signer::new(secret.expose().as_bytes());
    let resolver = Resolver::new(db.clone(), clock.clone(), config.auth.clone());
    Ok(Ctx {
        files: Files::new(db.clone(), store, signer, clock.clone(), &config.limits),
        mail: Mailer::new(&config.mail, &config.data_dir, clock.clone())?,
        outbound: Outbound::new(&config.outbound)?,
        db,
        clock,
        limits: Arc::new(config.limits.clone()),
        auth: config.auth.clone(),
        resolver,
        public_url: config.public_url().into(),
    })
}
