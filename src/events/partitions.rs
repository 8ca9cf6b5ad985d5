//! The log's partitions, one per day of `logged_at` in UTC: made before they are needed, dropped
//! whole when they are old. Rows are never deleted one by one.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use diesel_async::AsyncPgConnection;

use super::queries;
use crate::{base::Result, db::Db};

/// Every event can be replayed for this long.
const KEEP_DAYS: u64 = 7;
/// A reactor that stands still keeps the log from shrinking for this long, and no longer.
const KEEP_DAYS_FOR_REACTORS: u64 = 30;

/// Knows which days have their partition, so that the relay's loop asks the database once a day.
#[derive(Default)]
pub struct Partitions {
    ready_through: Option<NaiveDate>,
}

impl Partitions {
    /// Makes the partitions of this day and the next where they are missing.
    pub async fn ensure(&mut self, connection: &mut AsyncPgConnection, now: DateTime<Utc>) -> Result<()> {
        let today = now.date_naive();
        let tomorrow = today + Days::new(1);
        if self.ready_through.is_some_and(|day| day >= tomorrow) {
            return Ok(());
        }
        queries::ensure_partition(connection, today).await?;
        queries::ensure_partition(connection, tomorrow).await?;
        self.ready_through = Some(tomorrow);
        Ok(())
    }
}

/// Drops the partitions whose last event is older than seven days, as far as every reactor has
/// passed them; those older than thirty days in any case. Returns the days that were dropped.
pub async fn drop_old(db: &Db, now: DateTime<Utc>) -> Result<Vec<NaiveDate>> {
    let mut dropped = Vec::new();
    while let Some(day) = drop_oldest(db, now).await? {
        tracing::info!(%day, "dropped a day of the event log");
        dropped.push(day);
    }
    Ok(dropped)
}

/// One per transaction: a drop that has to wait for a reader takes back no other.
async fn drop_oldest(db: &Db, now: DateTime<Utc>) -> Result<Option<NaiveDate>> {
    let mut tx = db.system().await?;
    let connection = tx.connection();
    let Some(&day) = queries::partition_days(connection).await?.first() else { return Ok(None) };
    let end = (day + Days::new(1)).and_time(NaiveTime::MIN).and_utc();
    if end + Days::new(KEEP_DAYS) > now {
        return Ok(None);
    }
    let last = queries::last_position_before(connection, end).await?;
    let slowest = queries::slowest_reactor(connection).await?;
    let passed = last.zip(slowest).is_none_or(|(last, slowest)| slowest >= last);
    if !passed && end + Days::new(KEEP_DAYS_FOR_REACTORS) > now {
        return Ok(None);
    }
    queries::drop_partition(connection, day, last).await?;
    tx.commit().await?;
    Ok(Some(day))
}
