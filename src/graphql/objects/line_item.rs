//! Line items of deals as the API shows them.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use super::{product::ProductObject, record::linked, scalars::Decimal};
use crate::{
    crm::deals::LineItem,
    graphql::errors::{Nullable, nullable},
};

#[derive(Clone)]
pub struct LineItemObject(pub LineItem);

/// One line of what a deal is about. Its name and price are its own: they stay when the product
/// changes. The price is in the deal's currency.
#[Object(name = "DealLineItem")]
impl LineItemObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    async fn product_id(&self) -> Option<ID> {
        self.0.product_id.map(Into::into)
    }

    /// Null where it was deleted, is not for you to see, or the item never was one.
    async fn product(&self, context: &Context<'_>) -> Nullable<ProductObject> {
        nullable(linked(context, self.0.product_id, ProductObject)).await
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn quantity(&self) -> Decimal {
        Decimal(self.0.quantity.normalized())
    }

    /// Of one.
    async fn unit_price(&self) -> Decimal {
        Decimal(self.0.unit_price.normalized())
    }

    /// From 0 to 100.
    async fn discount_percent(&self) -> Decimal {
        Decimal(self.0.discount_percent.normalized())
    }

    /// Quantity times price, less the discount, rounded to four digits behind the point.
    async fn total(&self) -> Decimal {
        Decimal(self.0.total().normalized())
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}
