//! The listener: this node's ear. It reads each new batch of the log once, when the relay rings or
//! a second has passed, and hands it to the bus; it also takes in what other nodes call out, and
//! watches that the relay, wherever it runs, keeps the outbox moving.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use diesel::pg::PgNotification;
use diesel_async::AsyncPgConnection;
use futures_util::{FutureExt, StreamExt};
use metrics::{describe_gauge, gauge};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    Bus, LoggedEvent,
    connection::{self, Backoff},
    queries::{self, EventsAfter, Page},
};
use crate::{
    base::{Clock, Error, Result},
    db::{Db, in_time},
};

const BATCH: i64 = 1_000;
/// Looked at without being woken, should a wake-up be lost.
const POLL: Duration = Duration::from_secs(1);
/// Without a sign of life for this long, live events are reported as not working.
const STALE: Duration = Duration::from_secs(5);

pub struct Listener {
    pub db: Db,
    pub clock: Clock,
    pub bus: Bus,
    /// Rung for the relay, should it run here.
    pub nudge: Arc<Notify>,
    pub pulse: Arc<Pulse>,
}

/// Signs of life, for the readiness of this node.
#[derive(Default)]
pub struct Pulse {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    last_read: Option<Instant>,
    /// The outbox's first row, and when this node saw it first.
    waiting: Option<(i64, Instant)>,
}

impl Listener {
    /// Works until shut down.
    pub async fn run(self, shutdown: CancellationToken) {
        describe_gauge!(
            "kontor_outbox_oldest_seconds",
            "How long the first event has waited to be relayed; 0 where none does."
        );
        let mut backoff = Backoff::new();
        loop {
            let Some(Err(error)) = shutdown.run_until_cancelled(self.term(&mut backoff)).await else { return };
            tracing::warn!(?error, "listening for events was interrupted");
            if shutdown.run_until_cancelled(backoff.pause()).await.is_none() {
                return;
            }
        }
    }

    /// One connection's life.
    async fn term(&self, backoff: &mut Backoff) -> Result<Infallible> {
        let mut connection = connection::open(&self.db, "kontor listen").await?;
        in_time(queries::listen(&mut connection)).await?;
        // only now: what is logged after this look will ring
        let mut logged_at = self.begin(&mut connection).await?;
        loop {
            self.read_on(&mut connection, &mut logged_at).await?;
            self.look_at_outbox(&mut connection).await?;
            backoff.reset();
            let next_poll = Instant::now() + POLL;
            while let Some(calls) = next_calls(&mut connection, next_poll).await? {
                if self.take_in(&calls) {
                    self.read_on(&mut connection, &mut logged_at).await?;
                }
            }
        }
    }

    /// Finds the node's place in the log. Returns a time before which nothing unread was logged.
    async fn begin(&self, connection: &mut AsyncPgConnection) -> Result<DateTime<Utc>> {
        let state = in_time(queries::log_state(connection)).await?;
        match self.bus.head() {
            // a gap while we were away is caught up with, and we know not from which day on
            Some(head) if head.position <= state.last_position => Ok(DateTime::UNIX_EPOCH),
            known => {
                if known.is_some() {
                    tracing::warn!("the event log is shorter than it was; subscribers begin anew");
                }
                self.bus.start_at(state.last_position);
                Ok(state.last_logged_at)
            }
        }
    }

    /// Reads what is new, to the end.
    async fn read_on(&self, connection: &mut AsyncPgConnection, logged_at: &mut DateTime<Utc>) -> Result<()> {
        while let Some(head) = self.bus.head() {
            let after = EventsAfter { position: head.position, not_before: *logged_at, limit: BATCH };
            let Page { events, more } = in_time(queries::events_after(connection, after)).await?;
            self.pulse.beat();
            let (Some(first), Some(last)) = (events.first(), events.last()) else { break };
            *logged_at = last.logged_at;
            if first.position != head.position + 1 {
                tracing::warn!(from = head.position, "events were dropped before this node had read them");
                self.bus.start_at(first.position - 1);
            }
            self.bus.deliver(events.into_iter().map(LoggedEvent::from).collect());
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// Passes calls on. Returns whether the log has grown.
    fn take_in(&self, calls: &[PgNotification]) -> bool {
        for call in calls {
            match call.channel.as_str() {
                queries::OUTBOX => self.nudge.notify_one(),
                queries::TOPICS => self.bus.topics().receive(&call.payload),
                _ => {}
            }
        }
        calls.iter().any(|call| call.channel == queries::EVENTS)
    }

    async fn look_at_outbox(&self, connection: &mut AsyncPgConnection) -> Result<()> {
        let oldest = in_time(queries::oldest_in_outbox(connection)).await?;
        let age = oldest.map_or(0, |(_, at)| (self.clock.now() - at).num_milliseconds().max(0));
        gauge!("kontor_outbox_oldest_seconds").set(age as f64 / 1_000.0);
        self.pulse.saw_waiting(oldest.map(|(id, _)| id));
        Ok(())
    }
}

impl Pulse {
    /// The log has answered.
    fn beat(&self) {
        self.seen().last_read = Some(Instant::now());
    }

    /// The outbox's first row, if it has one.
    fn saw_waiting(&self, first: Option<i64>) {
        let mut seen = self.seen();
        let known = seen.waiting.filter(|(known, _)| Some(*known) == first);
        let since = known.map_or_else(Instant::now, |(_, since)| since);
        seen.waiting = first.map(|id| (id, since));
    }

    /// `Unavailable` where this node hears nothing, or nobody relays.
    pub fn check(&self) -> Result<()> {
        let seen = self.seen();
        if seen.last_read.is_none_or(|at| at.elapsed() > STALE) {
            return Err(Error::Unavailable("This server is not connected to the event log".into()));
        }
        // by the id and not by its age: a long transaction's events are old when they come
        if seen.waiting.is_some_and(|(_, since)| since.elapsed() > STALE) {
            return Err(Error::Unavailable("Events are written but nobody relays them".into()));
        }
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for calls and returns all that have come; `None` when it is time to poll, however much
/// is being called.
async fn next_calls(connection: &mut AsyncPgConnection, until: Instant) -> Result<Option<Vec<PgNotification>>> {
    let mut incoming = pin!(connection.notifications_stream());
    if Instant::now() >= until {
        return Ok(None);
    }
    let Ok(first) = timeout_at(until, incoming.next()).await else { return Ok(None) };
    let lost = || Error::Unavailable("The connection to the database was lost".into());
    let mut calls = vec![first.ok_or_else(lost)??];
    while let Some(Some(call)) = incoming.next().now_or_never() {
        calls.push(call?);
    }
    Ok(Some(calls))
}
