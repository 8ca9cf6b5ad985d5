//! Schedules: once over all nodes, caught up once, by the injected clock.

use chrono::TimeDelta;
use kontor::jobs::Registry;

use super::{
    kinds::{Act, Context, Plain, registry},
    lab::{Lab, at},
};
use crate::support::eventually;

/// At noon, London time.
fn with_schedule() -> Registry<Context> {
    registry().schedule::<Plain>("test.noon", "0 12 * * *", chrono_tz::Europe::London, || {
        Plain::new("scheduled", Act::Finish)
    })
}

async fn known(lab: &Lab) {
    let rows = "SELECT count(*)::int AS number FROM schedules";
    eventually("the schedule is known", async || lab.number(rows).await == 1).await;
}

async fn jobs(lab: &Lab) -> i32 {
    lab.number("SELECT count(*)::int AS number FROM jobs").await
}

/// Sets the lab's clock to a time.
fn set_clock(lab: &Lab, time: &str) {
    lab.clock.advance(at(time) - lab.clock.now());
}

#[tokio::test]
async fn a_schedule_fires_once_over_two_nodes_and_not_when_it_is_new() {
    let mut lab = Lab::new().await;
    set_clock(&lab, "2026-07-01T10:59:00Z");
    let _workers = [
        lab.worker_with(lab.db.clone(), with_schedule(), 2),
        lab.worker_with(lab.database.db.clone(), with_schedule(), 2),
    ];
    known(&lab).await;
    assert_eq!(jobs(&lab).await, 0);
    for day in 1..=3 {
        lab.clock.advance(TimeDelta::minutes(2));
        assert_eq!(lab.started().await.0, "scheduled");
        lab.until_ended(1).await;
        assert_eq!(jobs(&lab).await, day);
        lab.clock.advance(TimeDelta::days(1) - TimeDelta::minutes(2));
    }
    let times = "SELECT count(*)::int AS number FROM jobs
                  WHERE unique_key IN ('test.noon@2026-07-01T11:00:00Z', 'test.noon@2026-07-02T11:00:00Z',
                                       'test.noon@2026-07-03T11:00:00Z') AND workspace_id IS NULL";
    assert_eq!(lab.number(times).await, 3);
}

#[tokio::test]
async fn after_a_downtime_of_days_it_fires_once() {
    let mut lab = Lab::new().await;
    lab.sql("INSERT INTO schedules (name, last_fired_for) VALUES ('test.noon', '2026-07-01T11:00:00Z')").await;
    set_clock(&lab, "2026-07-10T15:00:00Z");
    let worker = lab.worker_with(lab.db.clone(), with_schedule(), 2);
    lab.started().await;
    lab.until_ended(1).await;
    worker.stop(std::time::Duration::from_secs(10)).await;

    // and not once more after a restart
    let _worker = lab.worker_with(lab.db.clone(), with_schedule(), 2);
    let other = lab.enqueue(lab.a, Plain::new("other", Act::Finish)).await;
    lab.until(other, kontor::jobs::JobState::Completed).await;
    let key = "SELECT count(*)::int AS number FROM jobs WHERE unique_key = 'test.noon@2026-07-10T11:00:00Z'";
    assert_eq!((jobs(&lab).await, lab.number(key).await), (2, 1));
}
