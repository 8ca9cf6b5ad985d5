//! `/products`: the common rules of records, see `records`.

use utoipa_axum::router::OpenApiRouter;

use super::{published::Published, records};
use crate::{crm::Product, ctx::Ctx};

impl Published for Product {
    const PATH: &'static str = "/products";
    const PLURAL: &'static str = "Products";
    const REQUIRED: &'static [&'static str] = &["name", "price"];
    const LIMIT: i64 = 1000;
    const SEARCHED: &'static str = "name, sku and description";
}

pub fn routes() -> OpenApiRouter<Ctx> {
    records::routes::<Product>()
}
