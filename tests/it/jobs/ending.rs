//! How jobs end: well, by errors, by panics, later, told to stop.

use std::{sync::atomic::Ordering, time::Duration};

use chrono::TimeDelta;
use kontor::jobs::{JobState, rerun};

use super::{
    kinds::{Act, Plain},
    lab::Lab,
};

#[tokio::test]
async fn an_error_is_retried_with_backoff_then_buried_and_a_person_can_run_it_again() {
    let mut lab = Lab::new().await;
    let _worker = lab.worker(2);
    let job = lab.enqueue(lab.a, Plain::new("j", Act::Retry)).await;
    for ceiling in [2, 4] {
        lab.until(job, JobState::Queued).await;
        let latest = lab.clock.now() + TimeDelta::seconds(ceiling);
        assert!(lab.job(job).await.run_at <= latest);
        lab.clock.advance(TimeDelta::seconds(ceiling));
    }
    lab.until(job, JobState::Failed).await;
    let dead = lab.job(job).await;
    assert_eq!((dead.attempt, dead.failures, dead.max_attempts), (3, 3, 3));
    assert_eq!(dead.last_error.as_deref(), Some("The other side is away"));
    assert!(dead.finished_at.is_some());

    lab.context.failing.store(false, Ordering::Relaxed);
    let mut tx = lab.db.begin(&lab.a).await.expect("a transaction");
    rerun(&mut tx, lab.a, job, lab.clock.now()).await.expect("queued again");
    tx.commit().await.expect("committed");
    lab.until(job, JobState::Completed).await;
    let done = lab.job(job).await;
    assert_eq!((done.attempt, done.failures, done.last_error), (4, 0, None));
}

#[tokio::test]
async fn a_job_that_waits_for_its_retry_does_not_run_before() {
    let mut lab = Lab::new().await;
    let job = lab.enqueue(lab.a, Plain::new("retried", Act::Finish)).await;
    let run_at = lab.clock.now() + TimeDelta::seconds(2);
    lab.sql(&format!("UPDATE jobs SET due = false, run_at = '{run_at}', attempt = 1, failures = 1")).await;
    let _worker = lab.worker(2);
    let other = lab.enqueue(lab.a, Plain::new("other", Act::Finish)).await;
    lab.until(other, JobState::Completed).await;
    assert_eq!(lab.job(job).await.state, JobState::Queued);
    lab.clock.advance(TimeDelta::seconds(2));
    lab.until(job, JobState::Completed).await;
}

#[tokio::test]
async fn a_refusal_is_buried_at_once() {
    let mut lab = Lab::new().await;
    let _worker = lab.worker(2);
    let job = lab.enqueue(lab.a, Plain::new("j", Act::Fail)).await;
    lab.until(job, JobState::Failed).await;
    let dead = lab.job(job).await;
    assert_eq!((dead.attempt, dead.failures, dead.last_error.as_deref()), (1, 1, Some("File not found")));
}

#[tokio::test]
async fn a_panic_is_an_error_and_the_worker_goes_on() {
    let mut lab = Lab::new().await;
    let _worker = lab.worker(1);
    let job = lab.enqueue(lab.a, Plain::new("panics", Act::Panic)).await;
    for seconds in [2, 4] {
        lab.until(job, JobState::Queued).await;
        lab.clock.advance(TimeDelta::seconds(seconds));
    }
    lab.until(job, JobState::Failed).await;
    let text = lab.job(job).await.last_error.expect("an error");
    assert!(!text.contains("on purpose"), "{text}");
    let next = lab.enqueue(lab.a, Plain::new("next", Act::Finish)).await;
    lab.until(next, JobState::Completed).await;
}

#[tokio::test]
async fn a_job_that_comes_back_later_loses_no_attempt() {
    let mut lab = Lab::new().await;
    let _worker = lab.worker(1);
    let job = lab.enqueue(lab.a, Plain::new("j", Act::Postpone(3600))).await;
    lab.until(job, JobState::Queued).await;
    let waiting = lab.job(job).await;
    assert_eq!((waiting.attempt, waiting.failures, waiting.last_error), (1, 0, None));
    lab.clock.advance(TimeDelta::hours(1));
    lab.until(job, JobState::Completed).await;
}

#[tokio::test]
async fn a_payload_that_cannot_be_read_is_buried() {
    let mut lab = Lab::new().await;
    let job = lab.enqueue(lab.a, Plain::new("j", Act::Finish)).await;
    lab.sql("UPDATE jobs SET payload = '[]'").await;
    let _worker = lab.worker(1);
    lab.until(job, JobState::Failed).await;
}

#[tokio::test]
async fn progress_told_often_is_written_seldom_and_at_the_end() {
    let mut lab = Lab::new().await;
    let _worker = lab.worker(1);
    let job = lab.enqueue(lab.a, Plain::new("j", Act::Report)).await;
    let mut news = 0;
    let last = loop {
        let next = lab.next_news().await;
        news += 1;
        if next.state == JobState::Completed {
            break next;
        }
    };
    assert!(news < 100, "{news} news of 1,000 reports");
    assert_eq!((last.progress.processed, last.progress.total), (1000, Some(1000)));
    assert_eq!(lab.job(job).await.progress, last.progress);
}

#[tokio::test]
async fn a_worker_that_stops_lets_jobs_end_and_takes_no_more() {
    let mut lab = Lab::new().await;
    let worker = lab.worker(2);
    let heeds = lab.enqueue(lab.a, Plain::new("heeds", Act::Heed)).await;
    lab.started().await;
    assert_eq!(worker.stop(Duration::from_secs(20)).await, 0);
    let stopped = lab.job(heeds).await;
    assert_eq!((stopped.state, stopped.attempt, stopped.failures), (JobState::Queued, 1, 0));

    // the next worker goes on with it at once
    let _worker = lab.worker(2);
    assert_eq!(lab.started().await.1.attempt, 2);
}

#[tokio::test]
async fn a_worker_that_stops_hands_back_what_does_not_end() {
    let mut lab = Lab::new().await;
    let worker = lab.worker(2);
    let hangs = lab.enqueue(lab.a, Plain::new("hangs", Act::Hang)).await;
    lab.started().await;
    assert_eq!(worker.stop(Duration::from_millis(50)).await, 1);
    lab.gone("hangs").await;
    let back = lab.job(hangs).await;
    assert_eq!((back.state, back.attempt, back.failures), (JobState::Queued, 1, 0));
    let crashes = "SELECT crashes AS number FROM jobs";
    assert_eq!(lab.number(crashes).await, 0);
    let _worker = lab.worker(2);
    assert_eq!(lab.started().await.1.attempt, 2);
}
