//! Making, changing, ordering and deleting the stages of a pipeline.

use std::collections::HashSet;

use serde_json::json;

use super::{
    Pipeline, Stage, StageType,
    events::{PipelineAction, StageAction, tell_in, tell_stage_in},
    found_in, held_in, hold_in,
    jobs::DeleteStage,
    queries::{self, moves},
    removal::{self, BATCH, require_open},
};
use crate::{
    auth::{Caller, Permission},
    base::{
        Error, FieldErrors, Result,
        ids::{JobId, PipelineId, StageId},
        text,
    },
    ctx::Ctx,
    db::Tx,
    jobs::{Enqueued, enqueue},
    team::repeat::{self, Turn},
};

/// A stage about to be made.
#[derive(Debug, Clone)]
pub struct NewStage {
    pub name: String,
    pub stage_type: StageType,
    /// Needed for an open one; won ones have 100 and lost ones 0 unless it says otherwise.
    pub probability: Option<i32>,
}

/// What is to be different; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct StagePatch {
    pub name: Option<String>,
    pub stage_type: Option<StageType>,
    pub probability: Option<i32>,
}

/// Makes a stage at a place, which counts from 1, or behind the others.
pub async fn create(
    ctx: &Ctx,
    caller: &Caller,
    pipeline: PipelineId,
    new: NewStage,
    position: Option<i32>,
) -> Result<(Pipeline, Stage)> {
    caller.require_all(Permission::PipelinesManage)?;
    let mut fields = FieldErrors::new();
    let stage = checked(&mut fields, "", pipeline, new);
    if position.is_some_and(|position| position < 1) {
        fields.add("position", "counts from 1");
    }
    fields.into_result()?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => return again(&mut tx, caller, id).await,
    };
    let (pipeline, _) = held_in(&mut tx, caller.workspace, pipeline).await?;
    let others = queries::stages_of(tx.connection(), caller.workspace, pipeline.id).await?;
    if others.len() >= ctx.limits.stages_per_pipeline {
        let most = ctx.limits.stages_per_pipeline;
        return Err(Error::conflict(format!(
            "The pipeline has {most} stages already (limits.stages_per_pipeline); delete one first"
        )));
    }
    require_free(&others, &stage)?;
    let mut order: Vec<_> = others.iter().map(|other| other.id).collect();
    let place = position.and_then(|position| usize::try_from(position - 1).ok()).unwrap_or(order.len());
    order.insert(place.min(order.len()), stage.id);
    queries::insert_stages(tx.connection(), caller.workspace, std::slice::from_ref(&stage)).await?;
    queries::order_stages(tx.connection(), caller.workspace, &order).await?;
    let stage = find(&mut tx, caller, stage.id).await?;
    let details = json!({ "name": stage.name, "pipeline": pipeline.id });
    tell_stage_in(ctx, &mut tx, caller, StageAction::Created, (pipeline.id, stage.id), details).await?;
    tx.commit(stage.id).await?;
    Ok((pipeline, stage))
}

/// Changes a stage. Its deals stay as they are: a new probability is for those that come.
pub async fn update(ctx: &Ctx, caller: &Caller, id: StageId, patch: StagePatch) -> Result<(Pipeline, Stage)> {
    caller.require_all(Permission::PipelinesManage)?;
    let mut fields = FieldErrors::new();
    let name = patch.name.as_deref().and_then(|name| text::required(&mut fields, "name", name));
    check_probability(&mut fields, "", patch.probability);
    fields.into_result()?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => return again(&mut tx, caller, id).await,
    };
    hold_in(&mut tx, caller.workspace).await?;
    let before = find(&mut tx, caller, id).await?;
    let (pipeline, _) = found_in(&mut tx, caller.workspace, before.pipeline_id).await?;
    let after = Stage {
        name: name.unwrap_or_else(|| before.name.clone()),
        stage_type: patch.stage_type.unwrap_or(before.stage_type),
        probability: patch.probability.unwrap_or(before.probability),
        ..before.clone()
    };
    if after == before {
        tx.commit(id).await?;
        return Ok((pipeline, before));
    }
    let mut all = queries::stages_of(tx.connection(), caller.workspace, pipeline.id).await?;
    require_free(&all, &after)?;
    all.retain(|other| other.id != id);
    all.push(after.clone());
    require_open(all)?;
    queries::update_stage(tx.connection(), caller.workspace, &after).await?;
    let details = json!({ "name": after.name, "type": after.stage_type, "probability": after.probability });
    tell_stage_in(ctx, &mut tx, caller, StageAction::Updated, (pipeline.id, id), details).await?;
    tx.commit(id).await?;
    Ok((pipeline, after))
}

/// Puts the stages of a pipeline into this order; those that are not named follow in their present
/// one.
pub async fn reorder(ctx: &Ctx, caller: &Caller, pipeline: PipelineId, ids: &[StageId]) -> Result<Pipeline> {
    caller.require_all(Permission::PipelinesManage)?;
    if ids.iter().collect::<HashSet<_>>().len() != ids.len() {
        return Err(Error::invalid("stageIds", "must name each stage once"));
    }
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => return found_in(&mut tx, caller.workspace, id).await.map(|(pipeline, _)| pipeline),
    };
    let (pipeline, _) = held_in(&mut tx, caller.workspace, pipeline).await?;
    let known = queries::stages_of(tx.connection(), caller.workspace, pipeline.id).await?;
    let present: Vec<_> = known.iter().map(|stage| stage.id).collect();
    if ids.iter().any(|id| !present.contains(id)) {
        return Err(Error::invalid("stageIds", "must be stages of the pipeline"));
    }
    let rest = present.iter().filter(|id| !ids.contains(id));
    let order: Vec<_> = ids.iter().chain(rest).copied().collect();
    if order != present {
        queries::order_stages(tx.connection(), caller.workspace, &order).await?;
        let details = json!({ "stages": order });
        tell_in(ctx, &mut tx, caller, PipelineAction::Updated, pipeline.id, details).await?;
    }
    tx.commit(pipeline.id).await?;
    Ok(pipeline)
}

/// Deletes a stage. Refused while deals stand on it, deleted ones too, unless another stage of the
/// pipeline is named for them. Where they are many, a job moves them and deletes the stage then.
pub async fn delete(
    ctx: &Ctx,
    caller: &Caller,
    id: StageId,
    move_to: Option<StageId>,
) -> Result<(Pipeline, Option<JobId>)> {
    caller.require_all(Permission::PipelinesManage)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again((pipeline, job), mut tx) => {
            return found_in(&mut tx, caller.workspace, pipeline).await.map(|(pipeline, _)| (pipeline, job));
        }
    };
    let removal = removal::begin_in(&mut tx, caller.workspace, id, move_to).await?;
    let (pipeline, _) = found_in(&mut tx, caller.workspace, removal.stage.pipeline_id).await?;
    if let Some(to) = &removal.move_to {
        if moves::standing(tx.connection(), caller.workspace, &[id], BATCH + 1).await? > BATCH {
            let scopes = caller.scopes().map(|scopes| scopes.into_iter().map(ToOwned::to_owned).collect());
            let job = DeleteStage { stage: id, move_to: to.id, scopes };
            let about =
                Enqueued { workspace: Some(caller.workspace), created_by: Some(caller.user), ..Enqueued::default() };
            let job = enqueue::<Ctx, _>(&mut tx, ctx.clock.now(), &job, about).await?;
            tx.commit((pipeline.id, job)).await?;
            return Ok((pipeline, job));
        }
        removal::move_in(ctx, &mut tx, caller, &removal.stage, to).await?;
    }
    if !removal::finish_in(ctx, &mut tx, caller, &removal).await? {
        return Err(Error::conflict(match removal.move_to {
            None => "Deals stand on this stage, which may be deleted ones; say with moveTo where they go",
            Some(_) => "Deals came to this stage meanwhile; try again",
        }));
    }
    tx.commit((pipeline.id, None::<JobId>)).await?;
    Ok((pipeline, None))
}

/// The stages of a new pipeline, in order; notes what is wrong with them.
pub(super) fn checked_all(fields: &mut FieldErrors, pipeline: PipelineId, new: Vec<NewStage>) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::with_capacity(new.len());
    for (index, (new, position)) in new.into_iter().zip(1..).enumerate() {
        let stage = Stage { position, ..checked(fields, &format!("stages[{index}]."), pipeline, new) };
        if require_free(&stages, &stage).is_err() {
            fields.add(format!("stages[{index}].name"), "is the name of another stage");
        }
        stages.push(stage);
    }
    stages
}

/// A stage without its place; notes what is wrong with it, under names that begin so.
fn checked(fields: &mut FieldErrors, prefix: &str, pipeline: PipelineId, new: NewStage) -> Stage {
    let name = match text::clean(&new.name, text::SHORT) {
        Ok(Some(name)) => name,
        Ok(None) => {
            fields.add(format!("{prefix}name"), "is needed");
            String::new()
        }
        Err(message) => {
            fields.add(format!("{prefix}name"), message);
            String::new()
        }
    };
    let probability = match (new.probability, new.stage_type) {
        (Some(probability), _) => probability,
        (None, StageType::Won) => 100,
        (None, StageType::Lost) => 0,
        (None, StageType::Open) => {
            fields.add(format!("{prefix}probability"), "is needed for an open stage");
            0
        }
    };
    check_probability(fields, prefix, Some(probability));
    Stage { id: StageId::new(), pipeline_id: pipeline, name, stage_type: new.stage_type, probability, position: 0 }
}

fn check_probability(fields: &mut FieldErrors, prefix: &str, probability: Option<i32>) {
    if probability.is_some_and(|probability| !(0..=100).contains(&probability)) {
        fields.add(format!("{prefix}probability"), "must be from 0 to 100");
    }
}

/// Names differ by more than upper and lower case, for deals find their stages by them so.
fn require_free(others: &[Stage], stage: &Stage) -> Result<()> {
    let name = stage.name.to_lowercase();
    match others.iter().any(|other| other.id != stage.id && other.name.to_lowercase() == name) {
        true => Err(Error::taken("name", "is already used by another stage of the pipeline", None)),
        false => Ok(()),
    }
}

async fn find(tx: &mut Tx, caller: &Caller, id: StageId) -> Result<Stage> {
    queries::stage(tx.connection(), caller.workspace, id).await?.ok_or(Error::NotFound("Stage"))
}

/// What the first request with the caller's key was about, as it is now.
async fn again(tx: &mut Tx, caller: &Caller, id: StageId) -> Result<(Pipeline, Stage)> {
    let stage = find(tx, caller, id).await?;
    let (pipeline, _) = found_in(tx, caller.workspace, stage.pipeline_id).await?;
    Ok((pipeline, stage))
}
