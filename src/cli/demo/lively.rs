//! The demo goes on by itself for a while: every few seconds a colleague does something by the ordinary
//! operations, so that one sees live what follows: lists gain and lose members, deals move, timelines
//! grow. Always with the same few dozen records, so that the data stay as large as they were.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::input;
use crate::{
    auth::Caller,
    base::{
        Error, Result,
        ids::{UserId, WorkspaceId},
    },
    config::Config,
    crm::{
        Contact, Deal,
        pipelines::{self, StageType},
        record::{Record, ops},
    },
    ctx::Ctx,
    jobs::{Job, JobError, Registry, Run},
    team::{access, installation},
};

const EVERY_TEN_SECONDS: &str = "*/10 * * * * *";
const SECONDS: i64 = 10;
/// Of `account.city` and the like: every second one is in the list of people in Hamburg.
const TOWNS: [&str; 2] = ["Hamburg", "Lübeck"];
const TAG: &str = "newsletter";
/// On either side of the limit in the list of open deals over 50,000.
const AMOUNTS: [&str; 2] = ["18400.00", "74200.00"];
const LARGE: u32 = 50_000;
/// Longest time that somebody counts as spoken to, in the list of those who were not.
const SPOKEN_TO: TimeDelta = TimeDelta::days(30);

/// Who plays, and with what; kept with the note that the demo is complete. That of an earlier version has
/// none, and that demo stays still.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cast {
    pub workspace: WorkspaceId,
    pub colleague: UserId,
    pub contacts: Vec<Uuid>,
    /// Contacts that are deleted and restored.
    pub visitors: Vec<Uuid>,
    pub deals: Vec<Uuid>,
}

/// Does the next thing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Play {
    /// From then on nothing happens.
    until: DateTime<Utc>,
}

impl Job<Ctx> for Play {
    const NAME: &'static str = "demo.play";
    const PRIORITY: i16 = 90;
    const MAX_ATTEMPTS: i32 = 1;

    async fn run(self, ctx: Ctx, run: Run) -> Result<(), JobError> {
        let now = ctx.clock.now();
        if now >= self.until {
            return Ok(());
        }
        let Some(cast) = installation::demo(&ctx).await? else { return Ok(()) };
        let Ok(cast) = serde_json::from_value::<Cast>(cast) else { return Ok(()) };
        match play(&ctx, &run, &cast, now.timestamp() / SECONDS).await {
            // somebody has deleted or changed what we play with: then the next thing will do
            Err(error @ (Error::NotFound(_) | Error::Conflict(_) | Error::Invalid(_) | Error::Forbidden(_))) => {
                tracing::debug!(%error, "the demo could not go on with this record");
                Ok(())
            }
            played => Ok(played?),
        }
    }
}

/// Adds the job, which others may have left waiting; it is enqueued where this server is to be lively.
pub fn added(registry: Registry<Ctx>, config: &Config, ctx: &Ctx) -> Registry<Ctx> {
    let registry = registry.register::<Play>();
    if !config.demo || config.demo_hours == 0 {
        return registry;
    }
    let until = ctx.clock.now() + TimeDelta::hours(i64::from(config.demo_hours));
    registry.schedule("demo.play", EVERY_TEN_SECONDS, chrono_tz::UTC, move || Play { until })
}

/// What is done at a turn, to whom it comes round.
async fn play(ctx: &Ctx, run: &Run, cast: &Cast, turn: i64) -> Result<()> {
    let caller = access::caller_of_job::<String>(ctx, cast.workspace, cast.colleague, run.job, None).await?;
    let caller = &caller;
    let turn = usize::try_from(turn).unwrap_or_default();
    let (scene, round) = (turn % 6, turn / 6);
    match scene {
        0 => flip_town(ctx, caller, whose(&cast.contacts, round)?).await,
        1 => come_or_go(ctx, caller, whose(&cast.visitors, round)?).await,
        2 => move_on(ctx, caller, whose(&cast.deals, round)?).await,
        3 => flip_tag(ctx, caller, whose(&cast.contacts, round + 5)?).await,
        4 => speak(ctx, caller, whose(&cast.contacts, round + 11)?).await,
        _ => haggle(ctx, caller, whose(&cast.deals, round + 3)?).await,
    }
}

fn whose(records: &[Uuid], round: usize) -> Result<Uuid> {
    records.get(round % records.len().max(1)).copied().ok_or(Error::NotFound("Record"))
}

/// Somebody moves to the other town.
async fn flip_town(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<()> {
    let contact = ops::get::<Contact>(ctx, caller, id).await?;
    let other = TOWNS.iter().find(|town| contact.city.as_deref() != Some(**town));
    update::<Contact>(ctx, caller, id, json!({ "city": other })).await
}

/// Somebody orders the newsletter, or has enough of it.
async fn flip_tag(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<()> {
    let contact = ops::get::<Contact>(ctx, caller, id).await?;
    let mut tags = contact.tags;
    match tags.iter().position(|tag| tag == TAG) {
        Some(place) => drop(tags.remove(place)),
        None => tags.push(TAG.to_owned()),
    }
    update::<Contact>(ctx, caller, id, json!({ "tags": tags })).await
}

/// Somebody is called; who was called lately turns out to have been somebody else.
async fn speak(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<()> {
    let (contact, now) = (ops::get::<Contact>(ctx, caller, id).await?, ctx.clock.now());
    let lately = contact.last_contact_date.is_some_and(|at| at > now - SPOKEN_TO);
    update::<Contact>(ctx, caller, id, json!({ "lastContactDate": (!lately).then_some(now) })).await
}

/// A visitor goes, or is there again.
async fn come_or_go(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<()> {
    let is_there = !ops::by_ids::<Contact>(ctx, caller, &[id]).await?.is_empty();
    match is_there {
        true => ops::delete::<Contact>(ctx, caller, id, None).await?,
        false => ops::restore::<Contact>(ctx, caller, id).await?,
    };
    Ok(())
}

/// A deal goes to the next stage up to the one where it is won, and after that begins anew.
async fn move_on(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<()> {
    let deal = ops::get::<Deal>(ctx, caller, id).await?;
    let stages = pipelines::stages(ctx, caller).await?;
    let way: Vec<_> = stages
        .iter()
        .filter(|stage| stage.pipeline_id == deal.pipeline_id && stage.stage_type != StageType::Lost)
        .collect();
    let here = way.iter().position(|stage| stage.id == deal.stage_id);
    let Some(next) = way.get(here.map_or(0, |place| (place + 1) % way.len())) else { return Ok(()) };
    let mut patch = json!({ "stageId": next.id });
    if next.stage_type == StageType::Open {
        patch["closeDate"] = Value::Null;
    }
    update::<Deal>(ctx, caller, id, patch).await
}

/// The other side wants much more, or much less.
async fn haggle(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<()> {
    let deal = ops::get::<Deal>(ctx, caller, id).await?;
    let amount = if deal.amount > LARGE { AMOUNTS[0] } else { AMOUNTS[1] };
    update::<Deal>(ctx, caller, id, json!({ "amount": amount })).await
}

async fn update<R: Record>(ctx: &Ctx, caller: &Caller, id: Uuid, patch: Value) -> Result<()> {
    ops::update::<R>(ctx, caller, id, None, input::<R>(&patch)).await.map(drop)
}
