//! Pipelines and their stages as the API shows them.

use async_graphql::{ComplexObject, Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::scalars::Decimal;
use crate::{
    base::{Error, ids::StageId},
    crm::{
        deals::{StageTotal, stage_history::StageTime},
        pipelines::{Pipeline, Stage, StageType},
    },
    graphql::{
        errors::{Nullable, nullable},
        loaders::{Loaders, TotalsOf},
    },
};

#[derive(Clone)]
pub struct PipelineObject(pub Pipeline);

/// A way that deals go.
#[Object(name = "Pipeline")]
impl PipelineObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// Unique in the workspace.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether deals go here that name no pipeline. One is, of all.
    async fn is_default(&self) -> bool {
        self.0.is_default
    }

    /// Its place among the pipelines, from 1.
    async fn position(&self) -> i32 {
        self.0.position
    }

    /// In order; at least one is open.
    async fn stages(&self, context: &Context<'_>) -> async_graphql::Result<Vec<StageObject>> {
        let stages = context.data::<Loaders>()?.stages.load_one(self.0.id).await?;
        Ok(stages.unwrap_or_default().into_iter().map(StageObject).collect())
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}

#[derive(Clone)]
pub struct StageObject(pub Stage);

/// A step of a pipeline.
#[Object(name = "PipelineStage")]
impl StageObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The pipeline that it is a step of.
    async fn pipeline_id(&self) -> ID {
        self.0.pipeline_id.into()
    }

    /// Unique within its pipeline.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it means that a deal stands here.
    #[graphql(name = "type")]
    async fn stage_type(&self) -> StageType {
        self.0.stage_type
    }

    /// In percent, of deals that come here without one of their own.
    async fn probability(&self) -> i32 {
        self.0.probability
    }

    /// Its place in the pipeline, from 1.
    async fn position(&self) -> i32 {
        self.0.position
    }

    /// How many deals stand here.
    async fn deal_count(&self, context: &Context<'_>) -> Nullable<i64> {
        let count = |totals: Vec<StageTotal>| totals.iter().map(|total| total.deals).sum();
        nullable(async { Ok(totals(context, self.0.id).await?.map(count)) }).await
    }

    /// What the deals that stand here come to, by currency; those of different currencies are not
    /// added up.
    async fn amounts(&self, context: &Context<'_>) -> Nullable<Vec<StageAmount>> {
        let amounts = |totals: Vec<StageTotal>| totals.into_iter().map(StageAmount::from).collect();
        nullable(async { Ok(totals(context, self.0.id).await?.map(amounts)) }).await
    }
}

async fn totals(context: &Context<'_>, stage: StageId) -> async_graphql::Result<Option<Vec<StageTotal>>> {
    Ok(context.data::<Loaders>()?.stage_totals.load_one(TotalsOf(stage)).await?)
}

/// The deals on a stage that are in one currency.
#[derive(SimpleObject)]
#[graphql(name = "StageAmount")]
pub struct StageAmount {
    /// Its three letters.
    currency: String,
    /// The sum of the deals' amounts.
    amount: Decimal,
    deal_count: i64,
}

impl From<StageTotal> for StageAmount {
    fn from(total: StageTotal) -> Self {
        Self { currency: total.currency, amount: Decimal(total.amount.normalized()), deal_count: total.deals }
    }
}

/// A time that a deal stood on a stage.
#[derive(SimpleObject)]
#[graphql(name = "DealStageTime", complex)]
pub struct StageTimeObject {
    stage_id: ID,
    entered_at: DateTime<Utc>,
    /// Null where it stands there still.
    left_at: Option<DateTime<Utc>>,
    /// Until it left, or until now.
    seconds_in_stage: i64,
    #[graphql(skip)]
    of: StageId,
}

#[ComplexObject]
impl StageTimeObject {
    /// The stage as it is now; null where it was deleted.
    async fn stage(&self, context: &Context<'_>) -> Nullable<StageObject> {
        let stage = async { Ok(context.data::<Loaders>()?.stages.load_one(self.of).await?.map(StageObject)) };
        nullable(stage).await
    }
}

impl From<StageTime> for StageTimeObject {
    fn from(time: StageTime) -> Self {
        Self {
            stage_id: time.stage.into(),
            entered_at: time.entered_at,
            left_at: time.left_at,
            seconds_in_stage: time.seconds,
            of: time.stage,
        }
    }
}

/// The stage of this id, which a deal has.
pub async fn stage(context: &Context<'_>, id: StageId) -> async_graphql::Result<StageObject> {
    let found = context.data::<Loaders>()?.stages.load_one(id).await?;
    Ok(found.map(StageObject).ok_or_else(|| Error::internal("a deal without its stage"))?)
}
