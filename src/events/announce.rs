//! Calling other nodes by `NOTIFY`, on a connection of its own: in a business transaction it would
//! make all commits queue on one lock. What is to be said meanwhile is gathered, the latest wins.

use std::{
    collections::HashMap,
    convert::Infallible,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use diesel_async::AsyncPgConnection;
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    connection::{self, Backoff},
    queries, topics,
};
use crate::{
    base::Result,
    db::{Db, in_time},
};

/// At most one round of calls in this time.
const GAP: Duration = Duration::from_millis(5);

/// Where the node leaves what the others should hear.
#[derive(Default)]
pub struct Announcer {
    waiting: Mutex<Waiting>,
    something: Notify,
}

#[derive(Default)]
struct Waiting {
    wake_relay: bool,
    /// Encoded notes by topic.
    notes: HashMap<String, String>,
}

impl Announcer {
    /// Calls the node that relays.
    pub fn wake_relay(&self) {
        self.waiting().wake_relay = true;
        self.something.notify_one();
    }

    /// Tells all nodes, this one too, a topic's new value.
    pub fn publish(&self, topic: String, note: topics::Note) {
        self.waiting().notes.insert(topic, note.into_text());
        self.something.notify_one();
    }

    /// Works until shut down.
    pub async fn run(&self, db: Db, shutdown: CancellationToken) {
        let mut backoff = Backoff::new();
        loop {
            let Some(Err(error)) = shutdown.run_until_cancelled(self.speak(&db, &mut backoff)).await else { return };
            tracing::warn!(?error, "calling the other nodes failed");
            if shutdown.run_until_cancelled(backoff.pause()).await.is_none() {
                return;
            }
        }
    }

    async fn speak(&self, db: &Db, backoff: &mut Backoff) -> Result<Infallible> {
        let mut connection = connection::open(db, "kontor announce").await?;
        backoff.reset();
        loop {
            self.something.notified().await;
            let waiting = mem::take(&mut *self.waiting());
            if let Err(error) = say(&mut connection, &waiting).await {
                self.put_back(waiting);
                return Err(error);
            }
            sleep(GAP).await;
        }
    }

    /// Newer values of the same topics stay.
    fn put_back(&self, unsaid: Waiting) {
        let mut waiting = self.waiting();
        waiting.wake_relay |= unsaid.wake_relay;
        for (topic, note) in unsaid.notes {
            waiting.notes.entry(topic).or_insert(note);
        }
        self.something.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn say(connection: &mut AsyncPgConnection, waiting: &Waiting) -> Result<()> {
    if waiting.wake_relay {
        in_time(queries::notify(connection, queries::OUTBOX, &[String::new()])).await?;
    }
    if !waiting.notes.is_empty() {
        let notes: Vec<_> = waiting.notes.values().cloned().collect();
        in_time(queries::notify(connection, queries::TOPICS, &notes)).await?;
    }
    Ok(())
}
