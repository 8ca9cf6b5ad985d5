//! What the log's own connections have in common. They live as long as the process, outside the
//! pools: each is opened under a name that an administrator can read, is given up when it does not
//! answer, and is opened anew with growing pauses.

use std::time::Duration;

use diesel_async::AsyncPgConnection;
use tokio::time::{sleep, timeout};

use super::queries;
use crate::{
    base::{Error, Result},
    db::{Db, Role},
};

/// A statement of ours takes milliseconds; after this long the connection is taken for dead.
const PATIENCE: Duration = Duration::from_secs(15);

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Opens a connection of the system role that shows up as `name` in `pg_stat_activity`.
pub async fn open(db: &Db, name: &'static str) -> Result<AsyncPgConnection> {
    let opened = db.connector().connect_diesel(Role::System).await;
    let mut connection = opened.map_err(|error| Error::Unavailable(error.to_string().into()))?;
    in_time(queries::set_up_session(&mut connection, name)).await?;
    Ok(connection)
}

/// The future's result, or `TimedOut` where the other side may be gone without a word.
pub async fn in_time<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(PATIENCE, work).await.unwrap_or(Err(Error::TimedOut))
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
