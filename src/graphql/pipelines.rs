//! Pipelines and their stages.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{
    context::{Repeatable, both, once},
    errors::{Nullable, found, nullable, parse_id},
    objects::pipeline::{PipelineObject, StageObject},
};
use crate::{
    base::{
        Result,
        ids::{PipelineId, StageId},
    },
    crm::pipelines::{
        self, StageType,
        ops::{self, NewPipeline, PipelinePatch},
        stages::{self, NewStage, StagePatch},
    },
    id_input,
};

/// A stage of a pipeline that is made.
#[derive(InputObject)]
#[graphql(name = "PipelineStageInput")]
pub struct PipelineStageInput {
    /// Unique within the pipeline.
    name: String,
    #[graphql(name = "type")]
    stage_type: StageType,
    /// From 0 to 100; needed for an open stage. Won ones have 100 and lost ones 0 unless told.
    probability: Option<i32>,
}

#[derive(InputObject)]
#[graphql(name = "CreatePipelineInput")]
pub struct CreatePipelineInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    /// Unique in the workspace.
    name: String,
    /// In order; at least one is open.
    stages: Vec<PipelineStageInput>,
}

#[derive(InputObject)]
#[graphql(name = "UpdatePipelineInput")]
pub struct UpdatePipelineInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    /// Absent parts stay as they are.
    name: Option<String>,
    /// `true` makes it the default, and the present one is it no more.
    is_default: Option<bool>,
    /// Its place among the pipelines, from 1.
    position: Option<i32>,
}

id_input!(DeletePipelineInput "DeletePipelineInput");

#[derive(InputObject)]
#[graphql(name = "CreateStageInput")]
pub struct CreateStageInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    pipeline_id: ID,
    /// Unique within the pipeline.
    name: String,
    #[graphql(name = "type")]
    stage_type: StageType,
    /// From 0 to 100; needed for an open stage. Won ones have 100 and lost ones 0 unless told.
    probability: Option<i32>,
    /// Its place, from 1; behind the others unless told.
    position: Option<i32>,
}

#[derive(InputObject)]
#[graphql(name = "UpdateStageInput")]
pub struct UpdateStageInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    /// Absent parts stay as they are.
    name: Option<String>,
    #[graphql(name = "type")]
    stage_type: Option<StageType>,
    /// From 0 to 100. Deals that stand there keep theirs.
    probability: Option<i32>,
}

#[derive(InputObject)]
#[graphql(name = "DeleteStageInput")]
pub struct DeleteStageInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    /// Another stage of the pipeline, where its deals go. Without, deleting a stage with deals on it
    /// is a `CONFLICT`; deleted deals count, for they can be restored.
    move_to: Option<ID>,
}

#[derive(InputObject)]
#[graphql(name = "ReorderStagesInput")]
pub struct ReorderStagesInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    pipeline_id: ID,
    /// In the new order; stages that are not named follow in their present one.
    stage_ids: Vec<ID>,
}

#[derive(SimpleObject)]
#[graphql(name = "PipelinePayload")]
pub struct PipelinePayload {
    pipeline: PipelineObject,
}

#[derive(SimpleObject)]
#[graphql(name = "DeletePipelinePayload")]
pub struct DeletePipelinePayload {
    deleted_id: ID,
}

#[derive(SimpleObject)]
#[graphql(name = "StagePayload")]
pub struct StagePayload {
    pipeline: PipelineObject,
    stage: StageObject,
}

#[derive(SimpleObject)]
#[graphql(name = "DeleteStagePayload")]
pub struct DeleteStagePayload {
    deleted_id: ID,
    pipeline: PipelineObject,
    /// The job that moves the deals, where they are more than 1,000; the stage goes when it is done.
    job_id: Option<ID>,
}

/// Queries about pipelines.
#[derive(Default)]
pub struct PipelineQuery;

#[Object(name = "PipelineQuery")]
impl PipelineQuery {
    /// The ways that deals go, in order.
    async fn pipelines(&self, context: &Context<'_>) -> async_graphql::Result<Vec<PipelineObject>> {
        let (ctx, caller) = both(context)?;
        Ok(pipelines::list(ctx, caller).await?.into_iter().map(PipelineObject).collect())
    }

    /// One pipeline; null where there is none.
    async fn pipeline(&self, context: &Context<'_>, id: ID) -> Nullable<PipelineObject> {
        nullable(async {
            let (ctx, caller) = both(context)?;
            let Ok(id) = id.parse::<PipelineId>() else { return Ok(None) };
            Ok(found(pipelines::get(ctx, caller, id).await)?.map(PipelineObject))
        })
        .await
    }
}

/// Mutations of pipelines.
#[derive(Default)]
pub struct PipelineMutation;

#[Object(name = "PipelineMutation")]
impl PipelineMutation {
    /// Makes a pipeline with its stages, behind the others; for admins and managers.
    async fn create_pipeline(
        &self,
        context: &Context<'_>,
        input: CreatePipelineInput,
    ) -> async_graphql::Result<PipelinePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let stage = |stage: PipelineStageInput| NewStage {
            name: stage.name,
            stage_type: stage.stage_type,
            probability: stage.probability,
        };
        let new = NewPipeline { name: input.name, stages: input.stages.into_iter().map(stage).collect() };
        let pipeline = ops::create(ctx, &caller, new).await.map(PipelineObject)?;
        Ok(PipelinePayload { pipeline })
    }

    /// Changes a pipeline, or makes it the default; for admins and managers.
    async fn update_pipeline(
        &self,
        context: &Context<'_>,
        input: UpdatePipelineInput,
    ) -> async_graphql::Result<PipelinePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: PipelineId = parse_id("id", &input.id)?;
        let patch = PipelinePatch { name: input.name, is_default: input.is_default, position: input.position };
        let pipeline = ops::update(ctx, &caller, id, patch).await.map(PipelineObject)?;
        Ok(PipelinePayload { pipeline })
    }

    /// Deletes a pipeline with its stages; for admins and managers. A `CONFLICT` while deals stand on
    /// it, deleted ones too, and for the default one.
    async fn delete_pipeline(
        &self,
        context: &Context<'_>,
        input: DeletePipelineInput,
    ) -> async_graphql::Result<DeletePipelinePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        ops::delete(ctx, &caller, parse_id("id", &input.id)?).await?;
        Ok(DeletePipelinePayload { deleted_id: input.id })
    }

    /// Adds a stage to a pipeline; for admins and managers.
    async fn create_stage(
        &self,
        context: &Context<'_>,
        input: CreateStageInput,
    ) -> async_graphql::Result<StagePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let pipeline: PipelineId = parse_id("pipelineId", &input.pipeline_id)?;
        let new = NewStage { name: input.name, stage_type: input.stage_type, probability: input.probability };
        let (pipeline, stage) = stages::create(ctx, &caller, pipeline, new, input.position).await?;
        Ok(StagePayload { pipeline: PipelineObject(pipeline), stage: StageObject(stage) })
    }

    /// Changes a stage; for admins and managers. The last open one of a pipeline stays open.
    async fn update_stage(
        &self,
        context: &Context<'_>,
        input: UpdateStageInput,
    ) -> async_graphql::Result<StagePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: StageId = parse_id("id", &input.id)?;
        let patch = StagePatch { name: input.name, stage_type: input.stage_type, probability: input.probability };
        let (pipeline, stage) = stages::update(ctx, &caller, id, patch).await?;
        Ok(StagePayload { pipeline: PipelineObject(pipeline), stage: StageObject(stage) })
    }

    /// Deletes a stage, and moves its deals to another one if that is named; for admins and managers.
    async fn delete_stage(
        &self,
        context: &Context<'_>,
        input: DeleteStageInput,
    ) -> async_graphql::Result<DeleteStagePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: StageId = parse_id("id", &input.id)?;
        let move_to: Option<StageId> = input.move_to.as_ref().map(|id| parse_id("moveTo", id)).transpose()?;
        let (pipeline, job) = stages::delete(ctx, &caller, id, move_to).await?;
        let pipeline = PipelineObject(pipeline);
        Ok(DeleteStagePayload { deleted_id: input.id, pipeline, job_id: job.map(Into::into) })
    }

    /// Puts the stages of a pipeline into an order; for admins and managers.
    async fn reorder_stages(
        &self,
        context: &Context<'_>,
        input: ReorderStagesInput,
    ) -> async_graphql::Result<PipelinePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let pipeline: PipelineId = parse_id("pipelineId", &input.pipeline_id)?;
        let ids: Vec<StageId> = input.stage_ids.iter().map(|id| parse_id("stageIds", id)).collect::<Result<_>>()?;
        let pipeline = stages::reorder(ctx, &caller, pipeline, &ids).await.map(PipelineObject)?;
        Ok(PipelinePayload { pipeline })
    }
}
