//! What changes of pipelines tell the world, and the audit log. A stage's changes are its pipeline's.

use serde_json::json;

use crate::{
    auth::Caller,
    base::{
        Result,
        ids::{PipelineId, StageId},
    },
    ctx::Ctx,
    db::Tx,
    events::NewEvent,
    team::audit,
};

/// What happened to a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipelineAction {
    Created,
    Updated,
    Deleted,
}

impl PipelineAction {
    /// Also the action in the audit log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "pipeline.created",
            Self::Updated => "pipeline.updated",
            Self::Deleted => "pipeline.deleted",
        }
    }
}

/// In the payload the stages that are not what they were.
fn changed(action: PipelineAction, pipeline: PipelineId, stages: &[StageId]) -> NewEvent {
    NewEvent {
        name: action.name(),
        kind: Some("pipeline"),
        record_ids: vec![pipeline.0],
        payload: json!({ "stages": stages }),
    }
}

/// Tells of a pipeline's change, here and in the audit log.
pub async fn tell_in(
    ctx: &Ctx,
    tx: &mut Tx,
    caller: &Caller,
    action: PipelineAction,
    pipeline: PipelineId,
    details: serde_json::Value,
) -> Result<()> {
    let entry = audit::Entry::new(action.name(), "pipeline", pipeline).with(details);
    audit::record_in(ctx, tx, caller, entry).await?;
    ctx.emit(tx, caller, &[changed(action, pipeline, &[])]).await
}

/// What happened to a stage, as the audit log has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageAction {
    Created,
    Updated,
    Deleted,
}

/// Tells of a stage's change.
pub async fn tell_stage_in(
    ctx: &Ctx,
    tx: &mut Tx,
    caller: &Caller,
    action: StageAction,
    (pipeline, stage): (PipelineId, StageId),
    details: serde_json::Value,
) -> Result<()> {
    let name = match action {
        StageAction::Created => "pipeline_stage.created",
        StageAction::Updated => "pipeline_stage.updated",
        StageAction::Deleted => "pipeline_stage.deleted",
    };
    let entry = audit::Entry::new(name, "pipeline_stage", stage).with(details);
    audit::record_in(ctx, tx, caller, entry).await?;
    ctx.emit(tx, caller, &[changed(PipelineAction::Updated, pipeline, &[stage])]).await
}
