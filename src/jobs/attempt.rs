//! One attempt from claim to end: the body in a task of its own, so that its panic is only its
//! own; the lease watched beside it; the ending written behind the fence.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::{
    JobError, JobState, Run,
    lease::{Kept, Taken},
    progress::Unwritten,
    queries::{self, Fence, Finished, claim::Claimed},
    registry::Kind,
    retry::{self, Ending},
    run,
    shared::Shared,
};
use crate::{
    base::{Error, Result, panic_text},
    db::in_time,
};

/// How long a body that was cut off may take to be gone.
const LETTING_GO: Duration = Duration::from_secs(1);

/// How long the ending is tried to be written while the database does not answer.
const WRITING: Duration = Duration::from_secs(60);

/// Runs a claimed job and writes what became of it.
pub(super) async fn attempt<C>(shared: Arc<Shared<C>>, claimed: Claimed, kept: Kept)
where
    C: Clone + Send + Sync + 'static,
{
    let Some(kind) = shared.registry.kind(&claimed.kind) else { return };
    let run = Run {
        job: claimed.id,
        workspace: claimed.workspace_id,
        created_by: claimed.created_by,
        attempt: claimed.attempt,
        kind: kind.name,
        inner: Arc::new(run::Inner {
            db: shared.db.clone(),
            clock: shared.clock.clone(),
            hold: kept.hold.clone(),
            unwritten: Unwritten::default(),
            on_news: shared.on_news.clone(),
        }),
    };
    let span = tracing::info_span!("job", kind = kind.name, job = %run.job, attempt = run.attempt);
    let work = async {
        (shared.on_news)(run.news(JobState::Running, queries::read_progress(claimed.progress)));
        metrics::counter!("kontor_jobs_started_total", "kind" => kind.name).increment(1);
        let started = Instant::now();
        let ending = match body(&shared, kind, claimed.payload, &run).await {
            Ended::ByItself(result) => {
                log(&result);
                let jitter = rand::random::<f64>();
                retry::decide(&result, claimed.failures, claimed.max_attempts, shared.clock.now(), jitter)
            }
            Ended::Taken(Taken::Lost) => Ending::Lost,
            Ended::Taken(Taken::RanOut | Taken::HandBack) => Ending::HandedBack,
        };
        metrics::histogram!("kontor_jobs_seconds", "kind" => kind.name).record(started.elapsed().as_secs_f64());
        let state = write(&shared, &run, &ending).await;
        if let (Some(JobState::Failed), Ending::Failed { last_error, .. }) = (state, &ending) {
            tracing::error!(last_error, "a job was given up; it waits for somebody to run it again");
        }
        let outcome = outcome(&ending, state);
        metrics::counter!("kontor_jobs_finished_total", "kind" => kind.name, "outcome" => outcome).increment(1);
        tracing::debug!(outcome, "the attempt ended");
    };
    work.instrument(span).await;
}

enum Ended {
    ByItself(Result<(), JobError>),
    Taken(Taken),
}

/// Runs the body until it ends or the job is taken from it.
async fn body<C>(shared: &Shared<C>, kind: &Kind<C>, payload: serde_json::Value, run: &Run) -> Ended
where
    C: Clone + Send + Sync + 'static,
{
    let (start, context, of_body) = (kind.start, shared.context.clone(), run.clone());
    let future = async move { start(payload, context, of_body).await };
    let mut task = AbortOnDropHandle::new(tokio::spawn(future.in_current_span()));
    let taken = tokio::select! {
        biased;
        joined = &mut task => return ended(joined),
        taken = run.inner.hold.taken() => taken,
    };
    tracing::warn!(?taken, "a job is cut off");
    task.abort();
    match timeout(LETTING_GO, &mut task).await {
        // it was just about to end well
        Ok(Ok(Ok(()))) => Ended::ByItself(Ok(())),
        _ => Ended::Taken(taken),
    }
}

fn ended(joined: Result<Result<(), JobError>, tokio::task::JoinError>) -> Ended {
    match joined {
        Ok(result) => Ended::ByItself(result),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => {
                let message = format!("the job panicked: {}", panic_text(panic.as_ref()));
                Ended::ByItself(Err(JobError::Retry(Error::internal(message))))
            }
            // the runtime shuts down
            Err(_) => Ended::Taken(Taken::HandBack),
        },
    }
}

/// The row keeps only what is safe to show; the cause stands here.
fn log(result: &Result<(), JobError>) {
    match result {
        Err(JobError::Retry(error) | JobError::Fail(error)) => {
            tracing::warn!(%error, source = std::error::Error::source(error), "a job failed");
        }
        Err(JobError::Wait { until, error }) => tracing::warn!(%error, %until, "a job waits"),
        Err(JobError::Lost) => tracing::warn!("a job found that another worker has it"),
        Ok(()) | Err(JobError::Later(_) | JobError::Cancelled) => {}
    }
}

/// Writes the ending; the state that the job has now, `None` where it is no longer ours or where
/// the database did not answer for too long (then the lease runs out, as after a crash).
async fn write<C>(shared: &Shared<C>, run: &Run, ending: &Ending) -> Option<JobState> {
    let give_up_at = Instant::now() + WRITING;
    let mut pause = Duration::from_millis(100);
    let progress = run.inner.unwritten.take();
    let finished = loop {
        match in_time(finish(shared, run, ending, progress.as_ref())).await {
            Ok(finished) => break finished?,
            Err(error) if Instant::now() + pause < give_up_at => {
                tracing::warn!(%error, "a job's end could not be written, trying again");
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            Err(error) => {
                tracing::error!(%error, source = std::error::Error::source(&error), "a job's end was not written");
                return None;
            }
        }
    };
    (shared.on_news)(run.news(finished.state, queries::read_progress(finished.progress)));
    Some(finished.state)
}

async fn finish<C>(
    shared: &Shared<C>,
    run: &Run,
    ending: &Ending,
    progress: Option<&super::Progress>,
) -> Result<Option<Finished>> {
    let mut tx = shared.db.system().await?;
    let fence = Fence { job: run.job, attempt: run.attempt };
    let finished = queries::finish(tx.connection(), fence, shared.clock.now(), ending, progress).await?;
    tx.commit().await?;
    Ok(finished)
}

/// The word for metrics.
fn outcome(ending: &Ending, state: Option<JobState>) -> &'static str {
    match (state, ending) {
        (None, _) => "lost",
        (Some(JobState::Queued), Ending::HandedBack) => "handed_back",
        (Some(JobState::Queued), Ending::Again { last_error: None, .. }) => "later",
        (Some(JobState::Queued), _) => "retried",
        (Some(state), _) => state.as_str(),
    }
}
