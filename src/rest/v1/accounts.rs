//! `/accounts`: the common rules of records, see `records`.

use utoipa_axum::router::OpenApiRouter;

use super::{published::Published, records};
use crate::{crm::Account, ctx::Ctx};

impl Published for Account {
    const PATH: &'static str = "/accounts";
    const PLURAL: &'static str = "Accounts";
    const REQUIRED: &'static [&'static str] = &["name"];
    const LIMIT: i64 = 1000;
    const SEARCHED: &'static str = "account_name and industry";
}

pub fn routes() -> OpenApiRouter<Ctx> {
    records::routes::<Account>()
}
