//! The bus: hands each batch of the log that this node has read to whoever listens here. It keeps
//! one ring of recent events per workspace with listeners, and a listener is nothing but a
//! position: so memory is bounded whatever listeners do, a busy workspace wakes no other's, and
//! there is no moment between "read the log" and "listen" in which an event could slip through.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use metrics::gauge;
use serde_json::Value;
use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};

use super::{
    Cursor, LoggedEvent,
    announce::Announcer,
    counted::Counted,
    queries::{self, EventRow, LogState, Page, WorkspaceEvents},
    ring::{Found, Ring},
    topics::{Note, TopicWatch, Topics},
};
use crate::{
    base::{Error, Result, ids::WorkspaceId},
    db::Db,
};

/// Events that a subscriber who is behind reads from the log at a time.
const PAGE: i64 = 500;
/// Subscribers that read the log at once; after a restart all of them want to, and the pool has
/// other users.
const LOG_READERS: usize = 3;
/// A node that has just started reads where the log ends; subscribers wait for that.
const WAIT_FOR_START: Duration = Duration::from_secs(10);

/// Where subscribers are; clones share it.
#[derive(Clone)]
pub struct Bus {
    shared: Arc<Shared>,
}

struct Shared {
    db: Db,
    announcer: Arc<Announcer>,
    /// How far this node has read; `None` until it has begun.
    head: watch::Sender<Option<Head>>,
    rooms: Mutex<Counted<WorkspaceId, Arc<Room>>>,
    log_readers: Semaphore,
    topics: Topics,
    /// Told of every event of every workspace, in order.
    watchers: RwLock<Vec<Watcher>>,
}

type Watcher = Box<dyn Fn(&LoggedEvent) + Send + Sync>;

/// The node's place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub position: i64,
    /// Raised when positions begin to mean something else (a restored database).
    pub epoch: u64,
}

/// One workspace with listeners.
pub(super) struct Room {
    ring: Mutex<Ring>,
    /// Sends to this room's subscribers when there is something new.
    bell: watch::Sender<()>,
}

/// Some events of a workspace as the log has them.
pub(super) struct LogPage {
    pub events: Vec<Arc<LoggedEvent>>,
    /// Everything up to here is in `events`, or seen before.
    pub read_to: i64,
}

impl Bus {
    pub(super) fn new(db: Db, announcer: Arc<Announcer>) -> Self {
        let shared = Shared {
            db,
            announcer,
            head: watch::Sender::new(None),
            rooms: Mutex::default(),
            log_readers: Semaphore::new(LOG_READERS),
            topics: Topics::default(),
            watchers: RwLock::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Tells the watchers of a topic on all nodes its new value, which is neither logged nor
    /// repeated. Values that follow one another within milliseconds may be skipped, the latest
    /// never. `TooLarge` beyond 8,000 bytes.
    pub fn publish_transient(&self, topic: String, value: &Value) -> Result<()> {
        let note = Note::new(&topic, value)?;
        self.shared.announcer.publish(topic, note);
        Ok(())
    }

    /// Watches a topic from now on. Whoever needs the present value reads it where it is stored,
    /// after this has returned.
    pub fn watch_topic(&self, topic: impl Into<String>) -> TopicWatch {
        self.shared.topics.watch(topic.into())
    }

    /// How far this node has read the log: whoever reads the present state behind this call and then subscribes
    /// after this cursor misses nothing. `Unavailable` until the node has begun to read.
    pub fn cursor(&self) -> Result<Cursor> {
        self.head().map(|head| Cursor::after(head.position)).ok_or_else(not_started)
    }

    /// Calls a function with every event of every workspace from now on, for as long as the process
    /// lives. For what a node keeps in memory (a cache of rights); it must not block.
    pub fn tell_each(&self, watcher: impl Fn(&LoggedEvent) + Send + Sync + 'static) {
        self.shared.watchers.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(watcher));
    }

    pub(super) fn topics(&self) -> &Topics {
        &self.shared.topics
    }

    pub(super) fn head(&self) -> Option<Head> {
        *self.shared.head.borrow()
    }

    /// Changes whenever the node has read on, whichever the workspace.
    pub(super) fn watch_head(&self) -> watch::Receiver<Option<Head>> {
        self.shared.head.subscribe()
    }

    /// Goes on from another position than the last one read: at the start, or because positions
    /// were taken back. Whoever listened before is told to begin anew.
    pub(super) fn start_at(&self, position: i64) {
        let rooms = self.rooms();
        self.shared.head.send_modify(|head| {
            *head = Some(Head { position, epoch: head.map_or(0, |head| head.epoch + 1) });
        });
        for room in rooms.values() {
            *room.ring() = Ring::new(position);
            room.bell.send_replace(());
        }
    }

    /// Takes the next batch of the log, in order.
    pub(super) fn deliver(&self, events: Vec<LoggedEvent>) {
        let Some(last) = events.last().map(|event| event.position) else { return };
        for watcher in self.shared.watchers.read().unwrap_or_else(PoisonError::into_inner).iter() {
            events.iter().for_each(watcher);
        }
        let mut touched: Vec<Arc<Room>> = Vec::new();
        {
            // Rings and head move under one lock: a room that is made meanwhile begins either
            // before this batch and gets it, or after it.
            let rooms = self.rooms();
            for event in events {
                let Some(room) = rooms.get(&event.workspace) else { continue };
                room.ring().push(Arc::new(event));
                if touched.last().is_none_or(|last| !Arc::ptr_eq(last, room)) {
                    touched.push(room.clone());
                }
            }
            self.shared.head.send_modify(|head| {
                if let Some(head) = head {
                    head.position = last;
                }
            });
        }
        for room in touched {
            room.bell.send_replace(());
        }
    }

    /// The events of a workspace after a position, from the log.
    pub(super) async fn read_log(&self, workspace: WorkspaceId, after: i64) -> Result<LogPage> {
        let _permit = self.shared.log_readers.acquire().await.map_err(Error::internal)?;
        let mut tx = self.shared.db.system().await?;
        let before = queries::log_state(tx.connection()).await?;
        let asked = WorkspaceEvents { workspace, after, up_to: before.last_position, limit: PAGE };
        let Page { events, more } = queries::workspace_events(tx.connection(), asked).await?;
        // asked last: what was dropped while we read is missing from the page
        let afterwards = queries::log_state(tx.connection()).await?;
        tx.commit().await?;
        require_kept(after, &afterwards)?;
        let read_to = events.last().filter(|_| more).map_or(before.last_position, |last| last.position);
        let event = |row: EventRow| Arc::new(LoggedEvent::from(row));
        Ok(LogPage { events: events.into_iter().map(event).collect(), read_to })
    }

    /// Refuses a position whose successors are gone, or that the log has not reached.
    pub(super) async fn require_in_log(&self, position: i64) -> Result<()> {
        let _permit = self.shared.log_readers.acquire().await.map_err(Error::internal)?;
        let mut tx = self.shared.db.system().await?;
        let state = queries::log_state(tx.connection()).await?;
        tx.commit().await?;
        require_kept(position, &state)
    }

    async fn started(&self) -> Result<()> {
        let mut head = self.shared.head.subscribe();
        let started = timeout(WAIT_FOR_START, head.wait_for(Option::is_some)).await;
        match started {
            Ok(Ok(_)) => Ok(()),
            _ => Err(not_started()),
        }
    }

    /// Enters the workspace's room at the node's place, once the node has begun to listen.
    pub(super) async fn enter(&self, workspace: WorkspaceId) -> Result<Entered> {
        self.started().await?;
        let mut rooms = self.rooms();
        let head = self.head().ok_or_else(not_started)?;
        let room = rooms.enter(workspace, || Arc::new(Room::new(head.position))).clone();
        gauge!("kontor_bus_workspaces").set(rooms.len() as f64);
        let bell = room.bell.subscribe();
        Ok(Entered { room, bell, head })
    }

    /// Gives a room back that was entered; the last one to leave takes the ring along.
    pub(super) fn leave(&self, workspace: WorkspaceId) {
        let mut rooms = self.rooms();
        rooms.leave(&workspace);
        gauge!("kontor_bus_workspaces").set(rooms.len() as f64);
    }

    fn rooms(&self) -> MutexGuard<'_, Counted<WorkspaceId, Arc<Room>>> {
        self.shared.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader's place in a room.
pub(super) struct Entered {
    pub room: Arc<Room>,
    /// Rings when there is more.
    pub bell: watch::Receiver<()>,
    pub head: Head,
}

impl Room {
    fn new(start: i64) -> Self {
        Self { ring: Mutex::new(Ring::new(start)), bell: watch::Sender::new(()) }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn after(&self, position: i64) -> Found {
        self.ring().after(position)
    }

    pub(super) fn reaches(&self, position: i64) -> bool {
        self.ring().reaches(position)
    }
}

fn require_kept(position: i64, state: &LogState) -> Result<()> {
    if (state.dropped_position..=state.last_position).contains(&position) { Ok(()) } else { Err(expired()) }
}

pub(super) fn expired() -> Error {
    Error::Expired("The events after this cursor are no longer kept; fetch the data again and subscribe anew".into())
}

fn not_started() -> Error {
    Error::Unavailable("Live events are not available yet; try again in a moment".into())
}
