//! What the tasks of a worker share: its handles, its settings, the jobs that it holds.

use std::time::Duration;

use super::{OnNews, Registry, lease::Holds, registry::Kind};
use crate::{base::Clock, db::Db};

/// How a worker works.
#[derive(Debug, Clone)]
pub struct Config {
    /// Jobs that run at once in this process.
    pub concurrency: usize,
    /// What the rows that it holds say about it, for a person who looks.
    pub node: String,
    /// How often it looks for jobs whose time has come, for leases that ran out, and for what
    /// other processes enqueued. What this process enqueues starts at once.
    pub poll: Duration,
    /// How often the jobs in the queue are counted for the figures.
    pub count: Duration,
    /// Shortens the leases of all kinds: a crash is noticed after this time at the latest.
    pub longest_lease: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            concurrency: 8,
            node: "kontor".to_owned(),
            poll: Duration::from_millis(500),
            count: Duration::from_secs(15),
            longest_lease: Duration::from_secs(3600),
        }
    }
}

/// What all tasks of a worker share.
pub(super) struct Shared<C> {
    pub db: Db,
    pub clock: Clock,
    pub context: C,
    pub registry: Registry<C>,
    pub config: Config,
    pub holds: Holds,
    pub on_news: OnNews,
}

impl<C> Shared<C> {
    pub(super) fn lease(&self, kind: &Kind<C>) -> Duration {
        kind.lease.min(self.config.longest_lease)
    }
}
