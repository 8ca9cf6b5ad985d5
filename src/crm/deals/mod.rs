//! Deals: sales that may come about. Each stands on a stage of a pipeline (see `pipelines`), which
//! tells whether it is open, won or lost, and how likely it is. What a deal is about are its line
//! items; how long it stood where, its history tells.

pub mod line_items;
mod model;
mod queries;
pub mod stage_history;
pub mod totals;

pub use model::{LineItem, StageTotal, total};

use std::sync::Arc;

use bigdecimal::BigDecimal;
use chrono::{DateTime, Utc};

use crate::{
    auth::{Caller, Permission},
    base::{
        Error, FieldErrors, Result,
        ids::{PipelineId, StageId},
    },
    crm::{
        accounts::AccountLink,
        contacts::{ContactLink, SOURCE_WORDS},
        pipelines::{self, Stage, StageType},
        record::{Patch, RecordKind, Rules, Value},
    },
    ctx::Ctx,
    db::Tx,
    record,
};

pub use crate::crm::contacts::ContactSource as LeadSource;

record! {
    /// A sale that may come about.
    pub struct Deal in deals as Deal with DealId {
        name: String = "name" "deal_name" Text,
        amount: BigDecimal = "amount" "amount" Decimal,
        currency: String = "currency" "currency" Currency,
        pipeline_id: PipelineId = "pipelineId" "pipeline_id" Pipeline,
        stage_id: StageId = "stageId" "stage" Stage,
        probability: i32 = "probability" "probability" Percent,
        expected_close_date: Option<DateTime<Utc>> = "expectedCloseDate" "expected_close_date" Instant,
        close_date: Option<DateTime<Utc>> = "closeDate" "close_date" Instant,
        account_id: AccountLink = "accountId" "account_id" Link(RecordKind::Account),
        contact_id: ContactLink = "contactId" "contact_id" Link(RecordKind::Contact),
        lead_source: Option<LeadSource> = "leadSource" "lead_source" OptionalChoice(SOURCE_WORDS),
        description: Option<String> = "description" "description" LongText,
        next_step: Option<String> = "nextStep" "next_step" Text,
        loss_reason: Option<String> = "lossReason" "loss_reason" Text,
    } and {
        stage_entered_at: DateTime<Utc>,
    }
}

impl Rules for Deal {
    /// The stages of the workspace.
    type Looked = Option<Arc<[Stage]>>;

    const READ: Permission = Permission::DealsRead;
    const WRITE: Permission = Permission::DealsWrite;
    const DELETE: Permission = Permission::DealsDelete;
    const NOUN: &'static str = "Deal";
    const PARTS: &'static [&'static str] = &[line_items::PART];

    fn display_name(&self) -> String {
        self.name.clone()
    }

    fn check_whole(&self, fields: &mut FieldErrors) {
        if self.name.is_empty() {
            fields.add("name", "is needed");
        }
    }

    fn complete(&mut self) {
        if self.currency.is_empty() {
            "USD".clone_into(&mut self.currency);
        }
    }

    /// Puts the deal on its stage: the one that is named, else the first open one of the pipeline that
    /// is named, else of the workspace's own. A new stage brings its probability, unless one is given
    /// with it; the last ones bring the day on which the deal was closed.
    async fn prepare(
        ctx: &Ctx,
        tx: &mut Tx,
        caller: &Caller,
        before: Option<&Self>,
        after: &mut Self,
        patch: &Patch,
        looked: &mut Self::Looked,
    ) -> Result<()> {
        let named = match patch.value("stage_id") {
            Some(Value::Null) if before.is_some() => return Err(Error::invalid("stageId", "is needed")),
            named => named,
        };
        let pipeline = patch.value("pipeline_id").and_then(|value| match value {
            Value::Id(id) => Some(PipelineId(*id)),
            _ => None,
        });
        let present = before.map(|deal| deal.pipeline_id);
        // what is cleared is again as likely as its stage says
        let is_given = patch.value("probability").is_some_and(|value| !value.is_null());
        let is_cleared = patch.sets("probability") && !is_given;
        if named.is_none() && before.is_some() && (pipeline.is_none() || pipeline == present) {
            let kept = before.map(|deal| (deal.pipeline_id, deal.stage_id));
            (after.pipeline_id, after.stage_id) = kept.unwrap_or((after.pipeline_id, after.stage_id));
            if is_cleared {
                let stages = stages_in(tx, caller, looked).await?;
                let stage = stages.iter().find(|stage| stage.id == after.stage_id);
                after.probability = stage.map_or(after.probability, |stage| stage.probability);
            }
            return Ok(());
        }
        let stages = stages_in(tx, caller, looked).await?;
        let stage = match named {
            Some(Value::Id(id)) => stages.iter().find(|stage| stage.id.0 == *id),
            Some(Value::Text(name)) => {
                let of = pipeline.or(present).or_else(|| pipelines::default_of(&stages));
                stages.iter().find(|stage| Some(stage.pipeline_id) == of && stage.name.eq_ignore_ascii_case(name))
            }
            _ => {
                let of = pipeline.or_else(|| pipelines::default_of(&stages));
                stages.iter().find(|stage| Some(stage.pipeline_id) == of && stage.stage_type == StageType::Open)
            }
        };
        let Some(stage) = stage else {
            let field = if named.is_some() { "stageId" } else { "pipelineId" };
            return Err(Error::invalid(field, "is none of this workspace, or not of the deal's pipeline"));
        };
        if pipeline.is_some_and(|pipeline| pipeline != stage.pipeline_id) {
            return Err(Error::invalid("stageId", "is a stage of another pipeline"));
        }
        (after.pipeline_id, after.stage_id) = (stage.pipeline_id, stage.id);
        if is_cleared {
            after.probability = stage.probability;
        }
        if before.is_some_and(|deal| deal.stage_id == stage.id) {
            return Ok(());
        }
        let now = ctx.clock.now();
        after.stage_entered_at = now;
        if !is_given {
            after.probability = stage.probability;
        }
        if !patch.sets("close_date") {
            let was_closed = before.is_some_and(|deal| {
                stages.iter().any(|stage| stage.id == deal.stage_id && stage.stage_type != StageType::Open)
            });
            match stage.stage_type {
                StageType::Open if was_closed => after.close_date = None,
                StageType::Open => {}
                StageType::Won | StageType::Lost => after.close_date = after.close_date.or(Some(now)),
            }
        }
        Ok(())
    }
}

/// The stages of the workspace, looked up once.
async fn stages_in(tx: &mut Tx, caller: &Caller, looked: &mut Option<Arc<[Stage]>>) -> Result<Arc<[Stage]>> {
    if let Some(stages) = looked {
        return Ok(stages.clone());
    }
    let stages: Arc<[Stage]> = pipelines::stages_in(tx, caller.workspace).await?.into();
    *looked = Some(stages.clone());
    Ok(stages)
}
