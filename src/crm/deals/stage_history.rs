//! How long deals stood on which stages: from their creation and the changes of their stage.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    Deal,
    queries::{self, StageChange},
};
use crate::{
    auth::Caller,
    base::{
        Result,
        ids::{DealId, StageId},
    },
    crm::record::{Record, Sight},
    ctx::Ctx,
};

/// So many changes of a deal's stage are looked at; of a deal with more, the last ones.
const MOST: usize = 500;

/// A time that a deal stood on a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageTime {
    /// It may be gone by now.
    pub stage: StageId,
    pub entered_at: DateTime<Utc>,
    /// `None` where it stands there still.
    pub left_at: Option<DateTime<Utc>>,
    /// Until it left, or until now.
    pub seconds: i64,
}

/// The stages of each of these deals, the first one first. Two statements for all.
pub async fn of_deals(ctx: &Ctx, caller: &Caller, ids: &[DealId]) -> Result<HashMap<DealId, Vec<StageTime>>> {
    let sight = Sight::of::<Deal>(caller)?;
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let mut tx = ctx.db.read(caller).await?;
    let mut deals = Deal::rows_by_ids(tx.connection(), caller.workspace, &ids).await?;
    deals.retain(|deal| sight.reaches(deal.owner_id));
    let seen: Vec<_> = deals.iter().map(|deal| deal.id.0).collect();
    let most = MOST as i64 + 1;
    let mut changes: HashMap<Uuid, Vec<StageChange>> = HashMap::new();
    for change in queries::stage_changes(tx.connection(), caller.workspace, &seen, most).await? {
        changes.entry(change.deal).or_default().push(change);
    }
    let now = ctx.clock.now();
    let times = deals.iter().map(|deal| (deal.id, times(deal, changes.remove(&deal.id.0).unwrap_or_default(), now)));
    Ok(times.collect())
}

/// From the changes of one deal, the newest first.
fn times(deal: &Deal, mut changes: Vec<StageChange>, now: DateTime<Utc>) -> Vec<StageTime> {
    changes.reverse();
    let id = |text: Option<&String>| text.and_then(|text| text.parse::<StageId>().ok());
    let mut entries: Vec<(StageId, DateTime<Utc>)> = Vec::with_capacity(changes.len() + 1);
    if changes.len() <= MOST {
        let first = changes.first().map_or(Some(deal.stage_id), |change| id(change.before.as_ref()));
        entries.extend(first.map(|stage| (stage, deal.created_at)));
    }
    entries.extend(changes.iter().filter_map(|change| Some((id(change.after.as_ref())?, change.at))));
    let left = entries.iter().skip(1).map(|(_, at)| Some(*at)).chain([None]);
    let time = |((stage, entered_at), left_at): (&(StageId, DateTime<Utc>), Option<DateTime<Utc>>)| {
        let seconds = (left_at.unwrap_or(now) - *entered_at).num_seconds().max(0);
        StageTime { stage: *stage, entered_at: *entered_at, left_at, seconds }
    };
    entries.iter().zip(left).map(time).collect()
}
