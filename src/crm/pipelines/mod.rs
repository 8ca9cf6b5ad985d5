//! Pipelines: the ways that deals go, each with its stages in order. Every workspace has one from
//! the start; the stages tell what is open, won or lost.
//!
//! Whoever changes pipelines or stages holds them alone ([`hold_in`]), so the rules over several of
//! them (names, the last open stage, the one default) are looked at in the program. Deals do not
//! wait for that: a deal and its stage are held together by the foreign key `deals_stage_fkey`.

mod events;
pub mod jobs;
mod model;
pub mod ops;
mod queries;
mod removal;
pub mod stages;

pub use crate::crm::stage_type::StageType;
pub use model::{Pipeline, Stage};

use crate::{
    auth::Caller,
    base::{
        Error, Result,
        ids::{PipelineId, WorkspaceId},
    },
    ctx::Ctx,
    db::{Tx, locks},
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

/// The pipelines of the workspace, in their order; no secret either.
pub async fn list(ctx: &Ctx, caller: &Caller) -> Result<Vec<Pipeline>> {
    let mut tx = ctx.db.read(caller).await?;
    queries::pipelines(tx.connection(), caller.workspace).await
}

/// One of them.
pub async fn get(ctx: &Ctx, caller: &Caller, id: PipelineId) -> Result<Pipeline> {
    list(ctx, caller).await?.into_iter().find(|pipeline| pipeline.id == id).ok_or_else(gone)
}

fn gone() -> Error {
    Error::NotFound("Pipeline")
}

/// Holds the workspace's pipelines and stages alone until the transaction ends.
async fn hold_in(tx: &mut Tx, workspace: WorkspaceId) -> Result<()> {
    locks::hold_named_in(tx, &format!("pipelines {workspace}")).await
}

/// The same, and reads the pipelines, which have this one.
async fn held_in(tx: &mut Tx, workspace: WorkspaceId, id: PipelineId) -> Result<(Pipeline, Vec<Pipeline>)> {
    hold_in(tx, workspace).await?;
    found_in(tx, workspace, id).await
}

async fn found_in(tx: &mut Tx, workspace: WorkspaceId, id: PipelineId) -> Result<(Pipeline, Vec<Pipeline>)> {
    let all = queries::pipelines(tx.connection(), workspace).await?;
    let found = all.iter().find(|pipeline| pipeline.id == id).cloned().ok_or_else(gone)?;
    Ok((found, all))
}
