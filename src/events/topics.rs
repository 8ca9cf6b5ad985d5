//! Values that are of interest only now: presence, progress, statistics. They reach all nodes,
//! but are neither logged nor repeated; who watches a topic sees its latest value, and values that
//! follow one another quickly may be skipped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use super::counted::Counted;
use crate::base::{Error, Result};

/// PostgreSQL takes less than 8,000 bytes with a `NOTIFY`.
const MOST_BYTES: usize = 7_999;

type Watched = Mutex<Counted<String, watch::Sender<Option<Arc<Value>>>>>;

/// The topics that somebody on this node watches.
#[derive(Default, Clone)]
pub struct Topics {
    watched: Arc<Watched>,
}

/// A topic and its value as they travel.
pub struct Note(String);

impl Note {
    /// `TooLarge` for what does not fit into a notification.
    pub fn new(topic: &str, value: &Value) -> Result<Self> {
        let text = serde_json::to_string(&(topic, value)).map_err(Error::internal)?;
        if text.len() > MOST_BYTES {
            return Err(Error::TooLarge(format!("The value of {topic} is larger than 8,000 bytes").into()));
        }
        Ok(Self(text))
    }

    pub fn into_text(self) -> String {
        self.0
    }
}

impl Topics {
    pub fn watch(&self, topic: String) -> TopicWatch {
        let mut watched = lock(&self.watched);
        let values = watched.enter(topic.clone(), || watch::Sender::new(None)).subscribe();
        TopicWatch { topic, values, watched: self.watched.clone() }
    }

    /// Hands a note to its watchers, if there are any here.
    pub fn receive(&self, note: &str) {
        let Ok((topic, value)) = serde_json::from_str::<(String, Value)>(note) else {
            tracing::debug!("a note in a form unknown to this version");
            return;
        };
        if let Some(values) = lock(&self.watched).get(topic.as_str()) {
            values.send_replace(Some(Arc::new(value)));
        }
    }
}

/// The values of one topic from now on.
pub struct TopicWatch {
    topic: String,
    values: watch::Receiver<Option<Arc<Value>>>,
    watched: Arc<Watched>,
}

impl TopicWatch {
    /// Waits for a value that this watch has not returned yet, and returns the latest. Being
    /// cancelled loses nothing.
    pub async fn next(&mut self) -> Arc<Value> {
        loop {
            if self.values.changed().await.is_err() {
                // the sender stands in `watched` until this watch is dropped
                std::future::pending::<()>().await;
            }
            if let Some(value) = self.values.borrow_and_update().clone() {
                return value;
            }
        }
    }
}

impl Drop for TopicWatch {
    fn drop(&mut self) {
        lock(&self.watched).leave(self.topic.as_str());
    }
}

fn lock(watched: &Watched) -> MutexGuard<'_, Counted<String, watch::Sender<Option<Arc<Value>>>>> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn of_two_who_leave_at_once_one_takes_the_topic_along() {
        let topics = Topics::default();
        for _ in 0..500 {
            let both = Barrier::new(2);
            std::thread::scope(|scope| {
                for watch in [topics.watch("a".to_owned()), topics.watch("a".to_owned())] {
                    let both = &both;
                    scope.spawn(move || {
                        both.wait();
                        drop(watch);
                    });
                }
            });
            assert_eq!(lock(&topics.watched).len(), 0);
        }
    }
}
