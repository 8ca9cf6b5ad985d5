//! The time that rules see. Injected, so that it can be moved; leases use the database's own.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// A clock that can be set off from the machine's; cheap to clone, clones share the offset.
#[derive(Clone, Default)]
pub struct Clock {
    offset_millis: Arc<AtomicI64>,
}

impl Clock {
    /// The present instant, cut to microseconds, which is what PostgreSQL keeps.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn now(&self) -> DateTime<Utc> {
        let offset = TimeDelta::milliseconds(self.offset_millis.load(Ordering::Relaxed));
        (Utc::now() + offset).trunc_subsecs(6)
    }

    /// Moves this clock and all its clones; for tests of what happens with time, and for a past that is
    /// invented.
    pub fn advance(&self, by: TimeDelta) {
        self.offset_millis.fetch_add(by.num_milliseconds(), Ordering::Relaxed);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
