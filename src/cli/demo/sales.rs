//! How the demo's deals came to where they stand: line items, and one stage after the other, each on its
//! day. And what became of some leads.

use std::collections::HashMap;

use bigdecimal::BigDecimal;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    AT_ONCE, input,
    past::ago,
    records::{DEALS, deal, pick, spread},
};
use crate::{
    auth::Caller,
    base::{
        Error, Result,
        ids::{DealId, LeadId, PipelineId, ProductId, UserId},
    },
    crm::{
        Deal,
        deals::line_items::{self, ItemChanges, ItemInput},
        leads::convert::{self, AccountChoice, NewDeal, Options},
        pipelines::{
            self, Stage, StageType,
            ops::{self as pipeline_ops, NewPipeline},
            stages::NewStage,
        },
        record::ops,
    },
    ctx::Ctx,
};

/// Of the pipeline that the demo adds.
const SUPPLY: &str = "Yearly supply";
const SUPPLY_STAGES: &[(&str, StageType, Option<i32>)] = &[
    ("Asked", StageType::Open, Some(10)),
    ("Sample sent", StageType::Open, Some(30)),
    ("Trial order", StageType::Open, Some(60)),
    ("Price agreed", StageType::Open, Some(80)),
    ("Signed", StageType::Won, None),
    ("Gone elsewhere", StageType::Lost, None),
];
const LOSSES: &[&str] = &["Price", "Another house was quicker", "No budget this year", "Quality of the sample"];
/// Deals that are read at once.
const PAGE: usize = 500;

/// Makes the pipeline that is not there.
pub async fn make_pipeline(ctx: &Ctx, caller: &Caller) -> Result<()> {
    if pipelines::list(ctx, caller).await?.iter().any(|pipeline| pipeline.name == SUPPLY) {
        return Ok(());
    }
    let stage = |(name, stage_type, probability): &(&str, StageType, Option<i32>)| NewStage {
        name: (*name).to_owned(),
        stage_type: *stage_type,
        probability: *probability,
    };
    let new = NewPipeline { name: SUPPLY.to_owned(), stages: SUPPLY_STAGES.iter().map(stage).collect() };
    pipeline_ops::create(ctx, caller, new).await.map(drop)
}

/// The workspace's stages by their pipelines, the default one first.
pub struct Pipelines(Vec<Vec<Stage>>);

impl Pipelines {
    pub async fn read(ctx: &Ctx, caller: &Caller) -> Result<Self> {
        let stages = pipelines::stages(ctx, caller).await?;
        Ok(Self(stages.chunk_by(|one, other| one.pipeline_id == other.pipeline_id).map(<[_]>::to_vec).collect()))
    }

    /// The stages of a deal's pipeline: every fourth one goes the second way.
    fn of(&self, number: usize) -> Result<&[Stage]> {
        let place = usize::from(pick(number, 40, 4) == 0 && self.0.len() > 1);
        self.0.get(place).map(Vec::as_slice).ok_or_else(|| Error::internal("a workspace without pipelines"))
    }

    fn pipeline(&self, number: usize) -> Result<PipelineId> {
        pipelines::default_of(self.of(number)?).ok_or_else(|| Error::internal("a pipeline without stages"))
    }

    /// The stages that a deal stood on, up to the one where it stands. Few go through all of them.
    fn way(&self, number: usize) -> Result<Vec<&Stage>> {
        let stages = self.of(number)?;
        let goal = &stages[pick(number, 26, stages.len())];
        let before: Vec<_> = stages.iter().take_while(|stage| stage.id != goal.id).collect();
        let passed = before.iter().enumerate().filter(|(place, stage)| {
            stage.stage_type == StageType::Open && (*place == 0 || pick(number, 70 + place, 3) == 0)
        });
        Ok(passed.map(|(_, stage)| *stage).chain([goal]).collect())
    }
}

/// How long ago a deal began.
pub fn age(number: usize) -> TimeDelta {
    spread(number, DEALS, 200)
}

/// A deal as it began.
pub fn begun(
    number: usize,
    owners: &[UserId],
    of: (Uuid, Uuid),
    pipelines: &Pipelines,
    now: DateTime<Utc>,
) -> Result<Value> {
    let mut deal = deal(number, owners, of, now);
    deal["pipelineId"] = json!(pipelines.pipeline(number)?);
    Ok(deal)
}

/// Gives the deals their line items, and moves each on from where it stands, a few deals at a time.
pub async fn carry_on(
    ctx: &Ctx,
    caller: &Caller,
    pipelines: &Pipelines,
    deals: &[Uuid],
    products: &[Uuid],
) -> Result<()> {
    let mut present = HashMap::new();
    for some in deals.chunks(PAGE) {
        present.extend(ops::by_ids::<Deal>(ctx, caller, some).await?.into_iter().map(|deal| (deal.id.0, deal)));
    }
    let ids: Vec<_> = deals.iter().copied().map(DealId).collect();
    let items = &line_items::of_deals(ctx, caller, &ids).await?;
    let known = deals.iter().enumerate().filter_map(|(number, id)| Some((number, present.get(id)?)));
    stream::iter(known)
        .map(|(number, deal)| async move {
            if items.get(&deal.id).is_none_or(Vec::is_empty) && pick(number, 62, 4) > 0 {
                let at = ago(ctx, age(number) * 19 / 20);
                line_items::change(&at, caller, deal.id, None, wares(number, products)).await?;
            }
            move_on(ctx, caller, pipelines, number, deal).await
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// One to three products, which the amount comes of.
fn wares(number: usize, products: &[Uuid]) -> ItemChanges {
    let first = pick(number, 63, products.len());
    let item = |place: usize| ItemInput {
        product: products.get((first + 7 * place) % products.len().max(1)).map(|id| Some(ProductId(*id))),
        quantity: Some(BigDecimal::from(10 + pick(number, 64 + place, 150) as u64)),
        discount_percent: (place == 1).then(|| BigDecimal::from(5)),
        ..ItemInput::default()
    };
    let add = (0..=pick(number, 67, 3)).map(item).collect();
    ItemChanges { add, set_amount: true, ..ItemChanges::default() }
}

async fn move_on(ctx: &Ctx, caller: &Caller, pipelines: &Pipelines, number: usize, deal: &Deal) -> Result<()> {
    let way = pipelines.way(number)?;
    let Some(here) = way.iter().position(|stage| stage.id == deal.stage_id) else { return Ok(()) };
    let steps = i32::try_from(way.len()).unwrap_or(1);
    for (step, stage) in (0..).zip(&way).skip(here + 1) {
        let mut patch = json!({ "stageId": stage.id });
        if stage.stage_type != StageType::Open {
            patch["nextStep"] = Value::Null;
        }
        if stage.stage_type == StageType::Lost {
            patch["lossReason"] = json!(LOSSES[pick(number, 32, LOSSES.len())]);
        }
        let at = ago(ctx, age(number) * (steps - step) / (steps + 1));
        ops::update::<Deal>(&at, caller, deal.id.0, None, input::<Deal>(&patch)).await?;
    }
    Ok(())
}

/// Converts some leads: all to a contact and an account, half of them to a deal as well.
pub async fn convert(ctx: &Ctx, caller: &Caller, leads: &[Uuid], ages: impl Fn(usize) -> TimeDelta) -> Result<()> {
    // not those who want nothing of us, see `records::lead`
    let chosen: Vec<_> = (0..leads.len()).filter(|number| number % 8 == 7 && pick(*number, 21, 5) != 4).collect();
    let ids: Vec<_> = chosen.iter().map(|number| LeadId(leads[*number])).collect();
    let done = convert::of_leads(ctx, caller, &ids).await?;
    for (number, lead) in chosen.into_iter().zip(ids).filter(|(_, lead)| !done.contains_key(lead)) {
        let deal = (pick(number, 68, 2) == 0).then(|| NewDeal {
            amount: Some(format!("{}00.00", 20 + pick(number, 69, 400))),
            currency: Some("EUR".to_owned()),
            ..NewDeal::default()
        });
        let options = Options { account: Some(AccountChoice::Named(None)), deal, owner: None };
        let at = ago(ctx, ages(number) / 3);
        Box::pin(convert::convert(&at, caller, lead, options)).await?;
    }
    Ok(())
}

/// Some of the newest deals that stand open.
pub async fn last_open(ctx: &Ctx, caller: &Caller, deals: &[Uuid], most: usize) -> Result<Vec<Uuid>> {
    let last = deals.get(deals.len().saturating_sub(PAGE / 2)..).unwrap_or(deals);
    let open: Vec<_> = pipelines::stages(ctx, caller)
        .await?
        .into_iter()
        .filter(|stage| stage.stage_type == StageType::Open)
        .map(|stage| stage.id)
        .collect();
    let found = ops::by_ids::<Deal>(ctx, caller, last).await?;
    let found = found.into_iter().filter(|deal| open.contains(&deal.stage_id) && deal.contact_id.is_some());
    Ok(found.map(|deal| deal.id.0).take(most).collect())
}
