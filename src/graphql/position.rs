//! Where a running subscription stands in the event log: the one thing that a resolver tells the
//! transport beside its items.

use std::sync::{Mutex, PoisonError};

use crate::events::Cursor;

/// How far a reader has come in the event log, as its cursors count: it has seen all of `event`,
/// and the first `index` messages of the event after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub event: i64,
    pub index: u32,
}

impl From<Cursor> for Position {
    fn from(cursor: Cursor) -> Self {
        let (event, index) = cursor.into();
        Self { event, index }
    }
}

/// Shared between a subscription's resolver and the transport; the resolver finds it with
/// `ctx.data::<Arc<StreamPosition>>()` and keeps this contract, without which nothing is resumed
/// or shared correctly:
///
/// 1. As soon as it is registered with the bus, before its first item, it calls [`Self::passed`]
///    with where it starts: the log's newest position, or the `after` it resumes from.
/// 2. Before it yields an item it calls [`Self::at`] with that item's cursor: how far one has come
///    who has seen it. No two items have the same.
/// 3. When it has looked at events and has nothing (more) to yield for them, it calls
///    [`Self::passed`] with how far it has come, at least before it waits for more: a quiet
///    subscription among many events needs it to resume cheaply.
/// 4. Positions never go back.
#[derive(Debug, Default)]
pub struct StreamPosition(Mutex<Told>);

#[derive(Debug, Default, Clone, Copy)]
struct Told {
    start: Option<Position>,
    item: Option<Position>,
    passed: Option<Position>,
}

impl StreamPosition {
    /// Who has seen the item yielded next has come here.
    pub fn at(&self, position: Position) {
        self.told(|told| told.item = Some(position));
    }

    /// Everything up to here has been looked at, and what matched has been yielded.
    pub fn passed(&self, position: Position) {
        self.told(|told| {
            told.start.get_or_insert(position);
            told.passed = Some(position);
        });
    }

    /// From where on the stream is complete.
    pub(super) fn start(&self) -> Option<Position> {
        self.told(|told| told.start)
    }

    /// The position of the item that was received last. To be asked right when it is received: the
    /// stream is not polled between the item and its response, so no later one can have been told.
    pub(super) fn item(&self) -> Option<Position> {
        self.told(|told| told.item)
    }

    /// Up to where everything that matched has been received. Unlike the item's it may be asked at
    /// any time, because a resolver passes an event only after its items have been taken.
    pub(super) fn passed_by(&self) -> Option<Position> {
        self.told(|told| told.passed)
    }

    fn told<T>(&self, look: impl FnOnce(&mut Told) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
