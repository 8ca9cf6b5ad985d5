//! Jobs at fixed times. A schedule's row remembers the time for which it fired last; who locks it
//! first after the next one fires for it, all others find it done.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use tokio::time::{MissedTickBehavior, interval};

use super::{enqueue, queries};
use crate::{
    base::{Clock, Result},
    db::{Db, Tx, in_time},
};

/// Makes the row of the job, with the given unique key.
type MakeRow = Box<dyn Fn(DateTime<Utc>, String) -> Result<queries::NewJob> + Send + Sync>;

pub(super) struct Schedule {
    pub name: &'static str,
    times: Times,
    row: MakeRow,
}

impl Schedule {
    pub(super) fn new(name: &'static str, cron: &str, zone: Tz, row: MakeRow) -> Self {
        #[expect(clippy::expect_used, reason = "patterns are constants, read at start-up")]
        let cron = cron.parse().expect("a cron pattern");
        Self { name, times: Times { cron, zone }, row }
    }
}

/// When a schedule fires.
struct Times {
    cron: Cron,
    zone: Tz,
}

impl Times {
    /// The last time up to now, `None` where there was none in the last years.
    fn last(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let inclusive = true;
        let found = self.cron.find_previous_occurrence(&now.with_timezone(&self.zone), inclusive);
        found.ok().map(|time| time.to_utc())
    }

    /// The first time after now; `None` where there is none in the next years.
    fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let inclusive = false;
        let found = self.cron.find_next_occurrence(&now.with_timezone(&self.zone), inclusive);
        found.ok().map(|time| time.to_utc())
    }
}

/// Fires the schedules for as long as it is polled. Looks at the clock often, and at the database
/// only when one is due: a timer would not follow a clock that is moved.
pub(super) async fn keep(db: Db, clock: Clock, schedules: Vec<Schedule>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut waiting: Vec<_> = schedules.into_iter().map(|schedule| (schedule, Some(clock.now()))).collect();
    loop {
        ticks.tick().await;
        let now = clock.now();
        for (schedule, next) in &mut waiting {
            if next.is_none_or(|next| now < next) {
                continue;
            }
            match in_time(fire(&db, schedule, now)).await {
                Ok(()) => *next = schedule.times.next(now),
                Err(error) => {
                    let source = std::error::Error::source(&error);
                    tracing::warn!(%error, source, schedule = schedule.name, "a schedule could not be fired");
                }
            }
        }
    }
}

/// Enqueues the job for the last time that has come, unless that is done.
async fn fire(db: &Db, schedule: &Schedule, now: DateTime<Utc>) -> Result<()> {
    let mut tx = db.system().await?;
    fire_in(&mut tx, schedule, now).await?;
    tx.commit().await
}

async fn fire_in(tx: &mut Tx, schedule: &Schedule, now: DateTime<Utc>) -> Result<()> {
    let fired_for = queries::lock_schedule(tx.connection(), schedule.name, now).await?;
    let Some(last) = schedule.times.last(now).filter(|last| *last > fired_for) else { return Ok(()) };
    let key = format!("{}@{}", schedule.name, last.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    let row = (schedule.row)(now, key)?;
    if enqueue::insert(tx, row).await?.is_some() {
        tracing::debug!(schedule = schedule.name, time = %last, "fired");
    }
    queries::note_fired(tx.connection(), schedule.name, last).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(cron: &str, zone: Tz) -> Times {
        Times { cron: cron.parse().expect("a pattern"), zone }
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    /// Every firing between two instants, as nodes that look every minute would see them.
    fn firings(times: &Times, from: &str, to: &str) -> Vec<String> {
        let (mut now, end) = (utc(from), utc(to));
        let mut fired_for = now;
        let mut firings = Vec::new();
        while now <= end {
            if let Some(last) = times.last(now).filter(|last| *last > fired_for) {
                fired_for = last;
                firings.push(last.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
            }
            now += Duration::from_secs(60);
        }
        firings
    }

    #[test]
    fn a_nightly_time_follows_the_wall_clock_over_the_changes() {
        let nightly = times("0 3 * * *", chrono_tz::Europe::Berlin);
        assert_eq!(
            firings(&nightly, "2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z"),
            ["2026-03-28T02:00:00Z", "2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z"]
        );
        assert_eq!(
            firings(&nightly, "2026-10-23T12:00:00Z", "2026-10-26T12:00:00Z"),
            ["2026-10-24T01:00:00Z", "2026-10-25T02:00:00Z", "2026-10-26T02:00:00Z"]
        );
    }

    #[test]
    fn a_time_that_the_change_skips_fires_right_after_the_gap() {
        // 2026-03-29 in Berlin: 02:00 becomes 03:00, which is 01:00 UTC
        let nightly = times("30 2 * * *", chrono_tz::Europe::Berlin);
        assert_eq!(firings(&nightly, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"), ["2026-03-29T01:00:00Z"]);
    }

    #[test]
    fn a_time_that_the_change_repeats_fires_once() {
        // 2026-10-25 in Berlin: 02:30 is both 00:30 and 01:30 UTC
        let nightly = times("30 2 * * *", chrono_tz::Europe::Berlin);
        assert_eq!(firings(&nightly, "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z"), ["2026-10-25T00:30:00Z"]);
    }

    #[test]
    fn what_is_hourly_stays_hourly_over_the_changes() {
        let hourly = times("0 * * * *", chrono_tz::America::New_York);
        for (from, to) in
            [("2026-03-08T04:30:00Z", "2026-03-08T09:30:00Z"), ("2026-11-01T03:30:00Z", "2026-11-01T08:30:00Z")]
        {
            assert_eq!(firings(&hourly, from, to).len(), 5, "{from}");
        }
    }

    #[test]
    fn after_a_downtime_only_the_last_missed_time_is_left() {
        let quarterly = times("*/15 * * * *", chrono_tz::UTC);
        assert_eq!(quarterly.last(utc("2026-05-01T10:59:59Z")), Some(utc("2026-05-01T10:45:00Z")));
        assert_eq!(quarterly.last(utc("2026-05-01T11:00:00Z")), Some(utc("2026-05-01T11:00:00Z")));
        assert_eq!(quarterly.next(utc("2026-05-01T11:00:00Z")), Some(utc("2026-05-01T11:15:00Z")));
    }

    #[test]
    fn looking_back_and_looking_ahead_agree_through_a_year_of_changes() {
        for zone in [chrono_tz::Europe::Berlin, chrono_tz::America::New_York, chrono_tz::Australia::Lord_Howe] {
            for cron in ["30 2 * * *", "0 2 * * *", "15 1 * * *", "0 */2 * * *", "0 3 * * 0"] {
                let times = times(cron, zone);
                let mut now = utc("2026-01-01T00:00:00Z");
                while let Some(next) = times.next(now).filter(|next| *next < utc("2027-01-01T00:00:00Z")) {
                    assert_eq!(times.last(next), Some(next), "{zone} {cron}");
                    assert!(times.last(next - Duration::from_secs(1)) < Some(next), "{zone} {cron} {next}");
                    now = next;
                }
            }
        }
    }
}
