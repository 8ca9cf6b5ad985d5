//! The handles to the tools that every operation gets. Knows no feature.

use std::sync::Arc;

use crate::{
    auth::{self, Caller, Resolver},
    base::{Clock, Limits, Result},
    db::{Db, Tx},
    events::{NewEvent, outbox},
    files::Files,
    mail::Mailer,
    outbound::Outbound,
};

/// Handles to the tools; cheap to clone, clones share them.
#[derive(Clone)]
pub struct Ctx {
    pub db: Db,
    pub files: Files,
    pub mail: Mailer,
    pub outbound: Outbound,
    pub clock: Clock,
    pub limits: Arc<Limits>,
    pub auth: auth::Config,
    pub resolver: Resolver,
    /// The address under which people reach this installation, without a slash at its end.
    pub public_url: Arc<str>,
}

impl Ctx {
    /// A proof of these bytes that only who has the installation's secret can make: for the hash of
    /// what must not be guessed from a copy of the database. `purpose` keeps two uses apart.
    pub fn seal(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        self.files.signer().seal(purpose, bytes)
    }

    /// Emits events of the caller, at the clock's time, with this transaction.
    pub async fn emit(&self, tx: &mut Tx, caller: &Caller, events: &[NewEvent]) -> Result<()> {
        outbox::emit(tx, &caller.actor(), self.clock.now(), events).await
    }
}
