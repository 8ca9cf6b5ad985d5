//! The event log: the one way in which anybody learns that something changed.
//!
//! An operation [`outbox::emit`]s inside its transaction. The relay moves committed rows into
//! the ordered log and rings every node, each node's listener reads a new batch once, and the
//! [`Bus`] hands it to whoever listens: subscriptions with a cursor, and [`Reactor`]s that turn
//! events into jobs.
//!
//! Three properties hold everything else up. Positions have no gaps and become visible in order,
//! because one relay writes them; so "all after position n" is never wrong. A reader is a position
//! and nothing else; so there is no buffer to overflow and no moment to miss. And the tables are
//! the truth while `NOTIFY` only wakes; so a lost call costs time, not events.

mod announce;
mod bus;
mod connection;
mod counted;
mod cursor;
pub mod event;
mod listen;
pub mod outbox;
mod partitions;
mod queries;
mod react;
mod relay;
mod ring;
mod subscription;
mod topics;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::NaiveDate;
use tokio::{sync::Notify, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    base::{Clock, Result},
    db::Db,
};
use announce::Announcer;
use listen::{Listener, Pulse};
use react::Reaction;
use relay::Relay;

pub use bus::Bus;
pub use cursor::Cursor;
pub use event::{LoggedEvent, NewEvent};
pub use react::Reactor;
pub use subscription::Subscription;
pub use topics::TopicWatch;

/// How often the relaying node looks for days to drop.
const LOOK_FOR_OLD_DAYS: Duration = Duration::from_secs(600);

/// This node's part in the event log; clones share it.
#[derive(Clone)]
pub struct Events {
    bus: Bus,
    db: Db,
    clock: Clock,
    pulse: Arc<Pulse>,
    leading: Arc<AtomicBool>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Events {
    /// Starts relaying and listening, until `shutdown`. The database may be away: it is connected
    /// to again and again, and [`Events::healthy`] tells.
    pub fn start(db: &Db, clock: &Clock, shutdown: CancellationToken) -> Self {
        let announcer = Arc::new(Announcer::default());
        let nudge = Arc::new(Notify::new());
        let events = Self {
            bus: Bus::new(db.clone(), announcer.clone()),
            db: db.clone(),
            clock: clock.clone(),
            pulse: Arc::default(),
            leading: Arc::default(),
            tasks: TaskTracker::new(),
            shutdown: shutdown.clone(),
        };
        let relay = Relay {
            db: db.clone(),
            clock: clock.clone(),
            announcer: announcer.clone(),
            nudge: nudge.clone(),
            leading: events.leading.clone(),
        };
        let (bus, pulse) = (events.bus.clone(), events.pulse.clone());
        let listener = Listener { db: db.clone(), clock: clock.clone(), bus, nudge, pulse };
        events.tasks.spawn(relay.run(shutdown.clone()));
        events.tasks.spawn(listener.run(shutdown.clone()));
        events.tasks.spawn({
            let db = db.clone();
            async move { announcer.run(db, shutdown).await }
        });
        events.tasks.spawn(events.clone().keep_log_short());
        events
    }

    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Runs a reactor on this node until shutdown; of all nodes that run it, one at a time reacts.
    pub fn react(&self, reactor: impl Reactor) {
        let (db, clock, bus) = (self.db.clone(), self.clock.clone(), self.bus.clone());
        self.tasks.spawn(Reaction { db, clock, bus, reactor }.run(self.shutdown.clone()));
    }

    /// Whether events arrive at this node; `Unavailable` says what is wrong. Asks nobody.
    pub fn healthy(&self) -> Result<()> {
        self.pulse.check()
    }

    /// Drops the days that need not be kept any more and returns them: seven days after their last
    /// event, if every reactor has seen it, at the latest after thirty.
    pub async fn drop_old_partitions(&self) -> Result<Vec<NaiveDate>> {
        partitions::drop_old(&self.db, self.clock.now()).await
    }

    /// Waits, after the shutdown, until everything has ended.
    pub async fn stopped(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn keep_log_short(self) {
        while self.shutdown.run_until_cancelled(sleep(LOOK_FOR_OLD_DAYS)).await.is_some() {
            if !self.leading.load(Ordering::Relaxed) {
                continue;
            }
            // a long reader is the usual reason
            if let Err(error) = self.drop_old_partitions().await {
                tracing::info!(?error, "old days of the event log could not be dropped; trying again later");
            }
        }
    }
}
