//! A database with two workspaces, workers for it, and an ear for what their jobs tell.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::{QueryableByName, sql_query, sql_types::Integer};
use diesel_async::SimpleAsyncConnection;
use kontor::{
    base::{
        Clock,
        ids::{JobId, UserId, WorkspaceId},
    },
    db::{Db, Tx},
    jobs::{Config, Enqueued, Job, JobNews, JobState, JobSummary, Registry, Run, Runner, RunnerHandle, enqueue, find},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::kinds::{Context, Told, registry};
use crate::support::database::{TestDatabase, config, database};

pub struct Lab {
    pub database: TestDatabase,
    pub db: Db,
    pub context: Context,
    pub clock: Clock,
    pub a: WorkspaceId,
    pub b: WorkspaceId,
    pub user: UserId,
    told: UnboundedReceiver<Told>,
    news: UnboundedReceiver<JobNews>,
    tell_news: UnboundedSender<JobNews>,
}

impl Lab {
    pub async fn new() -> Self {
        let database = database().await;
        let db = database.db.clone();
        let clock = Clock::default();
        let (told, receive_told) = unbounded_channel();
        let (tell_news, news) = unbounded_channel();
        let context = Context::new(db.clone(), clock.clone(), told);
        let (a, b, user) = (WorkspaceId::new(), WorkspaceId::new(), UserId::new());
        let lab = Self { database, db, context, clock, a, b, user, told: receive_told, news, tell_news };
        lab.sql(&format!("INSERT INTO workspaces (id, name) VALUES ('{a}', 'a'), ('{b}', 'b')")).await;
        lab
    }

    /// A worker with a pool of its own, as another process would have.
    pub fn worker(&self, concurrency: usize) -> RunnerHandle {
        let db = Db::open(&config(&self.database.url)).expect("valid");
        self.worker_with(db, registry(), concurrency)
    }

    pub fn worker_with(&self, db: Db, registry: Registry<Context>, concurrency: usize) -> RunnerHandle {
        self.polling_worker(db, registry, concurrency, Duration::from_millis(20))
    }

    /// A worker that learns of what it did not enqueue itself, and looks after its leases, only
    /// this often (and not less often than leases need).
    pub fn polling_worker(
        &self,
        db: Db,
        registry: Registry<Context>,
        concurrency: usize,
        poll: Duration,
    ) -> RunnerHandle {
        let config = Config { concurrency, poll, ..Config::default() };
        let tell = self.tell_news.clone();
        Runner::new(db, self.clock.clone(), self.context.clone(), registry, config)
            .on_news(move |news| {
                let _ = tell.send(news);
            })
            .start(&CancellationToken::new())
    }

    /// Enqueues for a workspace in a transaction of its own.
    pub async fn enqueue<J: Job<Context>>(&self, workspace: WorkspaceId, job: J) -> JobId {
        let mut tx = self.db.begin(&workspace).await.expect("a transaction");
        let about = Enqueued { workspace: Some(workspace), created_by: Some(self.user), ..Enqueued::default() };
        let id = enqueue(&mut tx, self.clock.now(), &job, about).await.expect("enqueued").expect("new");
        tx.commit().await.expect("committed");
        id
    }

    pub async fn job(&self, id: JobId) -> JobSummary {
        let mut tx = self.db.read(&self.a).await.expect("a transaction");
        let found = find(&mut tx, self.a, id).await.expect("read");
        found.expect("the job exists")
    }

    /// The next run that starts.
    pub async fn started(&mut self) -> (String, Run) {
        loop {
            if let Told::Started(label, run) = self.next_told().await {
                return (label, run);
            }
        }
    }

    /// Waits until the run of this label is gone.
    pub async fn gone(&mut self, label: &str) {
        loop {
            if matches!(self.next_told().await, Told::Gone(gone) if gone == label) {
                return;
            }
        }
    }

    async fn next_told(&mut self) -> Told {
        let told = timeout(Duration::from_secs(20), self.told.recv()).await;
        told.expect("a job tells something").expect("open")
    }

    pub async fn next_news(&mut self) -> JobNews {
        let news = timeout(Duration::from_secs(20), self.news.recv()).await;
        news.expect("there are news").expect("open")
    }

    /// Waits until a job comes into this state; the news that said so.
    pub async fn until(&mut self, job: JobId, state: JobState) -> JobNews {
        loop {
            let news = self.next_news().await;
            if news.job == job && news.state == state {
                return news;
            }
        }
    }

    /// Waits until so many jobs have ended.
    pub async fn until_ended(&mut self, jobs: usize) {
        let mut ended = 0;
        while ended < jobs {
            ended += usize::from(self.next_news().await.state.is_final());
        }
    }

    /// Most runs of the kind that were alive at once for the workspace.
    pub fn most_at_once<J: Job<Context>>(&self, workspace: WorkspaceId) -> i32 {
        self.context.most_at_once(J::NAME, workspace)
    }

    /// Runs statements as the system.
    pub async fn sql(&self, statements: &str) {
        let mut tx = self.db.system().await.expect("a transaction");
        self.sql_in(&mut tx, statements).await;
        tx.commit().await.expect("committed");
    }

    pub async fn sql_in(&self, tx: &mut Tx, statements: &str) {
        tx.connection().batch_execute(statements).await.unwrap_or_else(|error| panic!("{statements}: {error:?}"));
    }

    /// The one number that the query `SELECT ... AS number` answers.
    pub async fn number(&self, query: &str) -> i32 {
        let mut tx = self.db.system().await.expect("a transaction");
        // by its full name: imported, it would claim every method called load or execute
        let row = diesel_async::RunQueryDsl::get_result::<Number>(sql_query(query), tx.connection()).await;
        row.unwrap_or_else(|error| panic!("{query}: {error:?}")).number
    }

    /// Makes the lease of a job run out as if its worker had been gone for a while.
    pub async fn let_run_out(&self, job: JobId) {
        self.sql(&format!("UPDATE jobs SET lease_until = now() - interval '1 s' WHERE id = '{job}'")).await;
    }
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = Integer)]
    number: i32,
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}
