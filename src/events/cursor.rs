//! The opaque text by which a client says how far it has read the log.

use serde::{Deserialize, Serialize};

use super::LoggedEvent;
use crate::base::{Error, Result, page};

/// How far a reader has come: it has seen every event up to and including `position`, and of the
/// event right after that one the first `index` messages. Positions have no gaps, so "right after"
/// is `position + 1`; only a bulk event that is shown record by record has more than one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "(i64, u32)", try_from = "(i64, u32)")]
pub struct Cursor {
    position: i64,
    index: u32,
}

impl Cursor {
    /// All of the event at `position` has been seen, and all before it.
    pub fn after(position: i64) -> Self {
        Self { position, index: 0 }
    }

    /// `seen` messages of the event have been seen, and all events before it.
    pub fn within(event: &LoggedEvent, seen: u32) -> Self {
        Self { position: event.position - 1, index: seen }
    }

    /// Reads what [`Cursor::encode`] made; `field` names the argument it came in.
    pub fn parse(field: &'static str, text: &str) -> Result<Self> {
        page::decode(field, text)
            .map_err(|_| Error::invalid(field, "is not a cursor of an event; pass one that an event came with"))
    }

    pub fn encode(&self) -> String {
        page::encode(self)
    }

    /// The last event seen as a whole.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// How many messages of this event have been seen already.
    pub fn seen_of(&self, event: &LoggedEvent) -> u32 {
        if event.position == self.position + 1 { self.index } else { 0 }
    }
}

impl From<Cursor> for (i64, u32) {
    fn from(cursor: Cursor) -> Self {
        (cursor.position, cursor.index)
    }
}

impl TryFrom<(i64, u32)> for Cursor {
    type Error = &'static str;

    fn try_from((position, index): (i64, u32)) -> Result<Self, &'static str> {
        // the last one has no position after it
        if (0..i64::MAX).contains(&position) { Ok(Self { position, index }) } else { Err("no such position") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_and_orders_by_how_far_it_is() {
        let cursor = Cursor { position: 41, index: 7 };
        assert_eq!(Cursor::parse("after", &cursor.encode()).expect("valid"), cursor);
        assert!(Cursor::after(41) < cursor && cursor < Cursor::after(42));
    }

    #[test]
    fn what_is_no_cursor_is_refused_by_the_field_it_came_in() {
        let negative = page::encode(&(-1, 0));
        let endless = page::encode(&(i64::MAX, 0));
        let of_a_list = page::encode(&("2024-01-01", "x"));
        for text in ["", "%%", "12", negative.as_str(), endless.as_str(), of_a_list.as_str()] {
            let error = Cursor::parse("after", text).expect_err(text);
            assert_eq!(error.code(), "BAD_USER_INPUT");
            assert!(error.fields().is_some_and(|fields| fields.iter().all(|(field, _)| field == "after")));
        }
    }
}
