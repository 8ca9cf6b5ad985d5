//! Jobs that were given up: they are counted, listed, and tried again by whoever may.

use std::time::Duration;

use kontor::{
    auth::Role,
    jobs::{Config, Enqueued, Job, JobError, Registry, Run, Runner, enqueue},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{eventually, server::TestServer};

/// Fails for good at once. Its name is its own, for the figures of all tests are in one place.
#[derive(Serialize, Deserialize)]
struct Hopeless {}

impl Job<()> for Hopeless {
    const NAME: &'static str = "test.hopeless";

    async fn run(self, (): (), _: Run) -> Result<(), JobError> {
        Err(JobError::Fail(kontor::base::Error::conflict("This cannot work")))
    }
}

const FAILED: &str = "{ viewer { failedJobs } jobs(status: FAILED) { totalCount nodes { id kind status lastError } } }";

#[tokio::test]
async fn a_job_that_was_given_up_is_counted_listed_and_run_again() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let mut tx = server.ctx.db.begin(&ada.workspace()).await.expect("a transaction");
    let about = Enqueued { workspace: Some(ada.workspace()), created_by: Some(ada.user()), ..Enqueued::default() };
    let id =
        enqueue::<(), _>(&mut tx, server.ctx.clock.now(), &Hopeless {}, about).await.expect("enqueued").expect("new");
    tx.commit().await.expect("committed");
    assert_eq!(ada.data(FAILED, json!({})).await["viewer"]["failedJobs"], 0);

    let worker = || {
        let registry = Registry::new().register::<Hopeless>();
        let (db, clock) = (server.ctx.db.clone(), server.ctx.clock.clone());
        let config = Config { count: Duration::from_millis(20), ..Config::default() };
        Runner::new(db, clock, (), registry, config).start(&CancellationToken::new())
    };
    let first = worker();
    eventually("the job is given up", async || ada.data(FAILED, json!({})).await["viewer"]["failedJobs"] == 1).await;
    drop(first);
    let found = ada.data(FAILED, json!({})).await;
    let job = json!({ "id": id, "kind": "test.hopeless", "status": "FAILED", "lastError": "This cannot work" });
    assert_eq!(found["jobs"], json!({ "totalCount": 1, "nodes": [job] }));
    let support = ada.invite_role(Role::Support).await;
    let theirs = support.data(FAILED, json!({})).await;
    assert_eq!((&theirs["viewer"]["failedJobs"], &theirs["jobs"]["totalCount"]), (&json!(0), &json!(0)));
    ada.refused("{ jobs(status: UNDOING) { totalCount } }", json!({}), "BAD_USER_INPUT").await;

    let _second = worker();
    let figure = "kontor_jobs_dead{kind=\"test.hopeless\"} 1";
    eventually("the figures count it", async || {
        let figures = ada.http.get(format!("{}/metrics", ada.url)).send().await.expect("an answer");
        figures.text().await.expect("text").contains(figure)
    })
    .await;

    let rerun = "mutation($id: ID!) { rerunJob(input: { id: $id }) { job { id } } }";
    support.refused(rerun, json!({ "id": id }), "NOT_FOUND").await;
    ada.data(rerun, json!({ "id": id })).await;
    eventually("it is given up again", async || {
        ada.data("{ jobs(status: FAILED) { nodes { attempts } } }", json!({})).await["jobs"]["nodes"]
            == json!([{ "attempts": 2 }])
    })
    .await;
}
