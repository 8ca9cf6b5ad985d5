//! The relay: the one writer of the log. Over all nodes one leads, by an advisory lock that its
//! session holds; it does all its work on that very connection, so a lost connection is a lost
//! leadership, and what was in flight is rolled back or done, never half.
//!
//! One writer is why positions have no gaps and become visible in order. It takes what has been
//! committed, in the order of ids; rows of open transactions are not there yet and delay nobody.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use diesel_async::AsyncPgConnection;
use metrics::{counter, gauge};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    announce::Announcer,
    connection::{self, Backoff, in_time},
    partitions::Partitions,
    queries::{self, Moved},
};
use crate::{
    base::{Clock, Result},
    db::Db,
};

const BATCH: i64 = 1_000;
/// Looked at without being woken, should a wake-up be lost.
const POLL: Duration = Duration::from_millis(100);
/// How often a node that does not lead asks for the lock: the longest time without a leader.
/// Asking, not waiting in the lock's queue: a waiting statement holds a snapshot, and so keeps
/// PostgreSQL from tidying up any table.
const ASK_FOR_LOCK: Duration = Duration::from_millis(250);

pub struct Relay {
    pub db: Db,
    pub clock: Clock,
    pub announcer: Arc<Announcer>,
    /// Rung when another node has committed events.
    pub nudge: Arc<Notify>,
    /// Tells the rest of this node whether it leads.
    pub leading: Arc<AtomicBool>,
}

impl Relay {
    /// Works until shut down. Being stopped anywhere is safe: a batch is one statement.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut backoff = Backoff::new();
        loop {
            let ended = shutdown.run_until_cancelled(self.term(&mut backoff)).await;
            self.leads(false);
            let Some(Err(error)) = ended else { return };
            tracing::warn!(?error, "the event relay lost its connection");
            if shutdown.run_until_cancelled(backoff.pause()).await.is_none() {
                return;
            }
        }
    }

    /// One connection's life: waits for the lead, then relays until something fails.
    async fn term(&self, backoff: &mut Backoff) -> Result<Infallible> {
        let mut connection = connection::open(&self.db, "kontor relay").await?;
        in_time(queries::set_up_relay(&mut connection)).await?;
        while !in_time(queries::try_relay_lock(&mut connection)).await? {
            backoff.reset();
            self.call_the_leader_for(ASK_FOR_LOCK).await;
        }
        backoff.reset();
        self.leads(true);
        tracing::info!("this node relays the events now");
        self.lead(&mut connection).await
    }

    /// Passes this node's wake-ups on, for a while.
    async fn call_the_leader_for(&self, time: Duration) {
        let until = Instant::now() + time;
        while timeout_at(until, self.db.relay_wake().notified()).await.is_ok() {
            self.announcer.wake_relay();
        }
    }

    async fn lead(&self, connection: &mut AsyncPgConnection) -> Result<Infallible> {
        let mut logged_at = in_time(queries::log_state(connection)).await?.last_logged_at;
        let mut partitions = Partitions::default();
        let mut floor = Floor::default();
        loop {
            // a clock that was set back must not order the log's days differently from its positions
            logged_at = logged_at.max(self.clock.now());
            in_time(partitions.ensure(connection, logged_at)).await?;
            let moved = in_time(queries::move_batch(connection, floor.get(), BATCH, logged_at)).await?;
            floor.learn(&moved);
            counter!("kontor_events_relayed_total").increment(moved.count.unsigned_abs());
            if moved.count < BATCH {
                self.wait().await;
            }
        }
    }

    async fn wait(&self) {
        tokio::select! {
            () = self.db.relay_wake().notified() => {}
            () = self.nudge.notified() => {}
            () = sleep(POLL) => {}
        }
    }

    fn leads(&self, leads: bool) {
        self.leading.store(leads, Ordering::Relaxed);
        gauge!("kontor_relay_leading").set(if leads { 1.0 } else { 0.0 });
    }
}

/// The id below which no outbox row can appear any more.
///
/// Without it each look at the outbox begins at its index's left end and steps over the entries of
/// all rows moved since the last vacuum. As long as somebody holds an old snapshot (an export, a
/// dump) vacuum may not remove any, and the looks get slower and slower.
struct Floor {
    passed: i64,
    /// An id, and the transaction number that was next when a row with it had been moved: once all
    /// transactions before that number have ended, all ids up to this one have been seen.
    candidate: Option<(i64, i64)>,
    ignore_at: Instant,
}

/// A transaction whose very first write is its event draws the id a moment before it gets its
/// number, so the rule above could miss it. Such a one holds no row locks, hence no other event of
/// the same record waits for it; it is found by the next look from the very beginning.
const LOOK_FROM_THE_BEGINNING: Duration = Duration::from_secs(5);

impl Default for Floor {
    fn default() -> Self {
        Self { passed: 0, candidate: None, ignore_at: Instant::now() + LOOK_FROM_THE_BEGINNING }
    }
}

impl Floor {
    /// Where the next look begins.
    fn get(&mut self) -> i64 {
        if Instant::now() < self.ignore_at {
            return self.passed;
        }
        self.ignore_at = Instant::now() + LOOK_FROM_THE_BEGINNING;
        0
    }

    fn learn(&mut self, moved: &Moved) {
        if let Some((id, number)) = self.candidate
            && moved.oldest_open >= number
            && (moved.count < BATCH || moved.newest_id >= Some(id))
        {
            self.passed = self.passed.max(id);
            self.candidate = None;
        }
        if let (None, Some(newest)) = (self.candidate, moved.newest_id) {
            self.candidate = Some((newest, moved.next_transaction));
        }
    }
}
