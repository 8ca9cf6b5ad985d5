//! `/leads`: the common rules of records, see `records`; and what is done with leads alone.

use std::collections::HashMap;

use serde_json::json;
use utoipa_axum::router::OpenApiRouter;

use super::{
    published::{Object, Published},
    records,
};
use crate::{auth::Caller, base::Result, crm::Lead, ctx::Ctx, team::users};

impl Published for Lead {
    const PATH: &'static str = "/leads";
    const PLURAL: &'static str = "Leads";
    const REQUIRED: &'static [&'static str] = &["firstName", "lastName", "email"];
    const LIMIT: i64 = 10;
    const SEARCHED: &'static str = "first_name, last_name, email and company";

    /// The owner stands in a lead with name and address.
    async fn complete_printed(ctx: &Ctx, caller: &Caller, leads: &[Self], printed: &mut [Object]) -> Result<()> {
        let mut ids: Vec<_> = leads.iter().filter_map(|lead| lead.owner_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let owners = if ids.is_empty() { Vec::new() } else { users::by_ids(ctx, caller, &ids).await? };
        let owners: HashMap<_, _> = owners.into_iter().map(|user| (user.id, user)).collect();
        for (lead, object) in leads.iter().zip(printed) {
            let owner = lead.owner_id.and_then(|id| owners.get(&id));
            let owner = owner.map(|user| json!({ "id": user.id, "full_name": user.full_name, "email": user.email }));
            object.insert("owner".to_owned(), json!(owner));
        }
        Ok(())
    }
}

pub fn routes() -> OpenApiRouter<Ctx> {
    records::routes::<Lead>()
}
