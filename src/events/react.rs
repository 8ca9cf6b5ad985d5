//! Reactors: readers of the whole log with a stored position, who turn events into jobs. At least
//! once: the reaction and the position move in one transaction, and what fails is tried again.

use std::{convert::Infallible, time::Duration};

use chrono::{DateTime, Utc};
use metrics::gauge;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Bus, LoggedEvent,
    bus::Head,
    connection::Backoff,
    queries::{self, EventRow, EventsAfter, Page},
};
use crate::{
    base::{Clock, Result},
    db::{Db, Tx},
};

const BATCH: i64 = 1_000;
/// Looked at without being woken, should a wake-up be lost or another node have stopped.
const POLL: Duration = Duration::from_secs(1);

/// Something that follows from events. Runs on one node at a time, in the order of the log.
pub trait Reactor: Send + Sync + 'static {
    /// Its position is stored under this name, so it never changes.
    const NAME: &'static str;

    /// Whether the event matters; asked for every event of every workspace.
    fn wants(&self, event: &LoggedEvent) -> bool;

    /// Reacts to some events, which are of different workspaces, in a transaction of the system
    /// role: database work only, and little of it. An error takes everything back, and the same
    /// events come again.
    fn react(&self, tx: &mut Tx, events: &[LoggedEvent]) -> impl Future<Output = Result<()>> + Send;

    /// Called instead when events were dropped that this reactor had not seen, after a standstill
    /// of thirty days: brings about by itself what they would have.
    fn rebuild(&self, tx: &mut Tx) -> impl Future<Output = Result<()>> + Send;
}

/// A moment for more to come, so that a busy log costs a hundred small transactions a second at most.
const GATHER: Duration = Duration::from_millis(10);

/// How one look at the log went.
enum Look {
    /// There is more at once.
    More,
    /// The end is reached, or another node is at it.
    Idle,
}

/// Where this node left off, to look into the right partitions only.
struct Place {
    position: i64,
    logged_at: DateTime<Utc>,
}

pub(super) struct Reaction<R> {
    pub db: Db,
    pub clock: Clock,
    pub bus: Bus,
    pub reactor: R,
}

impl<R: Reactor> Reaction<R> {
    /// Works until shut down.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut backoff = Backoff::new();
        let mut head = self.bus.watch_head();
        loop {
            let ended = shutdown.run_until_cancelled(self.follow(&mut head, &mut backoff)).await;
            let Some(Err(error)) = ended else { return };
            tracing::error!(?error, reactor = R::NAME, "reacting to events failed; it will be tried again");
            if shutdown.run_until_cancelled(backoff.pause()).await.is_none() {
                return;
            }
        }
    }

    async fn follow(&self, head: &mut watch::Receiver<Option<Head>>, backoff: &mut Backoff) -> Result<Infallible> {
        let mut tx = self.db.system().await?;
        // one that is new begins with what is logged from now on
        let end = queries::log_state(tx.connection()).await?.last_position;
        queries::add_reactor(tx.connection(), R::NAME, end, self.clock.now()).await?;
        tx.commit().await?;
        let mut place = Place { position: 0, logged_at: DateTime::UNIX_EPOCH };
        loop {
            head.borrow_and_update();
            let look = self.step(&mut place).await?;
            backoff.reset();
            if let Look::Idle = look {
                wait(head).await;
                sleep(GATHER).await;
            }
        }
    }

    /// One batch: reads, reacts and moves on, all or nothing.
    async fn step(&self, place: &mut Place) -> Result<Look> {
        let mut tx = self.db.system().await?;
        let Some(position) = queries::lock_reactor(tx.connection(), R::NAME).await? else { return Ok(Look::Idle) };
        let not_before = if place.position == position { place.logged_at } else { DateTime::UNIX_EPOCH };
        let after = EventsAfter { position, not_before, limit: BATCH };
        let Page { events, more } = queries::events_after(tx.connection(), after).await?;
        let dropped = queries::log_state(tx.connection()).await?.dropped_position;
        if dropped > position {
            tracing::warn!(reactor = R::NAME, "events were dropped unseen; rebuilding");
            self.reactor.rebuild(&mut tx).await?;
            self.move_on(tx, dropped).await?;
            return Ok(Look::More);
        }
        // also where reacting fails: then it stays as high as it is
        self.tell_behind(position);
        let Some(last) = events.last() else { return Ok(Look::Idle) };
        let reached = Place { position: last.position, logged_at: last.logged_at };
        self.react(&mut tx, events).await?;
        self.move_on(tx, reached.position).await?;
        *place = reached;
        Ok(if more { Look::More } else { Look::Idle })
    }

    async fn move_on(&self, mut tx: Tx, position: i64) -> Result<()> {
        queries::move_reactor(tx.connection(), R::NAME, position, self.clock.now()).await?;
        tx.commit().await?;
        self.tell_behind(position);
        Ok(())
    }

    fn tell_behind(&self, position: i64) {
        let behind = self.bus.head().map_or(0, |head| (head.position - position).max(0));
        gauge!("kontor_reactor_behind_events", "reactor" => R::NAME).set(behind as f64);
    }

    async fn react(&self, tx: &mut Tx, rows: Vec<EventRow>) -> Result<()> {
        let mut events: Vec<LoggedEvent> = rows.into_iter().map(LoggedEvent::from).collect();
        events.retain(|event| self.reactor.wants(event));
        if events.is_empty() { Ok(()) } else { self.reactor.react(tx, &events).await }
    }
}

async fn wait(head: &mut watch::Receiver<Option<Head>>) {
    // the bus lives as long as the reaction that holds it
    if let Ok(Err(_)) = timeout(POLL, head.changed()).await {
        sleep(POLL).await;
    }
}
