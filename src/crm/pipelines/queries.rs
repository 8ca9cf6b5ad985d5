//! The SQL of pipelines and their stages; that of deals which leave a stage apart.

pub mod moves;

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, Int4, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Pipeline, Stage};
use crate::{
    base::{
        Result,
        ids::{PipelineId, StageId, WorkspaceId},
    },
    db::schema::{pipeline_stages, pipelines},
};

pub async fn stages(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<Vec<Stage>> {
    let joined = pipeline_stages::table.inner_join(pipelines::table.on(
        pipelines::workspace_id.eq(pipeline_stages::workspace_id).and(pipelines::id.eq(pipeline_stages::pipeline_id)),
    ));
    let order = (
        pipelines::is_default.desc(),
        pipelines::position,
        pipelines::id,
        pipeline_stages::position,
        pipeline_stages::id,
    );
    let stages = joined.filter(pipeline_stages::workspace_id.eq(workspace)).order(order).select(Stage::as_select());
    Ok(stages.load(connection).await?)
}

pub async fn stages_of(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    pipeline: PipelineId,
) -> Result<Vec<Stage>> {
    let stages = pipeline_stages::table
        .filter(pipeline_stages::workspace_id.eq(workspace))
        .filter(pipeline_stages::pipeline_id.eq(pipeline))
        .order((pipeline_stages::position, pipeline_stages::id))
        .select(Stage::as_select());
    Ok(stages.load(connection).await?)
}

/// The stage of this id.
pub async fn stage(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: StageId) -> Result<Option<Stage>> {
    let stage = pipeline_stages::table.find((workspace, id)).select(Stage::as_select());
    Ok(stage.first(connection).await.optional()?)
}

pub async fn pipelines(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<Vec<Pipeline>> {
    let pipelines = pipelines::table
        .filter(pipelines::workspace_id.eq(workspace))
        .order((pipelines::position, pipelines::id))
        .select(Pipeline::as_select());
    Ok(pipelines.load(connection).await?)
}

pub async fn insert(connection: &mut AsyncPgConnection, workspace: WorkspaceId, pipeline: &Pipeline) -> Result<()> {
    let insert = diesel::insert_into(pipelines::table).values((pipelines::workspace_id.eq(workspace), pipeline));
    insert.execute(connection).await?;
    Ok(())
}

/// Makes this the only pipeline that is the default. In two statements, for there is never more than
/// one.
pub async fn set_default(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: PipelineId) -> Result<()> {
    let others = pipelines::table.filter(pipelines::workspace_id.eq(workspace)).filter(pipelines::is_default);
    diesel::update(others).set(pipelines::is_default.eq(false)).execute(connection).await?;
    let this = pipelines::table.filter(pipelines::workspace_id.eq(workspace)).filter(pipelines::id.eq(id));
    diesel::update(this).set(pipelines::is_default.eq(true)).execute(connection).await?;
    Ok(())
}

/// All but its place and whether it is the default.
pub async fn update(connection: &mut AsyncPgConnection, workspace: WorkspaceId, pipeline: &Pipeline) -> Result<()> {
    let row = pipelines::table.filter(pipelines::workspace_id.eq(workspace)).filter(pipelines::id.eq(pipeline.id));
    let values = (pipelines::name.eq(&pipeline.name), pipelines::updated_at.eq(pipeline.updated_at));
    diesel::update(row).set(values).execute(connection).await?;
    Ok(())
}

/// Deletes the pipeline with its stages.
pub async fn delete(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: PipelineId) -> Result<()> {
    diesel::delete(pipelines::table.find((workspace, id))).execute(connection).await?;
    Ok(())
}

/// Puts the pipelines into this order; their places count from 1.
pub async fn order(connection: &mut AsyncPgConnection, workspace: WorkspaceId, ids: &[PipelineId]) -> Result<()> {
    let places: Vec<i32> = (1..).take(ids.len()).collect();
    sql_query(
        "UPDATE pipelines p SET position = wanted.position FROM unnest($2, $3) AS wanted (id, position) \
          WHERE p.workspace_id = $1 AND p.id = wanted.id",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Array<Int4>, _>(places)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn insert_stages(connection: &mut AsyncPgConnection, workspace: WorkspaceId, stages: &[Stage]) -> Result<()> {
    let rows: Vec<_> = stages.iter().map(|stage| (pipeline_stages::workspace_id.eq(workspace), stage)).collect();
    diesel::insert_into(pipeline_stages::table).values(rows).execute(connection).await?;
    Ok(())
}

pub async fn update_stage(connection: &mut AsyncPgConnection, workspace: WorkspaceId, stage: &Stage) -> Result<()> {
    let row = pipeline_stages::table
        .filter(pipeline_stages::workspace_id.eq(workspace))
        .filter(pipeline_stages::id.eq(stage.id));
    diesel::update(row).set(stage).execute(connection).await?;
    Ok(())
}

pub async fn delete_stage(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: StageId) -> Result<()> {
    diesel::delete(pipeline_stages::table.find((workspace, id))).execute(connection).await?;
    Ok(())
}

/// Puts stages into this order; their places count from 1.
pub async fn order_stages(connection: &mut AsyncPgConnection, workspace: WorkspaceId, ids: &[StageId]) -> Result<()> {
    let places: Vec<i32> = (1..).take(ids.len()).collect();
    sql_query(
        "UPDATE pipeline_stages s SET position = wanted.position FROM unnest($2, $3) AS wanted (id, position) \
          WHERE s.workspace_id = $1 AND s.id = wanted.id",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Array<Int4>, _>(places)
    .execute(connection)
    .await?;
    Ok(())
}

/// Locks these stages: a deal that comes to one of them meanwhile waits, and is refused by its foreign
/// key where the stage is deleted.
pub async fn lock_stages(connection: &mut AsyncPgConnection, workspace: WorkspaceId, ids: &[StageId]) -> Result<()> {
    let stages = pipeline_stages::table
        .filter(pipeline_stages::workspace_id.eq(workspace))
        .filter(pipeline_stages::id.eq_any(ids))
        .order(pipeline_stages::id)
        .select(pipeline_stages::id)
        .for_update();
    stages.load::<StageId>(connection).await?;
    Ok(())
}
