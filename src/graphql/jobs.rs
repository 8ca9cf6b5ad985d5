//! Jobs and their progress.

use std::{sync::Arc, time::Duration};

use async_graphql::{Context, Enum, ID, Object, SimpleObject, Subscription};
use chrono::{DateTime, Utc};
use futures_util::Stream;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    context::{both, once},
    errors::{Nullable, found, nullable, parse_id},
};
use crate::{
    auth::Caller,
    base::{
        Error, Result,
        ids::JobId,
        page::{self, PageArgs},
    },
    connection,
    ctx::Ctx,
    events::{Bus, TopicWatch},
    id_input,
    jobs::{self, JobFilter, JobState, JobSummary, Progress, Told},
    team::work,
};

/// Where a job or an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "JobStatus")]
pub enum JobStatus {
    Pending,
    Checking,
    Ready,
    Processing,
    Paused,
    Completed,
    Failed,
    Cancelled,
    Expired,
    Undoing,
    Undone,
}

impl From<JobState> for JobStatus {
    fn from(state: JobState) -> Self {
        match state {
            JobState::Queued => Self::Pending,
            JobState::Running => Self::Processing,
            JobState::Completed => Self::Completed,
            JobState::Failed => Self::Failed,
            JobState::Cancelled => Self::Cancelled,
        }
    }
}

impl JobStatus {
    /// The other words are for imports and the like.
    fn of_a_job(self) -> Result<JobState> {
        match self {
            Self::Pending => Ok(JobState::Queued),
            Self::Processing => Ok(JobState::Running),
            Self::Completed => Ok(JobState::Completed),
            Self::Failed => Ok(JobState::Failed),
            Self::Cancelled => Ok(JobState::Cancelled),
            Self::Checking | Self::Ready | Self::Paused | Self::Expired | Self::Undoing | Self::Undone => {
                Err(Error::invalid("status", "of a job is PENDING, PROCESSING, COMPLETED, FAILED or CANCELLED"))
            }
        }
    }
}

/// How far a job has come. Progress is a state: what lies between two of them may be skipped.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name = "JobProgress")]
pub struct JobProgress {
    pub job_id: ID,
    pub status: JobStatus,
    /// Rows or records dealt with, whatever became of them.
    pub processed: i64,
    /// Null until it is known.
    pub total: Option<i64>,
    pub succeeded: i64,
    pub failed: i64,
    pub skipped: i64,
    /// Since this subscription began; null until there are two states to compare.
    pub rate_per_second: Option<f64>,
    pub seconds_left: Option<f64>,
    /// What a person should know, for example why it failed.
    pub message: Option<String>,
}

impl JobProgress {
    pub fn of(job: &JobSummary) -> Self {
        Self::new(job.id, job.state.into(), &job.progress, job.last_error.clone())
    }

    fn new(id: JobId, status: JobStatus, progress: &Progress, error: Option<String>) -> Self {
        Self {
            job_id: id.into(),
            status,
            processed: progress.processed,
            total: progress.total,
            succeeded: progress.succeeded,
            failed: progress.failed,
            skipped: progress.skipped,
            rate_per_second: None,
            seconds_left: None,
            message: progress.message.clone().or(error),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn with_rate(mut self, done: i64, within: Duration) -> Self {
        if done > 0 && within > Duration::from_millis(200) {
            let rate = done as f64 / within.as_secs_f64();
            self.rate_per_second = Some(rate);
            self.seconds_left = self.total.map(|total| ((total - self.processed).max(0) as f64) / rate);
        }
        self
    }
}

#[derive(Clone)]
pub struct JobObject(pub JobSummary);

/// A piece of work that goes on by itself.
#[Object(name = "Job")]
impl JobObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// What it does, as `feature.verb`.
    async fn kind(&self) -> &str {
        &self.0.kind
    }

    async fn status(&self) -> JobStatus {
        self.0.state.into()
    }

    async fn progress(&self) -> JobProgress {
        JobProgress::of(&self.0)
    }

    /// How many times it was begun.
    async fn attempts(&self) -> i32 {
        self.0.attempt
    }

    /// Why the last attempt failed, if it did.
    async fn last_error(&self) -> Option<&str> {
        self.0.last_error.as_deref()
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// Not before this time.
    async fn run_at(&self) -> DateTime<Utc> {
        self.0.run_at
    }

    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.0.finished_at
    }
}

impl crate::graphql::leaves::Leaves for JobObject {}

connection!(JobConnection JobEdge of JobObject, "JobConnection" "JobEdge", count(filter: JobFilter, context) {
    let (ctx, caller) = both(context)?;
    work::count(ctx, caller, filter).await?
});

/// Queries about jobs.
#[derive(Default)]
pub struct JobQuery;

#[Object(name = "JobQuery")]
impl JobQuery {
    /// One job of yours, or anybody's where your role sees all; null where there is none.
    async fn job(&self, context: &Context<'_>, id: ID) -> Nullable<JobObject> {
        nullable(async {
            let (ctx, caller) = both(context)?;
            let Ok(id) = id.parse::<JobId>() else { return Ok(None) };
            Ok(found(work::get(ctx, caller, id).await)?.map(JobObject))
        })
        .await
    }

    /// Your jobs, or everybody's where your role sees all, the newest first.
    async fn jobs(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500.")] first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "As `feature.verb`.")] kind: Option<String>,
        #[graphql(desc = "`FAILED` are those that were given up: `rerunJob` tries one again.")] status: Option<
            JobStatus,
        >,
    ) -> async_graphql::Result<JobConnection> {
        let (ctx, caller) = both(context)?;
        let state = status.map(JobStatus::of_a_job).transpose()?;
        let filter = JobFilter { kind, state, ..JobFilter::default() };
        let slice = work::page(ctx, caller, filter.clone(), PageArgs { first, after, last, before }).await?;
        Ok(JobConnection::new(slice, filter, |job| (page::encode(&job.id), JobObject(job))))
    }
}

id_input!(JobInput "JobInput");

#[derive(SimpleObject)]
#[graphql(name = "JobPayload")]
pub struct JobPayload {
    job: JobObject,
}

/// Mutations of jobs.
#[derive(Default)]
pub struct JobMutation;

#[Object(name = "JobMutation")]
impl JobMutation {
    /// Asks a job to end; one that has not begun is cancelled at once.
    async fn cancel_job(&self, context: &Context<'_>, input: JobInput) -> async_graphql::Result<JobPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let job = work::cancel(ctx, &caller, parse_id::<JobId>("id", &input.id)?).await.map(JobObject)?;
        Ok(JobPayload { job })
    }

    /// Tries a job again that has failed for good.
    async fn rerun_job(&self, context: &Context<'_>, input: JobInput) -> async_graphql::Result<JobPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let job = work::rerun(ctx, &caller, parse_id::<JobId>("id", &input.id)?).await.map(JobObject)?;
        Ok(JobPayload { job })
    }
}

/// Progress is told at once; this is the net for a message that was lost on its way.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Live progress.
#[derive(Default)]
pub struct JobSubscription;

#[Subscription(name = "JobSubscription")]
impl JobSubscription {
    /// A job's progress: first the state now, then each change; ends when the job does.
    async fn job_progress(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<JobProgress>> + use<>> {
        let (ctx, caller) = both(context)?;
        let id = parse_id::<JobId>("id", &id)?;
        // refuses now, not at the first change
        work::get(ctx, caller, id).await?;
        Ok(follow(ctx.clone(), caller.clone(), context.data::<Bus>()?, id))
    }
}

/// One subscriber's view of a job.
struct Follower {
    ctx: Ctx,
    caller: Arc<Caller>,
    id: JobId,
    watch: TopicWatch,
    /// What the rate is counted from.
    first: Option<(i64, Instant)>,
    last: Option<Told>,
    ended: bool,
}

/// The progress of a job that the caller may see.
pub fn follow(
    ctx: Ctx,
    caller: Arc<Caller>,
    bus: &Bus,
    id: JobId,
) -> impl Stream<Item = async_graphql::Result<JobProgress>> + use<> {
    // watching begins before the first look, so that nothing falls between
    let watch = bus.watch_topic(jobs::topic(id));
    let follower = Follower { ctx, caller, id, watch, first: None, last: None, ended: false };
    futures_util::stream::unfold(follower, |mut follower| async move {
        let progress = follower.next().await?;
        Some((progress, follower))
    })
}

impl Follower {
    /// The next state that differs from the last one told.
    async fn next(&mut self) -> Option<async_graphql::Result<JobProgress>> {
        if self.ended {
            return None;
        }
        loop {
            let (told, error) = match self.told().await {
                Some(told) => (told, None),
                None => match work::get(&self.ctx, &self.caller, self.id).await {
                    Ok(job) => (Told { state: job.state, progress: job.progress }, job.last_error),
                    Err(error) => {
                        self.ended = true;
                        return Some(Err(error.into()));
                    }
                },
            };
            if self.last.as_ref() == Some(&told) {
                continue;
            }
            self.ended = told.state.is_final();
            let (done, since) = *self.first.get_or_insert((told.progress.processed, Instant::now()));
            let progress = JobProgress::new(self.id, told.state.into(), &told.progress, error);
            let progress = progress.with_rate(told.progress.processed - done, since.elapsed());
            self.last = Some(told);
            return Some(Ok(progress));
        }
    }

    /// What was told meanwhile, while the job runs. `None` where its row has to be read: at the
    /// beginning, at the end (only the row knows why), when nothing was heard for long, and when it
    /// seems to go backwards (what is told may come after a later state was read).
    async fn told(&mut self) -> Option<Told> {
        let last = self.last.as_ref()?;
        let value = tokio::time::timeout(LOOK_AGAIN, self.watch.next()).await.ok()?;
        let told: Told = serde_json::from_value(Value::clone(&value)).ok()?;
        let goes_on = told.state == JobState::Running && told.progress.processed >= last.progress.processed;
        goes_on.then_some(told)
    }
}
