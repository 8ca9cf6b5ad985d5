//! Every kind of job and every schedule, filled in one place at start-up. A job whose kind is not
//! in it is left in the queue: a newer server's.

use std::{collections::BTreeMap, pin::Pin, time::Duration};

use chrono_tz::Tz;
use serde_json::Value;

use super::{Enqueued, Job, JobError, Run, enqueue, schedule::Schedule};
use crate::base::Error;

type Body = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;

/// A kind of job whose type is forgotten.
pub(super) struct Kind<C> {
    pub name: &'static str,
    pub per_workspace: i32,
    pub long: bool,
    pub lease: Duration,
    pub start: fn(Value, C, Run) -> Body,
}

/// The kinds of jobs that this process can run, and the schedules that it fires.
pub struct Registry<C> {
    kinds: BTreeMap<&'static str, Kind<C>>,
    schedules: Vec<Schedule>,
}

impl<C: Send + 'static> Registry<C> {
    pub fn new() -> Self {
        Self { kinds: BTreeMap::new(), schedules: Vec::new() }
    }

    /// Panics where two kinds have one name: a defect, found at start-up.
    pub fn register<J: Job<C>>(mut self) -> Self {
        let kind = Kind {
            name: J::NAME,
            per_workspace: J::PER_WORKSPACE,
            long: J::LONG,
            lease: J::LEASE,
            start: start::<C, J>,
        };
        let taken = self.kinds.insert(J::NAME, kind);
        assert!(taken.is_none(), "two kinds of jobs are called {}", J::NAME);
        self
    }

    /// Enqueues a job whenever the pattern matches the wall clock of the zone, once over all
    /// nodes. The name is stored, so it never changes. A fixed time that daylight saving skips
    /// fires right after the gap; one that it repeats fires once. After a downtime the last missed
    /// time is caught up. Panics where the pattern is none, or the kind is not registered.
    pub fn schedule<J: Job<C>>(
        mut self,
        name: &'static str,
        cron: &str,
        zone: Tz,
        make: impl Fn() -> J + Send + Sync + 'static,
    ) -> Self {
        assert!(self.kinds.contains_key(J::NAME), "{name} schedules {}, which is not registered", J::NAME);
        assert!(self.schedules.iter().all(|other| other.name != name), "two schedules are called {name}");
        let row = move |now, key| {
            enqueue::row::<C, J>(now, &make(), Enqueued { unique_key: Some(key), ..Enqueued::default() })
        };
        self.schedules.push(Schedule::new(name, cron, zone, Box::new(row)));
        self
    }

    pub(super) fn kind(&self, name: &str) -> Option<&Kind<C>> {
        self.kinds.get(name)
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = &Kind<C>> {
        self.kinds.values()
    }

    pub(super) fn take_schedules(&mut self) -> Vec<Schedule> {
        std::mem::take(&mut self.schedules)
    }
}

impl<C: Send + 'static> Default for Registry<C> {
    fn default() -> Self {
        Self::new()
    }
}

fn start<C: Send + 'static, J: Job<C>>(payload: Value, context: C, run: Run) -> Body {
    match serde_json::from_value::<J>(payload) {
        Ok(job) => Box::pin(job.run(context, run)),
        Err(error) => Box::pin(async move {
            tracing::error!(%error, kind = J::NAME, "a job's payload cannot be read");
            Err(JobError::Fail(Error::conflict("This version of the server cannot read what the job is about")))
        }),
    }
}
