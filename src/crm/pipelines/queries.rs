//! The SQL of pipelines and their stages.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Stage;
use crate::{
    base::{Result, ids::WorkspaceId},
    db::schema::{pipeline_stages, pipelines},
};

pub async fn stages(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<Vec<Stage>> {
    let joined = pipeline_stages::table.inner_join(pipelines::table.on(
        pipelines::workspace_id.eq(pipeline_stages::workspace_id).and(pipelines::id.eq(pipeline_stages::pipeline_id)),
    ));
    let order = (pipelines::is_default.desc(), pipelines::position, pipelines::id, pipeline_stages::position);
    let stages = joined.filter(pipeline_stages::workspace_id.eq(workspace)).order(order).select(Stage::as_select());
    Ok(stages.load(connection).await?)
}
