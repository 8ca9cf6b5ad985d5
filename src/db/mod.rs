//! The database: connections, transactions bound to a workspace, migrations, and the translation
//! of database errors. Features put their SQL into their own `queries` and get `&mut Tx` from here.
//!
//! Connections step down to one of two roles right after they are opened. The **app** role is
//! subject to row-level security and serves requests and job bodies; the **system** role sees all
//! workspaces and claims jobs, relays events, signs people in and migrates. Both names derive from
//! the database's name, so that two installations can share a cluster.

pub mod columns;
pub mod embedded;
mod errors;
pub mod limit;
pub mod locks;
pub mod migrate;
mod pool;
pub mod schema;
mod shares;
mod tx;

use std::{sync::Arc, time::Duration};

use diesel_async::{AsyncPgConnection, pooled_connection::deadpool};
use tokio::{sync::Notify, time::timeout};

use crate::base::{
    Error, Result,
    ids::{UserId, WorkspaceId},
};

pub use errors::from_postgres;
pub use pool::{Connector, Role, Roles, connect_plain, quote_identifier};
pub use tx::Tx;

/// Where the database is and how it is used. URLs hold passwords: `Debug` hides them.
#[derive(Clone)]
pub struct Config {
    /// A `postgresql://` URL.
    pub url: String,
    /// What the two roles' names begin with; the database's name unless set.
    pub role_prefix: Option<String>,
    /// Connections of the app role. Besides, the system role gets a quarter as many for chores, as many
    /// again for searches, an eighth as many to follow changes, and as many that can `COPY`; at least four each.
    pub connections: usize,
    /// After this many seconds PostgreSQL ends a statement of a request.
    pub statement_seconds: u64,
    /// A file of PEM certificates that the server's must be signed by, besides the machine's own.
    pub ca_file: Option<std::path::PathBuf>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("connections", &self.connections).finish_non_exhaustive()
    }
}

/// How many connections of a pool there are, and how many callers wait for one.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pub used: usize,
    pub idle: usize,
    pub waiting: usize,
}

/// Whose data a transaction may see. Callers and job runs are tenants.
pub trait Tenant {
    fn workspace(&self) -> WorkspaceId;
}

impl Tenant for WorkspaceId {
    fn workspace(&self) -> WorkspaceId {
        *self
    }
}

/// The handle to the database; clones share the pools.
#[derive(Clone)]
pub struct Db {
    app: deadpool::Pool<AsyncPgConnection>,
    system: deadpool::Pool<AsyncPgConnection>,
    searches: deadpool::Pool<AsyncPgConnection>,
    /// For what is looked up to tell of live changes.
    following: deadpool::Pool<AsyncPgConnection>,
    /// What one workspace has of the pool of requests for looking through records, and of these two.
    looking_each: shares::Shares<WorkspaceId>,
    asking_each: shares::Shares<WorkspaceId>,
    following_each: shares::Shares<WorkspaceId>,
    /// What one person has of the last.
    following_own: shares::Shares<(WorkspaceId, UserId)>,
    copy: deadpool_postgres::Pool,
    shared: tx::Shared,
}

/// A connection outside the pools: see [`Connector::open`].
pub type OwnConnection = AsyncPgConnection;

/// A small pool has so many connections at least.
const FEWEST: usize = 4;

/// How long a statement may take that takes milliseconds as a rule.
const PATIENCE: Duration = Duration::from_secs(15);

/// The future's result, or `TimedOut` where the database may be gone without a word. For the
/// threads of the process that nobody else would ever wake.
pub async fn in_time<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(PATIENCE, work).await.unwrap_or(Err(Error::TimedOut))
}

impl Db {
    /// Opens the pools; connections are made when first needed. The schema must have been
    /// prepared by [`migrate::prepare`] once, which also makes the roles.
    pub fn open(config: &Config) -> Result<Self> {
        let connector = Arc::new(Connector::new(config)?);
        let chores = (config.connections / 4).max(FEWEST);
        let copies = (config.connections / 8).max(FEWEST);
        Ok(Self {
            app: pool::diesel(&connector, Role::App, config.connections)?,
            system: pool::diesel(&connector, Role::System, chores)?,
            searches: pool::diesel(&connector, Role::System, chores)?,
            following: pool::diesel(&connector, Role::System, copies)?,
            // some are left to the others, however much one workspace asks
            looking_each: shares::Shares::new(config.connections / 2),
            asking_each: shares::Shares::new(chores * 3 / 4),
            following_each: shares::Shares::new(copies / 2),
            following_own: shares::Shares::new(1),
            copy: pool::copy(&connector, copies)?,
            shared: tx::Shared { connector, relay: Arc::default(), jobs: Arc::default() },
        })
    }

    /// Begins a transaction that sees and changes one workspace only.
    pub async fn begin(&self, tenant: &impl Tenant) -> Result<Tx> {
        Tx::begin(&self.app, Some(tenant.workspace()), "BEGIN", &self.shared).await
    }

    /// Begins a read-only transaction of one snapshot per statement.
    pub async fn read(&self, tenant: &impl Tenant) -> Result<Tx> {
        Tx::begin(&self.app, Some(tenant.workspace()), "BEGIN READ ONLY", &self.shared).await
    }

    /// The same for what may read all records of a kind, such as a search, a count, or an order without an index:
    /// one workspace has a part of the connections for that, so that it leaves some to the others.
    pub async fn look(&self, tenant: &impl Tenant) -> Result<Tx> {
        let share = self.looking_each.take(tenant.workspace()).await?;
        let mut tx = self.read(tenant).await?;
        tx.hold(share);
        Ok(tx)
    }

    /// Begins a transaction that sees all workspaces. For what no single workspace can do:
    /// signing in, claiming jobs, relaying, purging. Never for a feature's own rows.
    pub async fn system(&self) -> Result<Tx> {
        Tx::begin(&self.system, None, "BEGIN", &self.shared).await
    }

    /// A transaction of the system role that is bound to one workspace: for registration, and for the jobs that
    /// keep lists and bulk changes, whose statements name the workspace and need indexes that row-level security
    /// keeps from the planner.
    pub async fn system_in(&self, workspace: WorkspaceId) -> Result<Tx> {
        Tx::begin(&self.system, Some(workspace), "BEGIN", &self.shared).await
    }

    /// A transaction of the system role that looks through the records of one workspace for longer than
    /// most statements take: for criteria and duplicates. These have connections of their own, of which one
    /// workspace has a part, so that nobody's searches hold up signing in, jobs, or the others.
    /// `Unavailable` where none of them is free for a while.
    pub async fn search_in(&self, workspace: WorkspaceId) -> Result<Tx> {
        let share = self.asking_each.take(workspace).await?;
        let mut tx = Tx::begin(&self.searches, Some(workspace), "BEGIN", &self.shared).await?;
        tx.hold(share);
        Ok(tx)
    }

    /// The same for what is looked up to tell a person of live changes, with connections that no search uses. Waits
    /// for its turn, of the person's first, so that nobody holds up their colleagues: who is told late is told all
    /// the same.
    pub async fn follow_in(&self, workspace: WorkspaceId, user: UserId) -> Result<Tx> {
        let own = self.following_own.wait((workspace, user)).await?;
        let share = self.following_each.wait(workspace).await?.and(own);
        let mut tx = Tx::begin(&self.following, Some(workspace), "BEGIN", &self.shared).await?;
        tx.hold(share);
        Ok(tx)
    }

    /// A connection of the system role that can `COPY`, for staging tables alone.
    pub async fn copy(&self) -> Result<deadpool_postgres::Object> {
        self.copy.get().await.map_err(|error| pool::unavailable(&error))
    }

    /// What opens connections of its own: for `LISTEN` and for the relay's lock.
    pub fn connector(&self) -> &Arc<Connector> {
        &self.shared.connector
    }

    /// Rung after each commit that emitted events; the relay waits for it.
    pub fn relay_wake(&self) -> &Arc<Notify> {
        &self.shared.relay
    }

    /// Rung after each commit that enqueued jobs; the runner waits for it.
    pub fn jobs_wake(&self) -> &Arc<Notify> {
        &self.shared.jobs
    }

    /// Answers whether the database can be reached now.
    pub async fn ping(&self) -> Result<()> {
        let tx = self.system().await?;
        tx.commit().await
    }

    /// The migrations of this version that the database still lacks.
    pub async fn lacking_migrations(&self) -> Result<Vec<String>> {
        let mut tx = self.system().await?;
        migrate::lacking(tx.connection()).await
    }

    /// How the pools are used, by their purpose; for metrics.
    pub fn usage(&self) -> [(&'static str, Usage); 4] {
        let usage = |status: deadpool_postgres::Status| Usage {
            used: status.size.saturating_sub(status.available),
            idle: status.available,
            waiting: status.waiting,
        };
        [
            ("requests", usage(self.app.status())),
            ("chores", usage(self.system.status())),
            ("searches", usage(self.searches.status())),
            ("following", usage(self.following.status())),
        ]
    }

    /// Closes the pools: waiting and later requests fail at once.
    pub fn close(&self) {
        self.app.close();
        self.system.close();
        self.searches.close();
        self.following.close();
        self.copy.close();
    }
}

impl From<::deadpool_postgres::PoolError> for Error {
    fn from(error: ::deadpool_postgres::PoolError) -> Self {
        pool::unavailable(&error)
    }
}
