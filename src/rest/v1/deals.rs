//! `/deals`: the common rules of records, see `records`; a stage goes by its name.

use serde_json::json;
use utoipa_axum::router::OpenApiRouter;

use super::{
    published::{Object, Published},
    records,
};
use crate::{
    auth::Caller,
    base::Result,
    crm::{Deal, pipelines},
    ctx::Ctx,
};

impl Published for Deal {
    const PATH: &'static str = "/deals";
    const PLURAL: &'static str = "Deals";
    const REQUIRED: &'static [&'static str] = &["name"];
    const LIMIT: i64 = 1000;
    const SEARCHED: &'static str = "deal_name and description";

    async fn complete_printed(ctx: &Ctx, caller: &Caller, deals: &[Self], printed: &mut [Object]) -> Result<()> {
        let stages = pipelines::stages(ctx, caller).await?;
        for (deal, object) in deals.iter().zip(printed) {
            let stage = stages.iter().find(|stage| stage.id == deal.stage_id);
            object.insert("stage".to_owned(), json!(stage.map(|stage| &stage.name)));
        }
        Ok(())
    }
}

pub fn routes() -> OpenApiRouter<Ctx> {
    records::routes::<Deal>()
}
