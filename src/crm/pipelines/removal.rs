//! Removing a stage, and what must come before: no deal may stand on it, not even a deleted one,
//! which somebody could restore.

use serde_json::json;

use super::{
    Stage, StageType,
    events::{self, StageAction},
    hold_in,
    queries::{self, moves},
};
use crate::{
    auth::Caller,
    base::{
        Error, Result,
        ids::{StageId, WorkspaceId},
    },
    crm::record::{
        RecordKind,
        events::{ChangeAction, changed},
    },
    ctx::Ctx,
    db::Tx,
};

/// Deals that one transaction moves.
pub const BATCH: i64 = 1_000;

/// A stage that is to be removed, and where its deals go.
#[derive(Debug, Clone)]
pub struct Removal {
    pub stage: Stage,
    pub move_to: Option<Stage>,
}

/// Holds the pipelines, and looks whether the stage can go in general. Where it is gone already that
/// is `NotFound`.
pub async fn begin_in(
    tx: &mut Tx,
    workspace: WorkspaceId,
    stage: StageId,
    move_to: Option<StageId>,
) -> Result<Removal> {
    hold_in(tx, workspace).await?;
    let gone = || Error::NotFound("Stage");
    let stage = queries::stage(tx.connection(), workspace, stage).await?.ok_or_else(gone)?;
    let others = queries::stages_of(tx.connection(), workspace, stage.pipeline_id).await?;
    let mut others = others.into_iter().filter(|other| other.id != stage.id);
    require_open(others.clone())?;
    let move_to = match move_to {
        None => None,
        Some(id) => {
            let other = others.find(|other| other.id == id);
            Some(other.ok_or_else(|| Error::invalid("moveTo", "must be another stage of the same pipeline"))?)
        }
    };
    Ok(Removal { stage, move_to })
}

/// Refuses where none of these stages is open: new deals would have no place to begin.
pub fn require_open(stages: impl IntoIterator<Item = Stage>) -> Result<()> {
    match stages.into_iter().any(|stage| stage.stage_type == StageType::Open) {
        true => Ok(()),
        false => Err(Error::conflict("A pipeline needs at least one open stage")),
    }
}

/// Moves a batch of deals away; how many it were.
pub async fn move_in(ctx: &Ctx, tx: &mut Tx, caller: &Caller, from: &Stage, to: &Stage) -> Result<i64> {
    let actor = caller.actor();
    let mover = moves::Mover { at: ctx.clock.now(), actor: &actor, via: caller.via };
    let moved = moves::advance(tx.connection(), caller.workspace, from, to, mover, BATCH).await?;
    let told: Vec<_> = moved.iter().filter(|deal| deal.is_live).collect();
    if !told.is_empty() {
        let mut names = vec!["stageId"];
        names.extend(told.iter().any(|deal| deal.probability).then_some("probability"));
        names.extend(told.iter().any(|deal| deal.closed).then_some("closeDate"));
        let versions: Vec<_> = told.iter().map(|deal| (deal.id, deal.version)).collect();
        ctx.emit(tx, caller, &[changed(RecordKind::Deal, ChangeAction::Updated, &versions, &names)]).await?;
    }
    Ok(i64::try_from(moved.len()).unwrap_or(i64::MAX))
}

/// Removes the stage; `false`, and nothing done, where deals stand on it. It is locked first, so no
/// deal comes to it unseen.
pub async fn finish_in(ctx: &Ctx, tx: &mut Tx, caller: &Caller, removal: &Removal) -> Result<bool> {
    let Removal { stage, move_to } = removal;
    queries::lock_stages(tx.connection(), caller.workspace, &[stage.id]).await?;
    if moves::standing(tx.connection(), caller.workspace, &[stage.id], 1).await? > 0 {
        return Ok(false);
    }
    queries::delete_stage(tx.connection(), caller.workspace, stage.id).await?;
    let rest = queries::stages_of(tx.connection(), caller.workspace, stage.pipeline_id).await?;
    let order: Vec<_> = rest.iter().map(|stage| stage.id).collect();
    queries::order_stages(tx.connection(), caller.workspace, &order).await?;
    let details =
        json!({ "name": stage.name, "pipeline": stage.pipeline_id, "movedTo": move_to.as_ref().map(|to| to.id) });
    events::tell_stage_in(ctx, tx, caller, StageAction::Deleted, (stage.pipeline_id, stage.id), details).await?;
    Ok(true)
}
