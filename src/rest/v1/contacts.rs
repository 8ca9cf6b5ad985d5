//! `/contacts`: the common rules of records, see `records`.

use utoipa_axum::router::OpenApiRouter;

use super::{published::Published, records};
use crate::{crm::Contact, ctx::Ctx};

impl Published for Contact {
    const PATH: &'static str = "/contacts";
    const PLURAL: &'static str = "Contacts";
    const REQUIRED: &'static [&'static str] = &["firstName", "lastName", "email"];
    const LIMIT: i64 = 1000;
    const SEARCHED: &'static str = "first_name, last_name and email";
}

pub fn routes() -> OpenApiRouter<Ctx> {
    records::routes::<Contact>()
}
