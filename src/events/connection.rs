//! What the log's own connections have in common. They live as long as the process, outside the
//! pools: each is given up when it does not answer, and is opened anew with growing pauses.

use std::time::Duration;

use diesel_async::AsyncPgConnection;
use tokio::time::sleep;

use crate::{
    base::Result,
    db::{Db, Role},
};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Opens a connection of the system role that shows up as `name` in `pg_stat_activity`.
pub async fn open(db: &Db, name: &'static str) -> Result<AsyncPgConnection> {
    db.connector().open(Role::System, name).await
}

/// Pauses between attempts, each twice as long as the one before.
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    pub fn new() -> Self {
        Self { next: FIRST_PAUSE }
    }

    /// To be called when an attempt has got somewhere.
    pub fn reset(&mut self) {
        self.next = FIRST_PAUSE;
    }

    pub async fn pause(&mut self) {
        let now = self.next;
        self.next = (now * 2).min(LONGEST_PAUSE);
        sleep(now).await;
    }
}
