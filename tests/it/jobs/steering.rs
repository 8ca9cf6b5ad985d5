//! What people do with jobs: look, cancel, run again, clean up.

use chrono::TimeDelta;
use kontor::{
    base::{
        Error,
        ids::{JobId, UserId},
        page::{Direction, PageRequest},
    },
    jobs::{CancelOutcome, JobError, JobFilter, JobState, Stop, cancel, find, page, purge_finished, rerun},
};

use super::{
    kinds::{Act, Plain, Urgent},
    lab::Lab,
};

async fn cancel_now(lab: &Lab, job: JobId) -> CancelOutcome {
    let mut tx = lab.db.begin(&lab.a).await.expect("a transaction");
    let outcome = cancel(&mut tx, lab.a, job, lab.clock.now()).await.expect("there is such a job");
    tx.commit().await.expect("committed");
    outcome
}

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once() {
    let mut lab = Lab::new().await;
    let job = lab.enqueue(lab.a, Plain::new("j", Act::Finish)).await;
    assert_eq!(cancel_now(&lab, job).await, CancelOutcome::Cancelled);
    assert_eq!(cancel_now(&lab, job).await, CancelOutcome::TooLate);
    let _worker = lab.worker(2);
    lab.enqueue(lab.a, Plain::new("other", Act::Finish)).await;
    assert_eq!(lab.started().await.0, "other");
    assert_eq!(lab.job(job).await.state, JobState::Cancelled);
}

#[tokio::test]
async fn a_running_job_is_asked_to_end() {
    let mut lab = Lab::new().await;
    let _worker = lab.worker(2);
    let job = lab.enqueue(lab.a, Plain::new("j", Act::Heed)).await;
    let (_, run) = lab.started().await;
    assert_eq!(cancel_now(&lab, job).await, CancelOutcome::Requested);
    lab.until(job, JobState::Cancelled).await;
    assert_eq!(run.stop(), Some(Stop::Cancel));
    assert_eq!(cancel_now(&lab, job).await, CancelOutcome::TooLate);
}

#[tokio::test]
async fn a_batch_learns_of_a_cancel_at_once() {
    let mut lab = Lab::new().await;
    let _worker = lab.worker(1);
    let job = lab.enqueue(lab.a, Plain::new("j", Act::Hang)).await;
    let (_, run) = lab.started().await;
    cancel_now(&lab, job).await;
    let mut tx = lab.db.begin(&lab.a).await.expect("a transaction");
    assert!(matches!(run.hold_in(&mut tx).await, Err(JobError::Cancelled)));
}

#[tokio::test]
async fn a_cancelled_job_is_not_tried_again_after_an_error() {
    let mut lab = Lab::new().await;
    let _worker = lab.worker(1);
    let job = lab.enqueue(lab.a, Plain::new("j", Act::FailWhenStopped)).await;
    lab.started().await;
    cancel_now(&lab, job).await;
    lab.until(job, JobState::Cancelled).await;
    assert!(lab.job(job).await.finished_at.is_some());
}

#[tokio::test]
async fn a_cancelled_job_is_not_tried_again_after_a_crash() {
    let mut lab = Lab::new().await;
    let dying = lab.worker(1);
    let job = lab.enqueue(lab.a, Plain::new("j", Act::Hang)).await;
    lab.started().await;
    drop(dying);
    lab.gone("j").await;
    cancel_now(&lab, job).await;
    lab.let_run_out(job).await;
    let _worker = lab.worker(1);
    lab.until(job, JobState::Cancelled).await;
}

#[tokio::test]
async fn another_workspaces_job_is_not_there() {
    let lab = Lab::new().await;
    let job = lab.enqueue(lab.a, Plain::new("j", Act::Finish)).await;
    let mut tx = lab.db.begin(&lab.b).await.expect("a transaction");
    let now = lab.clock.now();
    assert!(find(&mut tx, lab.b, job).await.expect("looked").is_none());
    assert!(matches!(cancel(&mut tx, lab.b, job, now).await, Err(Error::NotFound(_))));
    assert!(matches!(rerun(&mut tx, lab.b, job, now).await, Err(Error::NotFound(_))));
    let all = page(&mut tx, lab.b, &JobFilter::default(), &first(10)).await.expect("a page");
    assert!(all.rows.is_empty());
}

#[tokio::test]
async fn only_a_dead_letter_is_run_again() {
    let lab = Lab::new().await;
    let job = lab.enqueue(lab.a, Plain::new("j", Act::Finish)).await;
    let mut tx = lab.db.begin(&lab.a).await.expect("a transaction");
    assert!(matches!(rerun(&mut tx, lab.a, job, lab.clock.now()).await, Err(Error::Conflict(_))));
}

#[tokio::test]
async fn pages_are_newest_first_and_filtered() {
    let lab = Lab::new().await;
    let mut jobs = Vec::new();
    for number in 0..5 {
        jobs.push(lab.enqueue(lab.a, Plain::new(number, Act::Finish)).await);
    }
    let urgent = lab.enqueue(lab.a, Urgent::new("u", Act::Finish)).await;
    cancel_now(&lab, jobs[1]).await;
    let mut tx = lab.db.read(&lab.a).await.expect("a transaction");
    let ids = async |tx: &mut kontor::db::Tx, filter: JobFilter, request: PageRequest<JobId>| {
        let slice = page(tx, lab.a, &filter, &request).await.expect("a page");
        (slice.rows.iter().map(|job| job.id).collect::<Vec<_>>(), slice.has_next, slice.has_previous)
    };
    let all = JobFilter::default();
    assert_eq!(ids(&mut tx, all.clone(), first(2)).await, (vec![urgent, jobs[4]], true, false));
    let after = PageRequest { size: 2, direction: Direction::Forward, from: Some(jobs[2]) };
    assert_eq!(ids(&mut tx, all.clone(), after).await, (vec![jobs[1], jobs[0]], false, true));
    let before = PageRequest { size: 2, direction: Direction::Backward, from: Some(jobs[2]) };
    assert_eq!(ids(&mut tx, all.clone(), before).await, (vec![jobs[4], jobs[3]], true, true));
    let oldest = PageRequest { size: 2, direction: Direction::Backward, from: None };
    assert_eq!(ids(&mut tx, all.clone(), oldest).await, (vec![jobs[1], jobs[0]], false, true));

    let cancelled = JobFilter { state: Some(JobState::Cancelled), ..all.clone() };
    assert_eq!(ids(&mut tx, cancelled, first(9)).await.0, [jobs[1]]);
    let kind = JobFilter { kind: Some("test.urgent".into()), ..all.clone() };
    assert_eq!(ids(&mut tx, kind, first(9)).await.0, [urgent]);
    let others = JobFilter { created_by: Some(UserId::new()), ..all.clone() };
    assert!(ids(&mut tx, others, first(9)).await.0.is_empty());
    let own = JobFilter { created_by: Some(lab.user), ..all };
    assert_eq!(ids(&mut tx, own, first(9)).await.0.len(), 6);
}

#[tokio::test]
async fn old_jobs_are_purged_and_dead_letters_are_kept_longer() {
    let mut lab = Lab::new().await;
    let _worker = lab.worker(2);
    let done = lab.enqueue(lab.a, Plain::new("done", Act::Finish)).await;
    lab.until(done, JobState::Completed).await;
    let dead = lab.enqueue(lab.a, Plain::new("dead", Act::Fail)).await;
    lab.until(dead, JobState::Failed).await;
    let waits = lab.enqueue(lab.a, Plain::new("waits", Act::Wait)).await;

    let now = lab.clock.now();
    let mut tx = lab.db.system().await.expect("a transaction");
    assert_eq!(purge_finished(&mut tx, now - TimeDelta::days(7), now - TimeDelta::days(30)).await.expect("purged"), 0);
    assert_eq!(purge_finished(&mut tx, now, now - TimeDelta::days(30)).await.expect("purged"), 1);
    assert_eq!(purge_finished(&mut tx, now, now).await.expect("purged"), 1);
    assert_eq!(purge_finished(&mut tx, now, now).await.expect("purged"), 0);
    tx.commit().await.expect("committed");
    assert_eq!(lab.number("SELECT count(*)::int AS number FROM jobs").await, 1);
    lab.job(waits).await;
}

/// The first page.
fn first(size: usize) -> PageRequest<JobId> {
    PageRequest { size, direction: Direction::Forward, from: None }
}
