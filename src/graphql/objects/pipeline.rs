//! Pipelines and their stages as the API shows them.

use async_graphql::{Context, ID, Object};

use crate::{
    base::ids::StageId,
    crm::pipelines::{Stage, StageType},
    graphql::loaders::Loaders,
};

#[derive(Clone)]
pub struct StageObject(pub Stage);

/// A step of a pipeline.
#[Object(name = "PipelineStage")]
impl StageObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The pipeline that it is a step of.
    async fn pipeline_id(&self) -> ID {
        self.0.pipeline_id.into()
    }

    /// Unique within its pipeline.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it means that a deal stands here.
    #[graphql(name = "type")]
    async fn stage_type(&self) -> StageType {
        self.0.stage_type
    }

    /// In percent, of deals that come here without one of their own.
    async fn probability(&self) -> i32 {
        self.0.probability
    }
}

/// The stage of this id, which a deal has.
pub async fn stage(context: &Context<'_>, id: StageId) -> async_graphql::Result<StageObject> {
    let found = context.data::<Loaders>()?.stages.load_one(id).await?;
    Ok(found.map(StageObject).ok_or_else(|| crate::base::Error::internal("a deal without its stage"))?)
}
