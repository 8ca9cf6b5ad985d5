//! One reader of a workspace's events: a position, fed by the ring as long as it keeps up, and by
//! the log, page by page, when it does not.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::watch;

use super::{
    Bus, Cursor, LoggedEvent,
    bus::{Entered, Room, expired},
    ring::Found,
};
use crate::base::{Result, ids::WorkspaceId};

/// Every event of a workspace after a position: each once, in order, without gaps.
pub struct Subscription {
    bus: Bus,
    workspace: WorkspaceId,
    room: Arc<Room>,
    bell: watch::Receiver<()>,
    epoch: u64,
    /// All events up to here have been returned.
    position: i64,
    /// What was read from the log and not returned yet.
    page: VecDeque<Arc<LoggedEvent>>,
    /// The position when the page will have been returned.
    page_end: i64,
}

impl Bus {
    /// Begins to listen to a workspace: with everything after the cursor, or from now on. Whatever
    /// is committed after this has returned will come; what was committed just before may.
    ///
    /// `Expired` where the log no longer (or not yet) holds what follows the cursor: the client has
    /// to read the present state and begin anew.
    pub async fn subscribe(&self, workspace: WorkspaceId, after: Option<Cursor>) -> Result<Subscription> {
        let Entered { room, bell, head } = self.enter(workspace).await?;
        let mut subscription = Subscription {
            bus: self.clone(),
            workspace,
            room,
            bell,
            epoch: head.epoch,
            position: head.position,
            page: VecDeque::new(),
            page_end: head.position,
        };
        if let Some(cursor) = after {
            subscription.resume(cursor).await?;
        }
        Ok(subscription)
    }
}

impl Subscription {
    /// Goes on from another reader's cursor; only right after the making.
    async fn resume(&mut self, cursor: Cursor) -> Result<()> {
        let here = self.position;
        self.position = cursor.position();
        self.page_end = self.position;
        if !self.room.reaches(self.position) {
            self.read_page().await
        } else if self.position > here {
            // another node may have read further than this one
            self.bus.require_in_log(self.position).await
        } else {
            Ok(())
        }
    }

    /// Waits for the next event. Being cancelled loses nothing; so does a failure other than
    /// `Expired`, after which this can be called again.
    pub async fn next(&mut self) -> Result<Arc<LoggedEvent>> {
        loop {
            // Noted as seen before looking: what comes in between rings again.
            self.bell.borrow_and_update();
            match self.look()? {
                Found::Next(event) => return Ok(event),
                Found::Behind => self.read_page().await?,
                // it ends only with the room, and we hold that
                Found::Nothing => drop(self.bell.changed().await),
            }
        }
    }

    /// The next event if one is at hand, without waiting. `None` may also mean that the log has to
    /// be read first, which [`Subscription::next`] does.
    pub fn try_next(&mut self) -> Result<Option<Arc<LoggedEvent>>> {
        match self.look()? {
            Found::Next(event) => Ok(Some(event)),
            Found::Behind | Found::Nothing => Ok(None),
        }
    }

    /// How far this reader has come. Moves on in a quiet workspace too, so that the cursor of a
    /// reader who has nothing to read does not expire.
    pub fn cursor(&mut self) -> Cursor {
        let head = self.bus.head().filter(|head| head.epoch == self.epoch);
        if let (Some(head), true) = (head, self.page.is_empty()) {
            self.position = self.position.max(self.page_end);
            if self.room.after(self.position) == Found::Nothing {
                self.position = self.position.max(head.position);
            }
        }
        Cursor::after(self.position)
    }

    fn look(&mut self) -> Result<Found> {
        if self.bus.head().is_none_or(|head| head.epoch != self.epoch) {
            return Err(expired());
        }
        if let Some(event) = self.page.pop_front() {
            self.position = event.position;
            return Ok(Found::Next(event));
        }
        self.position = self.position.max(self.page_end);
        let found = self.room.after(self.position);
        if let Found::Next(event) = &found {
            self.position = event.position;
        }
        Ok(found)
    }

    async fn read_page(&mut self) -> Result<()> {
        let page = self.bus.read_log(self.workspace, self.position).await?;
        self.page = page.events.into();
        self.page_end = page.read_to;
        Ok(())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.bus.leave(self.workspace);
    }
}
