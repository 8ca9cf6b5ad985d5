//! The newest events of one workspace in memory, so that subscribers who keep up need no database.

use std::{collections::VecDeque, sync::Arc};

use serde_json::Value;

use super::LoggedEvent;

/// How much one ring may hold; whichever bound is met first.
const MOST_EVENTS: usize = 1_024;
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// All events of the workspace after `start`, as far as this node has read the log.
pub struct Ring {
    start: i64,
    /// In order of position, each with its weight.
    events: VecDeque<(usize, Arc<LoggedEvent>)>,
    bytes: usize,
}

/// What a ring knows about the events after a position.
#[derive(Debug, PartialEq)]
pub enum Found {
    Next(Arc<LoggedEvent>),
    /// There is none yet.
    Nothing,
    /// The position has fallen out of the ring; the log knows.
    Behind,
}

impl Ring {
    /// An empty ring that will hold everything after `start`.
    pub fn new(start: i64) -> Self {
        Self { start, events: VecDeque::new(), bytes: 0 }
    }

    /// Adds the newest event. An event heavier than the whole ring empties it: the log has it.
    pub fn push(&mut self, event: Arc<LoggedEvent>) {
        let weight = weight(&event);
        self.bytes += weight;
        self.events.push_back((weight, event));
        while self.events.len() > MOST_EVENTS || self.bytes > MOST_BYTES {
            let Some((weight, oldest)) = self.events.pop_front() else { break };
            self.bytes -= weight;
            self.start = oldest.position;
        }
    }

    pub fn after(&self, position: i64) -> Found {
        if position < self.start {
            return Found::Behind;
        }
        let next = self.events.partition_point(|(_, event)| event.position <= position);
        self.events.get(next).map_or(Found::Nothing, |(_, event)| Found::Next(event.clone()))
    }

    /// Whether a reader at this position needs no log.
    pub fn reaches(&self, position: i64) -> bool {
        position >= self.start
    }
}

/// Bytes in memory, roughly: ids and payload are what can be large.
fn weight(event: &LoggedEvent) -> usize {
    const ROW: usize = 256;
    ROW + event.record_ids.len() * size_of::<uuid::Uuid>() + json_weight(&event.payload)
}

fn json_weight(value: &Value) -> usize {
    const ENTRY: usize = size_of::<Value>();
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => ENTRY,
        Value::String(text) => ENTRY + text.len(),
        Value::Array(items) => ENTRY + items.iter().map(json_weight).sum::<usize>(),
        Value::Object(entries) => {
            ENTRY + entries.iter().map(|(key, item)| ENTRY + key.len() + json_weight(item)).sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{auth::Actor, base::ids::WorkspaceId};

    fn event(position: i64, payload: Value) -> Arc<LoggedEvent> {
        Arc::new(LoggedEvent {
            position,
            workspace: WorkspaceId::new(),
            name: "contact.updated".into(),
            kind: Some("contact".into()),
            record_ids: Vec::new(),
            payload,
            actor: Actor { kind: "system".into(), user: None, through: None },
            at: chrono::DateTime::UNIX_EPOCH,
        })
    }

    fn next(ring: &Ring, position: i64) -> Option<i64> {
        match ring.after(position) {
            Found::Next(event) => Some(event.position),
            Found::Nothing | Found::Behind => None,
        }
    }

    #[test]
    fn a_reader_gets_what_comes_after_its_position() {
        let mut ring = Ring::new(10);
        assert_eq!(ring.after(10), Found::Nothing);
        assert_eq!(ring.after(9), Found::Behind);
        ring.push(event(12, Value::Null));
        ring.push(event(15, Value::Null));
        assert_eq!(
            [10, 11, 12, 14, 15].map(|position| next(&ring, position)),
            [Some(12), Some(12), Some(15), Some(15), None]
        );
    }

    #[test]
    fn a_ring_forgets_the_oldest_beyond_its_bounds() {
        let mut ring = Ring::new(0);
        for position in 1..=2_000 {
            ring.push(event(position, Value::Null));
        }
        assert_eq!(ring.events.len(), MOST_EVENTS);
        let start = 2_000 - MOST_EVENTS as i64;
        assert_eq!((next(&ring, start), ring.after(start - 1)), (Some(start + 1), Found::Behind));

        let heavy = json!({ "ids": vec!["x".repeat(1_000); 1_000] });
        for position in 2_001..=2_010 {
            ring.push(event(position, heavy.clone()));
        }
        assert!(ring.bytes <= MOST_BYTES && ring.events.len() < 10 && next(&ring, 2_009) == Some(2_010));
    }

    #[test]
    fn an_event_too_heavy_for_the_ring_is_left_to_the_log() {
        let mut ring = Ring::new(0);
        ring.push(event(1, json!("x".repeat(MOST_BYTES))));
        assert_eq!((ring.after(0), ring.after(1), ring.bytes), (Found::Behind, Found::Nothing, 0));
    }
}
