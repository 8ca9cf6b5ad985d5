//! Leases: workers that vanish, freeze or come back, and the fence that keeps them from writing.

use std::time::Duration;

use kontor::jobs::{JobError, JobState, Progress, Run};

use super::{
    kinds::{Act, Brief, Plain, registry},
    lab::Lab,
};
use crate::support::eventually;

#[tokio::test]
async fn a_job_whose_worker_vanished_is_taken_over() {
    let mut lab = Lab::new().await;
    let job = lab.enqueue(lab.a, Plain::new("j", Act::Finish)).await;
    lab.sql("UPDATE jobs SET state = 'running', attempt = 1, lease_until = now() - interval '1 s'").await;
    let _worker = lab.worker(1);
    assert_eq!(lab.started().await.1.attempt, 2);
    lab.until(job, JobState::Completed).await;
    assert_eq!(lab.number("SELECT crashes AS number FROM jobs").await, 1);
}

#[tokio::test]
async fn a_job_is_not_taken_over_while_its_lease_is_renewed() {
    let mut lab = Lab::new().await;
    let _workers = [lab.worker(1), lab.worker(1)];
    let job = lab.enqueue(lab.a, Brief::new("long", Act::Wait)).await;
    lab.started().await;
    // several leases of 1.5 s
    let start = lab.number("SELECT extract(epoch FROM clock_timestamp())::int AS number").await;
    let renewed =
        format!("SELECT count(*)::int AS number FROM jobs WHERE lease_until > to_timestamp({start}) + interval '4 s'");
    eventually("the lease is renewed again and again", async || lab.number(&renewed).await == 1).await;
    lab.context.gate.add_permits(1);
    lab.until(job, JobState::Completed).await;
    assert_eq!(lab.job(job).await.attempt, 1);
}

#[tokio::test]
async fn a_worker_that_dies_with_its_job_is_replaced_and_cannot_write() {
    let mut lab = Lab::new().await;
    let dying = lab.worker(1);
    let job = lab.enqueue(lab.a, Brief::new("j", Act::Hang)).await;
    let (_, first) = lab.started().await;
    hold(&lab, &first).await.expect("it holds its job");
    drop(dying);
    lab.gone("j").await;

    let _worker = lab.worker(1);
    let (_, second) = lab.started().await;
    assert_eq!((second.job, second.attempt), (job, 2));
    assert!(matches!(hold(&lab, &first).await, Err(JobError::Lost)));
    assert!(matches!(report(&lab, &first).await, Err(JobError::Lost)));
    assert!(matches!(first.report(Progress::default()).await, Err(JobError::Lost)));
    hold(&lab, &second).await.expect("it holds its job");
}

#[tokio::test]
async fn nobody_takes_a_job_over_in_the_middle_of_a_batch() {
    let mut lab = Lab::new().await;
    let dying = lab.worker(1);
    let job = lab.enqueue(lab.a, Plain::new("j", Act::Hang)).await;
    let (_, run) = lab.started().await;
    let mut batch = lab.db.begin(&lab.a).await.expect("a transaction");
    run.hold_in(&mut batch).await.expect("it holds its job");
    drop(dying);
    // neither a renewal nor a cancel has to wait for the batch
    lab.sql("SET LOCAL lock_timeout = '1s'; UPDATE jobs SET lease_until = now() - interval '1 s'").await;

    let _worker = lab.worker(1);
    for number in 0..5 {
        let other = lab.enqueue(lab.a, Plain::new(number, Act::Finish)).await;
        lab.until(other, JobState::Completed).await;
    }
    let untouched = lab.job(job).await;
    assert_eq!((untouched.state, untouched.attempt), (JobState::Running, 1));
    batch.commit().await.expect("the batch is written");
    lab.until(job, JobState::Running).await;
    assert_eq!(lab.job(job).await.attempt, 2);
}

#[tokio::test]
async fn a_worker_that_cannot_renew_cuts_its_job_off_and_hands_it_back() {
    let mut lab = Lab::new().await;
    let _worker = lab.worker(1);
    let job = lab.enqueue(lab.a, Brief::new("j", Act::Hang)).await;
    assert_eq!(lab.started().await.1.attempt, 1);
    // as if the database did not answer: the renewal passes over locked rows
    let mut tx = lab.db.system().await.expect("a transaction");
    let lock = format!("SELECT FROM jobs WHERE id = '{job}' FOR UPDATE");
    lab.sql_in(&mut tx, &lock).await;
    lab.gone("j").await;
    tx.commit().await.expect("unlocked");
    assert_eq!(lab.started().await.1.attempt, 2);
    assert_eq!(lab.number("SELECT failures AS number FROM jobs").await, 0);
}

#[tokio::test]
async fn a_run_whose_job_was_taken_over_is_cut_off() {
    let mut lab = Lab::new().await;
    let _worker = lab.worker(1);
    lab.enqueue(lab.a, Plain::new("j", Act::Hang)).await;
    lab.started().await;
    lab.sql("UPDATE jobs SET attempt = attempt + 1").await;
    lab.gone("j").await;
    assert_eq!(lab.number("SELECT attempt AS number FROM jobs WHERE state = 'running'").await, 2);
}

#[tokio::test]
async fn a_run_that_ends_after_its_job_was_taken_over_writes_nothing() {
    let mut lab = Lab::new().await;
    let slow = lab.polling_worker(lab.db.clone(), registry(), 1, Duration::from_secs(3600));
    let job = lab.enqueue(lab.a, Plain::new("j", Act::Wait)).await;
    lab.started().await;
    lab.sql("UPDATE jobs SET attempt = attempt + 1").await;
    lab.context.gate.add_permits(1);
    lab.gone("j").await;
    assert_eq!(slow.stop(Duration::from_secs(20)).await, 0);
    let others = lab.job(job).await;
    assert_eq!((others.state, others.attempt), (JobState::Running, 2));
}

#[tokio::test]
async fn a_job_that_takes_its_process_down_again_and_again_is_buried() {
    let mut lab = Lab::new().await;
    let job = lab.enqueue(lab.a, Plain::new("j", Act::Finish)).await;
    lab.sql("UPDATE jobs SET state = 'running', attempt = 3, crashes = 2, lease_until = now() - interval '1 s'").await;
    let _worker = lab.worker(1);
    lab.until(job, JobState::Failed).await;
    let dead = lab.job(job).await;
    assert_eq!((dead.attempt, dead.failures), (3, 0));
    assert!(dead.last_error.is_some_and(|text| text.contains("several times")));
}

#[tokio::test]
async fn crashes_are_forgiven_where_the_job_gets_ahead() {
    let mut lab = Lab::new().await;
    let dying = lab.worker(1);
    let job = lab.enqueue(lab.a, Plain::new("j", Act::Hang)).await;
    let (_, run) = lab.started().await;
    lab.sql("UPDATE jobs SET crashes = 2").await;
    report(&lab, &run).await.expect("it holds its job");
    assert_eq!(lab.job(job).await.progress.processed, 7);
    drop(dying);
    lab.gone("j").await;
    lab.let_run_out(job).await;
    let _worker = lab.worker(1);
    assert_eq!(lab.started().await.1.attempt, 2);
}

#[tokio::test]
async fn many_short_leases_survive_a_worker_that_is_busy() {
    let mut lab = Lab::new().await;
    let _worker = lab.worker(8);
    let workspaces = [lab.a, lab.b];
    for workspace in workspaces {
        lab.enqueue(workspace, Brief::new("waits", Act::Wait)).await;
        lab.started().await;
    }
    for number in 0..100 {
        lab.enqueue(lab.a, Plain::new(number, Act::Finish)).await;
    }
    lab.until_ended(100).await;
    lab.context.gate.add_permits(2);
    lab.until_ended(2).await;
    assert_eq!(lab.number("SELECT max(attempt) AS number FROM jobs").await, 1);
    assert_eq!(lab.number("SELECT max(crashes) AS number FROM jobs").await, 0);
}

/// As a batch does it: bound to the workspace, under the app role.
async fn hold(lab: &Lab, run: &Run) -> Result<(), JobError> {
    let mut tx = lab.db.begin(&lab.a).await.expect("a transaction");
    run.hold_in(&mut tx).await
}

async fn report(lab: &Lab, run: &Run) -> Result<(), JobError> {
    let mut tx = lab.db.begin(&lab.a).await.expect("a transaction");
    run.report_in(&mut tx, Progress { processed: 7, ..Progress::default() }).await?;
    tx.commit().await.expect("committed");
    Ok(())
}

#[tokio::test]
async fn a_stop_is_told_from_a_cancel() {
    let mut lab = Lab::new().await;
    let worker = lab.worker(1);
    lab.enqueue(lab.a, Plain::new("j", Act::Hang)).await;
    let (_, run) = lab.started().await;
    assert_eq!(run.stop(), None);
    let stopping = tokio::spawn(worker.stop(Duration::from_secs(1)));
    assert_eq!(run.stopped().await, kontor::jobs::Stop::Shutdown);
    assert!(matches!(run.check_stop(), Err(JobError::Later(_))));
    assert_eq!(stopping.await.expect("stopped"), 1);
}
