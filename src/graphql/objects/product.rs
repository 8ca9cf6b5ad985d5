//! Products as the API shows them.

use async_graphql::Json;
use serde_json::Value;

use super::scalars::{Decimal, json};
use crate::{
    crm::{Product, products::ProductStatus},
    record_object,
};

record_object! {
    /// Something that is sold.
    ProductObject of Product "Product", ProductConnection ProductEdge "ProductConnection" "ProductEdge", owner "Who looks after it." {
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The stock-keeping unit. Unique among the workspace's products.
    async fn sku(&self) -> Option<&str> {
        self.0.sku.as_deref()
    }

    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    async fn category(&self) -> Option<&str> {
        self.0.category.as_deref()
    }

    async fn price(&self) -> Decimal {
        Decimal(self.0.price.normalized())
    }

    async fn cost(&self) -> Option<Decimal> {
        self.0.cost.as_ref().map(|number| Decimal(number.normalized()))
    }

    /// The three letters of the price's currency.
    async fn currency(&self) -> &str {
        &self.0.currency
    }

    async fn stock_quantity(&self) -> i32 {
        self.0.stock_quantity
    }

    async fn unit(&self) -> &str {
        &self.0.unit
    }

    async fn status(&self) -> ProductStatus {
        self.0.status
    }

    async fn image_url(&self) -> Option<&str> {
        self.0.image_url.as_deref()
    }

    async fn specifications(&self) -> Json<Value> {
        json(&self.0.specifications)
    }
    }
}
