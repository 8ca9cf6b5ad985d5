//! The nouns: a pipeline and its stages.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::{
    base::ids::{PipelineId, StageId},
    crm::stage_type::StageType,
    db::schema::{pipeline_stages, pipelines},
};

/// A way that deals go.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = pipelines)]
pub struct Pipeline {
    pub id: PipelineId,
    pub name: String,
    /// Where deals go that name none; of a workspace's pipelines it is one.
    pub is_default: bool,
    /// Counts from 1.
    pub position: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// One step of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = pipeline_stages)]
pub struct Stage {
    pub id: StageId,
    pub pipeline_id: PipelineId,
    pub name: String,
    pub stage_type: StageType,
    /// In percent, of deals that come here without one of their own.
    pub probability: i32,
    /// Counts from 1.
    pub position: i32,
}
