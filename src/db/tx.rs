//! The transaction guard. A guard and not a closure: operations read top to bottom, and a generic
//! closure over an async connection does not compile. Dropped means rolled back.

use std::{pin::pin, sync::Arc, time::Duration};

use diesel_async::{
    AsyncPgConnection, SimpleAsyncConnection,
    pooled_connection::deadpool::{Object, Pool},
};
use tokio::{sync::Notify, time::timeout};

use super::{Connector, pool, shares::Share};
use crate::base::{Error, Result, ids::WorkspaceId};

/// A statement that is still running when its transaction is dropped may end by itself for so long.
const ENDS_BY_ITSELF: Duration = Duration::from_millis(100);

/// A connection that has not rolled back after this is thrown away.
const ROLLS_BACK: Duration = Duration::from_secs(5);

/// What the transactions of a process share; clones are the same.
#[derive(Clone)]
pub(super) struct Shared {
    pub connector: Arc<Connector>,
    /// Rung by commits.
    pub relay: Arc<Notify>,
    pub jobs: Arc<Notify>,
}

/// An open transaction, bound to at most one workspace. `&mut Tx` in a signature says "inside a
/// transaction".
pub struct Tx {
    /// `None` only while it is being ended.
    connection: Option<Object<AsyncPgConnection>>,
    workspace: Option<WorkspaceId>,
    shared: Shared,
    /// Of a pool; free again when the connection is.
    share: Option<Share>,
    emitted: bool,
    enqueued: bool,
}

impl Tx {
    pub(super) async fn begin(
        pool: &Pool<AsyncPgConnection>,
        workspace: Option<WorkspaceId>,
        begin: &str,
        shared: &Shared,
    ) -> Result<Self> {
        // An id prints as hexadecimal digits and dashes only, so it can stand in the text; that
        // saves a round trip against a bound parameter.
        let begin = match workspace {
            Some(workspace) => format!("{begin}; SET LOCAL kontor.workspace = '{workspace}'"),
            None => begin.to_owned(),
        };
        // After a restart of PostgreSQL every idle connection is dead: throw those away and go on.
        let mut tries = pool.status().max_size + 1;
        loop {
            let connection = pool.get().await.map_err(|error| pool::unavailable(&error))?;
            // The guard first: whoever is dropped while BEGIN is under way must leave no open
            // transaction in the pool.
            let shared = shared.clone();
            let connection = Some(connection);
            let mut tx = Self { connection, workspace, shared, share: None, emitted: false, enqueued: false };
            match tx.connection().batch_execute(&begin).await {
                Ok(()) => return Ok(tx),
                Err(error) => {
                    if let Some(connection) = tx.connection.take() {
                        discard(connection);
                    }
                    tries -= 1;
                    if tries == 0 {
                        return Err(error.into());
                    }
                }
            }
        }
    }

    /// Holds a share of the pool until the connection is free for others.
    pub(super) fn hold(&mut self, share: Share) {
        self.share = Some(share);
    }

    /// The connection, for queries. Only `queries` modules call this.
    pub fn connection(&mut self) -> &mut AsyncPgConnection {
        #[expect(clippy::expect_used, reason = "commit and drop take it, and both end the guard")]
        self.connection.as_mut().expect("a transaction in use has its connection")
    }

    /// The workspace this transaction is bound to. An unbound one has none, and asking is a defect.
    pub fn bound_workspace(&self) -> Result<WorkspaceId> {
        self.workspace.ok_or_else(|| Error::internal("the transaction is bound to no workspace"))
    }

    /// Binds a transaction of the system role that had to look for its workspace.
    pub async fn bind(&mut self, workspace: WorkspaceId) -> Result<()> {
        if self.workspace.is_some() {
            return Err(Error::internal("the transaction is bound to a workspace already"));
        }
        self.connection().batch_execute(&format!("SET LOCAL kontor.workspace = '{workspace}'")).await?;
        self.workspace = Some(workspace);
        Ok(())
    }

    /// Allows the statements of this transaction more (or less) time than the pool's default.
    pub async fn limit_statements(&mut self, time: Duration) -> Result<()> {
        let statement = format!("SET LOCAL statement_timeout = '{}ms'", time.as_millis());
        Ok(self.connection().batch_execute(&statement).await?)
    }

    /// Lets this transaction wait for locks no longer than this; past it `Unavailable`.
    pub async fn limit_waiting(&mut self, time: Duration) -> Result<()> {
        let statement = format!("SET LOCAL lock_timeout = '{}ms'", time.as_millis());
        Ok(self.connection().batch_execute(&statement).await?)
    }

    /// Marks where to go on from if the next statements are refused.
    pub async fn set_savepoint(&mut self) -> Result<()> {
        Ok(self.connection().batch_execute("SAVEPOINT part").await?)
    }

    /// Keeps what was done since the mark.
    pub async fn release_savepoint(&mut self) -> Result<()> {
        Ok(self.connection().batch_execute("RELEASE SAVEPOINT part").await?)
    }

    /// Takes back what was done since the mark, and a refusal with it.
    pub async fn return_to_savepoint(&mut self) -> Result<()> {
        Ok(self.connection().batch_execute("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part").await?)
    }

    /// Notes that events were emitted, so that the commit wakes the relay.
    pub fn note_emitted(&mut self) {
        self.emitted = true;
    }

    /// Notes that jobs were put into the queue, so that the commit wakes the runner.
    pub fn note_enqueued(&mut self) {
        self.enqueued = true;
    }

    pub async fn commit(mut self) -> Result<()> {
        // It stays in the guard: whoever is dropped meanwhile gives back no connection that may still
        // be in its transaction.
        let committed = self.connection().batch_execute("COMMIT").await;
        let Some(connection) = self.connection.take() else { return Ok(()) };
        if let Err(error) = committed {
            // The server may be in the middle of anything now.
            discard(connection);
            return Err(error.into());
        }
        if self.emitted {
            self.shared.relay.notify_one();
        }
        if self.enqueued {
            self.shared.jobs.notify_one();
        }
        Ok(())
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            discard(connection);
            return;
        };
        let (connector, share) = (self.shared.connector.clone(), self.share.take());
        runtime.spawn(async move {
            roll_back(connection, connector).await;
            drop(share);
        });
    }
}

/// Makes the connection fit for use again. Whoever hangs up in the middle of a statement leaves it
/// running, and the rollback would wait behind it: so it is cancelled. It keeps its place in the
/// pool until then, so that no number of people who hang up opens more connections than there are
/// to be.
async fn roll_back(mut connection: Object<AsyncPgConnection>, connector: Arc<Connector>) {
    let token = connection.cancel_token();
    let mut cancelled = false;
    let rolled_back = {
        let mut rollback = pin!(connection.batch_execute("ROLLBACK"));
        let ended = match timeout(ENDS_BY_ITSELF, &mut rollback).await {
            Ok(ended) => Some(ended),
            Err(_) => {
                cancelled = true;
                let ending = async {
                    if let Err(error) = connector.cancel(&token).await {
                        tracing::debug!(%error, "an abandoned statement could not be cancelled");
                    }
                    rollback.await
                };
                timeout(ROLLS_BACK, ending).await.ok()
            }
        };
        matches!(ended, Some(Ok(())))
    };
    // A cancel may arrive late, and would then meet somebody else's statement.
    if cancelled || !rolled_back {
        discard(connection);
    }
}

/// Closes a connection instead of giving it back to the pool.
fn discard(connection: Object<AsyncPgConnection>) {
    drop(Object::take(connection));
}
