//! The worker: claims what is due as slots come free, looks after leases and schedules, and stops
//! without losing anything.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    JobNews, JobState, OnNews, Registry,
    attempt::attempt,
    claimer::Claimer,
    lease::{self, Holds, Stop},
    queries::{self, claim},
    schedule,
    shared::{Config, Shared},
};
use crate::{
    base::{Clock, Error, Result},
    db::{Db, in_time},
};

/// Even short leases are not looked after more often.
const MOST_OFTEN: Duration = Duration::from_millis(5);

/// After the given time is over, how long handing back may still take.
const HANDING_BACK: Duration = Duration::from_secs(3);

/// A worker that does not work yet.
pub struct Runner<C> {
    shared: Shared<C>,
}

impl<C: Clone + Send + Sync + 'static> Runner<C> {
    pub fn new(db: Db, clock: Clock, context: C, registry: Registry<C>, config: Config) -> Self {
        let on_news: OnNews = Arc::new(|_| {});
        Self { shared: Shared { db, clock, context, registry, config, holds: Holds::default(), on_news } }
    }

    /// Who is told what the jobs of this worker do.
    pub fn on_news(mut self, tell: impl Fn(JobNews) + Send + Sync + 'static) -> Self {
        self.shared.on_news = Arc::new(tell);
        self
    }

    /// Starts working. When the token is cancelled it takes no more jobs and asks those that run
    /// to end; [`RunnerHandle::stop`] waits for them.
    pub fn start(mut self, shutdown: &CancellationToken) -> RunnerHandle {
        describe_metrics();
        let schedules = self.shared.registry.take_schedules();
        let shared = Arc::new(self.shared);
        let stop = shutdown.child_token();
        let give_up = CancellationToken::new();
        let work = work(shared, schedules, stop.clone(), give_up.clone());
        RunnerHandle { task: AbortOnDropHandle::new(tokio::spawn(work)), stop, give_up }
    }
}

/// A worker at work. Dropped, everything ends at once, as in a crash: the leases run out.
pub struct RunnerHandle {
    task: AbortOnDropHandle<usize>,
    stop: CancellationToken,
    give_up: CancellationToken,
}

impl RunnerHandle {
    /// Takes no more jobs, asks those that run to end, and waits `within` for them. What runs
    /// then is cut off and handed back to the queue, which costs it no attempt. Returns how many
    /// those were; ends at the latest some seconds after the given time.
    pub async fn stop(mut self, within: Duration) -> usize {
        self.stop.cancel();
        if let Ok(ended) = timeout(within, &mut self.task).await {
            return ended.unwrap_or(0);
        }
        self.give_up.cancel();
        self.task.await.unwrap_or(0)
    }
}

/// The whole of a worker's life; how many jobs had to be cut off at its end.
async fn work<C: Clone + Send + Sync + 'static>(
    shared: Arc<Shared<C>>,
    schedules: Vec<schedule::Schedule>,
    stop: CancellationToken,
    give_up: CancellationToken,
) -> usize {
    let poll = shared.config.poll;
    let shortest = shared.registry.kinds().map(|kind| shared.lease(kind)).min().unwrap_or(poll);
    let leases = lease::keep(shared.db.clone(), shared.holds.clone(), poll.min(shortest / 6).max(MOST_OFTEN));
    let _leases = AbortOnDropHandle::new(tokio::spawn(leases));
    let _counting = AbortOnDropHandle::new(tokio::spawn(count(shared.clone())));
    let schedules = schedule::keep(shared.db.clone(), shared.clock.clone(), schedules, poll);
    let schedules = AbortOnDropHandle::new(tokio::spawn(schedules));

    let mut running = JoinSet::new();
    tokio::select! {
        () = take_jobs(&shared, &mut running, &stop) => {}
        // only where the database hangs: a claim that is lost in it ends like a crash
        () = give_up.cancelled() => {}
    }
    drop(schedules);
    for hold in shared.holds.all() {
        hold.ask_to_stop(Stop::Shutdown);
    }
    tokio::select! {
        () = all_ended(&mut running) => return 0,
        () = give_up.cancelled() => {}
    }
    let left = shared.holds.all();
    for hold in &left {
        hold.hand_back();
    }
    if timeout(HANDING_BACK, all_ended(&mut running)).await.is_err() {
        tracing::warn!(jobs = running.len(), "jobs could not be handed back; their leases will run out");
    }
    left.len()
}

async fn all_ended(running: &mut JoinSet<()>) {
    while running.join_next().await.is_some() {}
}

/// Fills free slots until told to stop.
async fn take_jobs<C: Clone + Send + Sync + 'static>(
    shared: &Arc<Shared<C>>,
    running: &mut JoinSet<()>,
    stop: &CancellationToken,
) {
    let mut claimer = Claimer::default();
    let mut polls = interval(shared.config.poll);
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = polls.tick() => {
                let tended = in_time(tend(shared)).await;
                tended.unwrap_or_else(|error| tell_of_failure(&error));
            }
            () = shared.db.jobs_wake().notified() => {}
            // a slot is free, and so perhaps is a place of a workspace that waits
            Some(_) = running.join_next() => while running.try_join_next().is_some() {},
        }
        let claimed = in_time(claim_free(shared, &mut claimer, running)).await;
        claimed.unwrap_or_else(|error| tell_of_failure(&error));
    }
}

async fn claim_free<C: Clone + Send + Sync + 'static>(
    shared: &Arc<Shared<C>>,
    claimer: &mut Claimer,
    running: &mut JoinSet<()>,
) -> Result<()> {
    let concurrency = shared.config.concurrency;
    let long_slots = concurrency.saturating_sub(1).max(1);
    loop {
        let free = concurrency.saturating_sub(running.len());
        let long = shared.holds.all().iter().filter(|hold| hold.long).count();
        let free_for_long = long_slots.saturating_sub(long);
        // never more at once than may all turn out to be long
        let slots = if free_for_long == 0 { free } else { free.min(free_for_long) };
        let kinds = shared.registry.kinds().filter(|kind| free_for_long > 0 || !kind.long);
        let kinds = kinds.map(|kind| kind.name).collect();
        let claimed = if slots == 0 { Vec::new() } else { claimer.claim(shared, kinds, slots).await? };
        let nothing_more = claimed.len() < slots || slots == 0;
        for (claimed, hold) in claimed {
            let kept = shared.holds.keep(hold);
            running.spawn(attempt(shared.clone(), claimed, kept));
        }
        if nothing_more {
            return Ok(());
        }
    }
}

/// Frees what crashed workers held, and brings up what has become due.
async fn tend<C: Send + 'static>(shared: &Shared<C>) -> Result<()> {
    let now = shared.clock.now();
    let kinds: Vec<_> = shared.registry.kinds().map(|kind| kind.name).collect();
    let mut tx = shared.db.system().await?;
    let crashed = claim::free_crashed(tx.connection(), &kinds, now).await?;
    claim::mark_due(tx.connection(), now).await?;
    tx.commit().await?;
    for job in crashed {
        tracing::warn!(kind = job.kind, job = %job.id, crashes = job.crashes, state = %job.state, "a lease ran out");
        if job.state == JobState::Failed {
            tracing::error!(kind = job.kind, job = %job.id, "a job was given up; it waits for somebody to run it again");
        }
        let Some(kind) = shared.registry.kind(&job.kind) else { continue };
        metrics::counter!("kontor_jobs_finished_total", "kind" => kind.name, "outcome" => "crashed").increment(1);
        (shared.on_news)(JobNews {
            job: job.id,
            workspace: job.workspace_id,
            created_by: job.created_by,
            kind: kind.name,
            state: job.state,
            progress: queries::read_progress(job.progress),
        });
    }
    Ok(())
}

/// The next poll tries again.
fn tell_of_failure(error: &Error) {
    tracing::warn!(%error, source = std::error::Error::source(error), "the job queue could not be read");
}

async fn count<C: Send + Sync + 'static>(shared: Arc<Shared<C>>) {
    let mut ticks = interval(shared.config.count);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // the first tick is at once
    ticks.tick().await;
    loop {
        ticks.tick().await;
        match in_time(depths(&shared)).await {
            Ok(depths) => {
                for kind in shared.registry.kinds() {
                    let jobs = |state| {
                        let mut depths = depths.iter();
                        depths
                            .find(|depth| depth.kind == kind.name && depth.state == state)
                            .map_or(0, |depth| depth.jobs)
                    };
                    metrics::gauge!("kontor_jobs_queued", "kind" => kind.name).set(jobs(JobState::Queued) as f64);
                    metrics::gauge!("kontor_jobs_running", "kind" => kind.name).set(jobs(JobState::Running) as f64);
                    metrics::gauge!("kontor_jobs_dead", "kind" => kind.name).set(jobs(JobState::Failed) as f64);
                }
            }
            Err(error) => tell_of_failure(&error),
        }
    }
}

async fn depths<C>(shared: &Shared<C>) -> Result<Vec<queries::Depth>> {
    let mut tx = shared.db.system().await?;
    let depths = queries::depths(tx.connection()).await?;
    tx.commit().await?;
    Ok(depths)
}

fn describe_metrics() {
    metrics::describe_counter!("kontor_jobs_started_total", "Attempts at jobs that began.");
    metrics::describe_counter!("kontor_jobs_finished_total", "Attempts at jobs that ended, by how they did.");
    metrics::describe_gauge!("kontor_jobs_queued", "Jobs that wait, those for a later time included.");
    metrics::describe_gauge!("kontor_jobs_running", "Jobs that are held by a worker.");
    metrics::describe_gauge!("kontor_jobs_dead", "Jobs that were given up and wait for somebody to run them again.");
    metrics::describe_histogram!("kontor_jobs_seconds", metrics::Unit::Seconds, "How long attempts at jobs took.");
}
