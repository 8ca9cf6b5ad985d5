//! The nouns: a stage and its type.

use diesel::prelude::*;

use crate::{
    base::ids::{PipelineId, StageId},
    db::schema::pipeline_stages,
    text_enum,
};

text_enum! {
    /// What it means that a deal stands on a stage.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "StageType")]
    pub enum StageType {
        Open = "open",
        Won = "won",
        Lost = "lost",
    }
}

/// One step of a pipeline.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = pipeline_stages)]
pub struct Stage {
    pub id: StageId,
    pub pipeline_id: PipelineId,
    pub name: String,
    pub stage_type: StageType,
    /// In percent, of deals that come here without one of their own.
    pub probability: i32,
    pub position: i32,
}
