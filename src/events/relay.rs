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
use metrics::{counter, describe_counter, describe_gauge, gauge};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    announce::Announcer,
    connection::{self, Backoff},
    partitions::Partitions,
    queries::{self, LogState, MoveBatch, Moved},
};
use crate::{
    base::{Clock, Result},
    db::{Db, in_time},
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
        describe_gauge!("kontor_relay_leading", "1 on the node that relays events, 0 on the others.");
        describe_counter!("kontor_events_relayed_total", "Events that this node moved into the log.");
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
        self.leads(true);
        tracing::info!("this node relays the events now");
        self.lead(&mut connection, backoff).await
    }

    /// Passes this node's wake-ups on, for a while.
    async fn call_the_leader_for(&self, time: Duration) {
        let until = Instant::now() + time;
        while timeout_at(until, self.db.relay_wake().notified()).await.is_ok() {
            self.announcer.wake_relay();
        }
    }

    async fn lead(&self, connection: &mut AsyncPgConnection, backoff: &mut Backoff) -> Result<Infallible> {
        // from here on we alone know where the log ends: nobody else writes it while we hold the lock
        let LogState { last_position: mut position, last_logged_at: mut logged_at, .. } =
            in_time(queries::log_state(connection)).await?;
        let mut partitions = Partitions::default();
        let mut floor = Floor::new();
        loop {
            // a clock that was set back must not order the log's days differently from its positions
            logged_at = logged_at.max(self.clock.now());
            in_time(partitions.ensure(connection, logged_at)).await?;
            let batch = MoveBatch { beyond: floor.get(), limit: BATCH, position, logged_at };
            let moved = in_time(queries::move_batch(connection, batch)).await?;
            backoff.reset();
            position += moved.count;
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

/// The id up to which no outbox row can appear any more.
///
/// Without it each look at the outbox begins at its index's left end and steps over the entries of
/// all rows moved since the last vacuum. As long as somebody holds an old snapshot (an export, a
/// dump) vacuum may not remove any, and the looks get slower and slower.
struct Floor {
    passed: i64,
    next: Option<Candidate>,
    ignore_at: Instant,
}

/// The next floor, in the making. Once all transactions that may have drawn an id up to this one
/// have ended, and a look has seen what they left, nothing can appear there.
struct Candidate {
    id: i64,
    since: Instant,
    /// All those transactions have numbers below this one.
    below: Option<i64>,
}

/// A transaction whose very first write is its event draws the id a moment before it gets its
/// number. This is far longer than that moment.
const SETTLE: Duration = Duration::from_secs(1);

/// Should a machine have stood still just then, this is when the event is found all the same.
/// (Its transaction holds no row locks, so no later event of the same record can have passed it.)
const LOOK_FROM_THE_BEGINNING: Duration = Duration::from_secs(5);

impl Floor {
    fn new() -> Self {
        Self { passed: 0, next: None, ignore_at: Instant::now() + LOOK_FROM_THE_BEGINNING }
    }

    /// Where the next look begins.
    fn get(&mut self) -> i64 {
        if Instant::now() < self.ignore_at {
            return self.passed;
        }
        self.ignore_at = Instant::now() + LOOK_FROM_THE_BEGINNING;
        0
    }

    fn learn(&mut self, moved: &Moved) {
        match &mut self.next {
            None => {
                let candidate = |id| Candidate { id, since: Instant::now(), below: None };
                self.next = moved.newest_id.map(candidate);
            }
            Some(Candidate { since, below: below @ None, .. }) => {
                if since.elapsed() >= SETTLE {
                    *below = Some(moved.next_transaction);
                }
            }
            Some(Candidate { id, below: Some(below), .. }) => {
                let saw_up_to_id = moved.count < BATCH || moved.newest_id >= Some(*id);
                if moved.oldest_open >= *below && saw_up_to_id {
                    self.passed = self.passed.max(*id);
                    self.next = None;
                }
            }
        }
    }
}
