//! Pipelines: the ways that deals go, each with its stages in order. Every workspace has one from
//! the start; the stages tell what is open, won or lost.

mod model;
mod queries;

pub use model::{Stage, StageType};

use crate::{
    auth::Caller,
    base::{
        Result,
        ids::{PipelineId, WorkspaceId},
    },
    ctx::Ctx,
    db::Tx,
};

/// All stages of the workspace, those of the default pipeline first, each pipeline's in order.
pub async fn stages_in(tx: &mut Tx, workspace: WorkspaceId) -> Result<Vec<Stage>> {
    queries::stages(tx.connection(), workspace).await
}

/// The same; they are no secret within a workspace.
pub async fn stages(ctx: &Ctx, caller: &Caller) -> Result<Vec<Stage>> {
    let mut tx = ctx.db.read(caller).await?;
    stages_in(&mut tx, caller.workspace).await
}

/// The pipeline of deals that name none.
pub fn default_of(stages: &[Stage]) -> Option<PipelineId> {
    stages.first().map(|stage| stage.pipeline_id)
}
