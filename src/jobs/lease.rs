//! The leases that this worker holds: one task renews them all, and learns on the way which jobs
//! were asked to end and which are no longer ours.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::queries;
use crate::{
    base::{Error, Result, ids::JobId},
    db::{Db, OwnConnection, Role},
};

/// Why a run is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// A person cancelled the job.
    Cancel,
    /// This worker stops; another one goes on with the job.
    Shutdown,
}

/// Why a run was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// Another worker has the job.
    Lost,
    /// The lease ran out without a renewal: another worker may have the job.
    RanOut,
    /// This worker's time is over.
    HandBack,
}

/// One attempt's hold on its job.
#[derive(Debug)]
pub(super) struct Hold {
    pub job: JobId,
    pub attempt: i32,
    /// It takes one of the slots that long jobs may take.
    pub long: bool,
    pub lease: Duration,
    /// By our own clock, counted from before the database was asked: never later than its own.
    ends_at: watch::Sender<Instant>,
    stop: watch::Sender<Option<Stop>>,
    lost: CancellationToken,
    hand_back: CancellationToken,
}

impl Hold {
    /// `asked_at` is from before the claim went to the database.
    pub(super) fn new(job: JobId, attempt: i32, asked_at: Instant, lease: Duration, long: bool) -> Self {
        Self {
            job,
            attempt,
            long,
            lease,
            ends_at: watch::Sender::new(asked_at + lease),
            stop: watch::Sender::new(None),
            lost: CancellationToken::new(),
            hand_back: CancellationToken::new(),
        }
    }

    /// A cancel outranks a shutdown: it is final.
    pub(super) fn ask_to_stop(&self, why: Stop) {
        self.stop.send_if_modified(|stop| {
            let news = stop.is_none() || (why == Stop::Cancel && *stop != Some(Stop::Cancel));
            if news {
                *stop = Some(why);
            }
            news
        });
    }

    pub(super) fn stop(&self) -> watch::Receiver<Option<Stop>> {
        self.stop.subscribe()
    }

    pub(super) fn extend(&self, asked_at: Instant) {
        self.ends_at.send_replace(asked_at + self.lease);
    }

    pub(super) fn hand_back(&self) {
        self.hand_back.cancel();
    }

    /// Returns when the run has to end at once.
    pub(super) async fn taken(&self) -> Taken {
        tokio::select! {
            () = self.lost.cancelled() => Taken::Lost,
            () = self.hand_back.cancelled() => Taken::HandBack,
            () = self.ran_out() => Taken::RanOut,
        }
    }

    async fn ran_out(&self) {
        let mut ends_at = self.ends_at.subscribe();
        loop {
            let end = *ends_at.borrow_and_update();
            tokio::select! {
                () = sleep_until(end) => return,
                // the sender is ours: it cannot be gone
                _ = ends_at.changed() => {}
            }
        }
    }

    fn needs_renewal(&self, now: Instant) -> bool {
        now + self.lease * 2 / 3 >= *self.ends_at.borrow()
    }
}

/// All holds of this worker; clones share them. By attempt too: this worker may claim anew what
/// it is still letting go of.
#[derive(Clone, Default)]
pub(super) struct Holds(Arc<Mutex<ByAttempt>>);

type ByAttempt = HashMap<(JobId, i32), Arc<Hold>>;

impl Holds {
    /// Looks after the hold until the answer is dropped.
    pub(super) fn keep(&self, hold: Arc<Hold>) -> Kept {
        self.map().insert((hold.job, hold.attempt), hold.clone());
        Kept { holds: self.clone(), hold }
    }

    pub(super) fn all(&self) -> Vec<Arc<Hold>> {
        self.map().values().cloned().collect()
    }

    fn map(&self) -> MutexGuard<'_, ByAttempt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hold whose lease is renewed while this lives. A guard, so that an attempt that panics does
/// not keep its job for ever.
pub(super) struct Kept {
    holds: Holds,
    pub hold: Arc<Hold>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.holds.map().remove(&(self.hold.job, self.hold.attempt));
    }
}

/// Looks after the leases for as long as it is polled, on a connection of its own: chores that
/// wait for one another's must cost no job its lease.
pub(super) async fn keep(db: Db, holds: Holds, every: Duration) {
    let mut beats = interval(every);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connection = None;
    loop {
        beats.tick().await;
        if let Err(error) = look_after(&db, &mut connection, &holds).await {
            tracing::warn!(%error, source = ?std::error::Error::source(&error), "leases could not be renewed");
            connection = None;
        }
    }
}

async fn look_after(db: &Db, connection: &mut Option<OwnConnection>, holds: &Holds) -> Result<()> {
    let holds = holds.all();
    // A database that hangs must leave time for another try before the first lease ends.
    let Some(shortest) = holds.iter().map(|hold| hold.lease).min() else { return Ok(()) };
    let asked_at = Instant::now();
    let asks = holds.iter().map(|hold| queries::LeaseAsk {
        job: hold.job,
        attempt: hold.attempt,
        lease: hold.lease,
        renew: hold.needs_renewal(asked_at),
    });
    let answers = timeout(shortest / 3, ask(db, connection, asks.collect())).await.map_err(|_| Error::TimedOut)??;
    let answers: HashMap<_, _> = answers.into_iter().map(|answer| ((answer.id, answer.attempt), answer)).collect();
    for hold in holds {
        match answers.get(&(hold.job, hold.attempt)) {
            None => hold.lost.cancel(),
            Some(answer) => {
                if answer.renewed {
                    hold.extend(asked_at);
                }
                if answer.cancel_requested {
                    hold.ask_to_stop(Stop::Cancel);
                }
            }
        }
    }
    Ok(())
}

async fn ask(
    db: &Db,
    connection: &mut Option<OwnConnection>,
    asks: Vec<queries::LeaseAsk>,
) -> Result<Vec<queries::LeaseAnswer>> {
    let connection = match connection {
        Some(connection) => connection,
        none => none.insert(db.connector().open(Role::System, "kontor leases").await?),
    };
    queries::renew(connection, asks).await
}
