//! Making, changing and deleting pipelines. (Their stages: `stages`.)

use serde_json::json;

use super::{
    Pipeline,
    events::{PipelineAction, tell_in},
    found_in, held_in, hold_in,
    queries::{self, moves},
    removal,
    stages::{NewStage, checked_all},
};
use crate::{
    auth::{Caller, Permission},
    base::{Error, FieldErrors, Result, ids::PipelineId, text},
    ctx::Ctx,
    db::Tx,
    team::repeat::{self, Turn},
};

/// A pipeline about to be made.
#[derive(Debug, Clone)]
pub struct NewPipeline {
    pub name: String,
    /// In order.
    pub stages: Vec<NewStage>,
}

/// What is to be different; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct PipelinePatch {
    pub name: Option<String>,
    /// `true` makes it the default.
    pub is_default: Option<bool>,
    /// Its place, from 1.
    pub position: Option<i32>,
}

/// Makes a pipeline with its stages, behind the others.
pub async fn create(ctx: &Ctx, caller: &Caller, new: NewPipeline) -> Result<Pipeline> {
    caller.require_all(Permission::PipelinesManage)?;
    let id = PipelineId::new();
    let mut fields = FieldErrors::new();
    let name = text::required(&mut fields, "name", &new.name);
    if new.stages.len() > ctx.limits.stages_per_pipeline {
        fields
            .add("stages", format!("must be at most {} (limits.stages_per_pipeline)", ctx.limits.stages_per_pipeline));
    }
    let stages = checked_all(&mut fields, id, new.stages);
    if fields.is_empty() && removal::require_open(stages.iter().cloned()).is_err() {
        fields.add("stages", "need at least one that is open");
    }
    let (Some(name), true) = (name, fields.is_empty()) else { return Err(Error::Invalid(fields)) };
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => return again(&mut tx, caller, id).await,
    };
    hold_in(&mut tx, caller.workspace).await?;
    let others = queries::pipelines(tx.connection(), caller.workspace).await?;
    if others.len() >= ctx.limits.pipelines {
        let most = ctx.limits.pipelines;
        return Err(Error::conflict(format!(
            "There are {most} pipelines already (limits.pipelines); delete one first"
        )));
    }
    require_free(&others, id, &name)?;
    let now = ctx.clock.now();
    let position = others.iter().map(|other| other.position).max().unwrap_or_default().saturating_add(1);
    let pipeline = Pipeline { id, name, is_default: false, position, created_at: now, updated_at: now };
    queries::insert(tx.connection(), caller.workspace, &pipeline).await?;
    queries::insert_stages(tx.connection(), caller.workspace, &stages).await?;
    let names: Vec<_> = stages.iter().map(|stage| &stage.name).collect();
    let details = json!({ "name": pipeline.name, "stages": names });
    tell_in(ctx, &mut tx, caller, PipelineAction::Created, id, details).await?;
    tx.commit(id).await?;
    Ok(pipeline)
}

/// Changes a pipeline's name or place, or makes it the default. What changes nothing writes nothing.
pub async fn update(ctx: &Ctx, caller: &Caller, id: PipelineId, patch: PipelinePatch) -> Result<Pipeline> {
    caller.require_all(Permission::PipelinesManage)?;
    let mut fields = FieldErrors::new();
    let name = patch.name.as_deref().and_then(|name| text::required(&mut fields, "name", name));
    if patch.position.is_some_and(|position| position < 1) {
        fields.add("position", "counts from 1");
    }
    fields.into_result()?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => return again(&mut tx, caller, id).await,
    };
    let (before, others) = held_in(&mut tx, caller.workspace, id).await?;
    if patch.is_default == Some(false) && before.is_default {
        return Err(Error::invalid("isDefault", "cannot be taken away; make another pipeline the default"));
    }
    let becomes_default = patch.is_default == Some(true) && !before.is_default;
    let renamed = name.filter(|name| *name != before.name);
    let order = patch.position.and_then(|position| moved_to(&others, id, position));
    if !becomes_default && renamed.is_none() && order.is_none() {
        tx.commit(id).await?;
        return Ok(before);
    }
    let mut after = Pipeline { updated_at: ctx.clock.now(), ..before.clone() };
    if let Some(name) = renamed {
        require_free(&others, id, &name)?;
        after.name = name;
    }
    queries::update(tx.connection(), caller.workspace, &after).await?;
    if becomes_default {
        queries::set_default(tx.connection(), caller.workspace, id).await?;
    }
    if let Some(order) = order {
        queries::order(tx.connection(), caller.workspace, &order).await?;
    }
    let (after, _) = found_in(&mut tx, caller.workspace, id).await?;
    let details = json!({ "name": after.name, "isDefault": after.is_default, "position": after.position });
    tell_in(ctx, &mut tx, caller, PipelineAction::Updated, id, details).await?;
    tx.commit(id).await?;
    Ok(after)
}

/// Deletes a pipeline with its stages. Refused while deals stand on it, deleted ones too, and for the
/// one where deals go that name none.
pub async fn delete(ctx: &Ctx, caller: &Caller, id: PipelineId) -> Result<()> {
    caller.require_all(Permission::PipelinesManage)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again((), _) => return Ok(()),
    };
    let (pipeline, _) = held_in(&mut tx, caller.workspace, id).await?;
    if pipeline.is_default {
        return Err(Error::conflict("The default pipeline cannot be deleted; make another one the default first"));
    }
    let stages = queries::stages_of(tx.connection(), caller.workspace, id).await?;
    let stages: Vec<_> = stages.iter().map(|stage| stage.id).collect();
    queries::lock_stages(tx.connection(), caller.workspace, &stages).await?;
    if moves::standing(tx.connection(), caller.workspace, &stages, 1).await? > 0 {
        return Err(Error::conflict(
            "Deals stand on this pipeline, which may be deleted ones; move them to another pipeline first",
        ));
    }
    queries::delete(tx.connection(), caller.workspace, id).await?;
    tell_in(ctx, &mut tx, caller, PipelineAction::Deleted, id, json!({ "name": pipeline.name })).await?;
    tx.commit(()).await
}

async fn again(tx: &mut Tx, caller: &Caller, id: PipelineId) -> Result<Pipeline> {
    found_in(tx, caller.workspace, id).await.map(|(pipeline, _)| pipeline)
}

/// Names differ by more than upper and lower case.
fn require_free(others: &[Pipeline], id: PipelineId, name: &str) -> Result<()> {
    let name = name.to_lowercase();
    match others.iter().any(|other| other.id != id && other.name.to_lowercase() == name) {
        true => Err(Error::taken("name", "is already used by another pipeline", None)),
        false => Ok(()),
    }
}

/// The order with this one at the place; `None` where it stands there.
fn moved_to(all: &[Pipeline], id: PipelineId, position: i32) -> Option<Vec<PipelineId>> {
    let present: Vec<_> = all.iter().map(|pipeline| pipeline.id).collect();
    let mut order: Vec<_> = present.iter().copied().filter(|other| *other != id).collect();
    let place = usize::try_from(position - 1).unwrap_or_default().min(order.len());
    order.insert(place, id);
    (order != present).then_some(order)
}
