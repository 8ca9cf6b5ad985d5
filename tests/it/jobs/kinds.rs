//! Test jobs that do as they are told and say what they do.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kontor::{
    base::{Clock, Error, ids::WorkspaceId},
    db::Db,
    jobs::{Job, JobError, Progress, Registry, Run},
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc::UnboundedSender};

/// What a test job does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Act {
    Finish,
    /// Asks the database something, and ends.
    Look,
    /// Waits for a permit of the gate.
    Wait,
    /// Never ends by itself.
    Hang,
    /// Waits to be told to stop, and says so.
    Heed,
    /// The same, but fails then.
    FailWhenStopped,
    /// As long as the context says so.
    Retry,
    Fail,
    Panic,
    /// At its first attempt: comes back later by so many seconds.
    Postpone(i64),
    /// Tells its progress 1,000 times.
    Report,
}

/// A kind of job, and whose they are.
type Lane = (&'static str, Option<WorkspaceId>);

/// What runs have in common.
#[derive(Clone)]
pub struct Context {
    pub db: Db,
    pub clock: Clock,
    pub gate: Arc<Semaphore>,
    pub failing: Arc<AtomicBool>,
    told: UnboundedSender<Told>,
    running: Arc<Mutex<HashMap<Lane, Count>>>,
}

impl Context {
    pub fn new(db: Db, clock: Clock, told: UnboundedSender<Told>) -> Self {
        let (gate, failing) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicBool::new(true)));
        Self { db, clock, gate, failing, told, running: Arc::default() }
    }

    /// Most runs of the kind that were alive at once for the workspace.
    pub fn most_at_once(&self, kind: &'static str, workspace: WorkspaceId) -> i32 {
        self.running.lock().expect("not poisoned").get(&(kind, Some(workspace))).map_or(0, |count| count.most)
    }
}

#[derive(Default, Clone, Copy)]
struct Count {
    now: i32,
    most: i32,
}

#[derive(Debug)]
pub enum Told {
    Started(String, Run),
    /// The run's future is gone, whichever way.
    Gone(String),
}

/// Counts a run as long as it lives.
struct Present {
    context: Context,
    lane: Lane,
    label: String,
}

impl Present {
    fn new(context: &Context, kind: &'static str, label: &str, run: &Run) -> Self {
        let lane = (kind, run.workspace);
        let mut running = context.running.lock().expect("not poisoned");
        let count = running.entry(lane).or_default();
        count.now += 1;
        count.most = count.most.max(count.now);
        let _ = context.told.send(Told::Started(label.to_owned(), run.clone()));
        Self { context: context.clone(), lane, label: label.to_owned() }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.context.running.lock().expect("not poisoned").entry(self.lane).or_default().now -= 1;
        let _ = self.context.told.send(Told::Gone(self.label.clone()));
    }
}

async fn act(act: Act, context: &Context, run: &Run) -> Result<(), JobError> {
    match act {
        Act::Finish => Ok(()),
        Act::Look => Ok(context.db.ping().await?),
        Act::Wait => {
            context.gate.acquire().await.expect("open").forget();
            Ok(())
        }
        Act::Hang => std::future::pending().await,
        Act::Heed => {
            run.stopped().await;
            run.check_stop()
        }
        Act::FailWhenStopped => {
            run.stopped().await;
            Err(Error::Unavailable("The other side is away".into()).into())
        }
        Act::Retry if context.failing.load(Ordering::Relaxed) => {
            Err(Error::Unavailable("The other side is away".into()).into())
        }
        Act::Retry => Ok(()),
        Act::Fail => Err(Error::NotFound("File").into()),
        Act::Panic => panic!("on purpose"),
        Act::Postpone(seconds) if run.attempt == 1 => {
            Err(JobError::Later(context.clock.now() + chrono::TimeDelta::seconds(seconds)))
        }
        Act::Postpone(_) => Ok(()),
        Act::Report => {
            for processed in 1..=1000 {
                run.report(Progress { processed, total: Some(1000), ..Progress::default() }).await?;
            }
            Ok(())
        }
    }
}

macro_rules! kinds {
    ($($kind:ident = $name:literal { $($const:ident: $type:ty = $value:expr),* })*) => {
        $(
            #[derive(Debug, Serialize, Deserialize)]
            pub struct $kind {
                pub label: String,
                pub act: Act,
            }

            impl $kind {
                pub fn new(label: impl ToString, act: Act) -> Self {
                    Self { label: label.to_string(), act }
                }
            }

            impl Job<Context> for $kind {
                const NAME: &'static str = $name;
                $(const $const: $type = $value;)*

                async fn run(self, context: Context, run: Run) -> Result<(), JobError> {
                    let _present = Present::new(&context, $name, &self.label, &run);
                    act(self.act, &context, &run).await
                }
            }
        )*

        pub fn registry() -> Registry<Context> {
            Registry::new()$(.register::<$kind>())*
        }
    };
}

kinds! {
    Plain = "test.plain" { MAX_ATTEMPTS: i32 = 3, PER_WORKSPACE: i32 = 1000 }
    Pair = "test.pair" { PER_WORKSPACE: i32 = 2 }
    Single = "test.single" { PER_WORKSPACE: i32 = 1 }
    Urgent = "test.urgent" { PRIORITY: i16 = 10 }
    Chore = "test.chore" { PRIORITY: i16 = 90 }
    Long = "test.long" { LONG: bool = true, PER_WORKSPACE: i32 = 1000 }
    Brief = "test.brief" { LEASE: Duration = Duration::from_millis(1500), PER_WORKSPACE: i32 = 1 }
}
