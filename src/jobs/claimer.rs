//! Which jobs this worker takes next. The database decides among lanes (see `queries::claim`);
//! here is remembered which lanes were looked at and served.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    lease::Hold,
    queries::claim::{self, Claimed, Lane, LaneAsk, OpenLane},
    shared::Shared,
};
use crate::{base::Result, db::locks};

/// Lanes of one kind that are looked at in one go. With more waiting, the next go continues where
/// this one ended, so that a claim costs the same however many wait.
const LANES: i32 = 200;

/// Before the first lane of a kind.
const START: (Uuid, i16) = (Uuid::nil(), i16::MIN);

#[derive(Default)]
pub(super) struct Claimer {
    /// Where the next look goes on, for kinds with more lanes than one look sees.
    resume: HashMap<String, (Uuid, i16)>,
    /// When each lane was last served, as a count of claims; only lanes in which more waits.
    served: HashMap<(String, Uuid), i64>,
    claims: i64,
}

impl Claimer {
    /// Claims up to `slots` jobs of these kinds; the holds count from before the database was asked.
    pub(super) async fn claim<C: Send + 'static>(
        &mut self,
        shared: &Shared<C>,
        mut kinds: Vec<&'static str>,
        slots: usize,
    ) -> Result<Vec<(Claimed, Arc<Hold>)>> {
        let mut claimed = Vec::new();
        while claimed.len() < slots && !kinds.is_empty() {
            claimed.extend(self.look(shared, &kinds, slots - claimed.len()).await?);
            kinds.retain(|kind| self.resume.contains_key(*kind));
        }
        Ok(claimed)
    }

    async fn look<C: Send + 'static>(
        &mut self,
        shared: &Shared<C>,
        kinds: &[&'static str],
        slots: usize,
    ) -> Result<Vec<(Claimed, Arc<Hold>)>> {
        let ask = |kind: &&'static str| LaneAsk { kind, after: self.resume.get(*kind).copied().unwrap_or(START) };
        let asks: Vec<_> = kinds.iter().map(ask).collect();
        let asked_at = Instant::now();
        let mut tx = shared.db.system().await?;
        let lanes = claim::lanes(tx.connection(), &asks, LANES).await?;
        self.remember(kinds, &lanes);
        let open: Vec<_> = lanes.into_iter().filter_map(|lane| self.open(shared, lane)).collect();
        if open.is_empty() {
            tx.commit().await?;
            return Ok(Vec::new());
        }
        // before the claim's snapshot is taken, or it would count running jobs wrongly
        locks::hold_in(&mut tx, locks::CLAIM).await?;
        let slots = i64::try_from(slots).unwrap_or(i64::MAX);
        let claimed = claim::claim(tx.connection(), &open, slots, &shared.config.node).await?;
        tx.commit().await?;
        self.note_served(kinds, &open, &claimed);
        Ok(claimed.into_iter().filter_map(|claimed| hold(shared, claimed, asked_at)).collect())
    }

    fn remember(&mut self, kinds: &[&'static str], lanes: &[Lane]) {
        for kind in kinds {
            let of_kind = lanes.iter().filter(|lane| lane.kind == *kind);
            match of_kind.clone().next_back() {
                Some(last) if of_kind.count() >= LANES as usize => {
                    self.resume.insert((*kind).to_owned(), (last.tenant, last.priority));
                }
                _ => {
                    self.resume.remove(*kind);
                }
            }
        }
    }

    fn open<C: Send + 'static>(&self, shared: &Shared<C>, lane: Lane) -> Option<OpenLane> {
        let kind = shared.registry.kind(&lane.kind)?;
        let served = self.served.get(&(lane.kind.clone(), lane.tenant)).copied().unwrap_or(0);
        let lease_seconds = shared.lease(kind).as_secs_f64();
        Some(OpenLane { lane, per_workspace: kind.per_workspace, lease_seconds, served })
    }

    fn note_served(&mut self, kinds: &[&'static str], open: &[OpenLane], claimed: &[Claimed]) {
        if claimed.is_empty() {
            return;
        }
        self.claims += 1;
        if self.resume.is_empty() {
            let waits =
                |kind: &str, tenant| open.iter().any(|open| open.lane.kind == kind && open.lane.tenant == tenant);
            self.served.retain(|(kind, tenant), _| !kinds.contains(&kind.as_str()) || waits(kind, *tenant));
        }
        for job in claimed {
            self.served.insert((job.kind.clone(), job.tenant), self.claims);
        }
    }
}

fn hold<C: Send + 'static>(shared: &Shared<C>, claimed: Claimed, asked_at: Instant) -> Option<(Claimed, Arc<Hold>)> {
    let kind = shared.registry.kind(&claimed.kind)?;
    let hold = Arc::new(Hold::new(claimed.id, claimed.attempt, asked_at, shared.lease(kind), kind.long));
    Some((claimed, hold))
}
