//! The nouns beside a deal's fields: its line items, and what deals come to on a stage.

use bigdecimal::{BigDecimal, RoundingMode};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::{Value as Json, json};

use crate::{
    base::ids::{DealId, LineItemId, ProductId, StageId},
    db::schema::deal_products,
};

/// Digits behind the point of an amount.
pub const SCALE: i64 = 4;

/// One line of what a deal is about.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = deal_products, treat_none_as_null = true)]
pub struct LineItem {
    pub id: LineItemId,
    pub deal_id: DealId,
    /// None where the product was purged, or the item never was one.
    pub product_id: Option<ProductId>,
    pub name: String,
    pub quantity: BigDecimal,
    pub unit_price: BigDecimal,
    pub discount_percent: BigDecimal,
    /// Counts from 1.
    pub position: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl LineItem {
    /// What it costs, to the fourth digit behind the point; halves are rounded up.
    pub fn total(&self) -> BigDecimal {
        let percent = BigDecimal::from(100) - &self.discount_percent;
        // to multiply by a hundredth is exact, where to divide may have no end
        let hundredth = BigDecimal::new(1.into(), 2);
        (&self.quantity * &self.unit_price * percent * hundredth).with_scale_round(SCALE, RoundingMode::HalfUp)
    }

    /// As the deal's history keeps it.
    pub fn to_json(&self) -> Json {
        let plain = |number: &BigDecimal| number.normalized().to_plain_string();
        json!({
            "id": self.id,
            "productId": self.product_id,
            "name": self.name,
            "quantity": plain(&self.quantity),
            "unitPrice": plain(&self.unit_price),
            "discountPercent": plain(&self.discount_percent),
        })
    }
}

/// What these items come to.
pub fn total(items: &[LineItem]) -> BigDecimal {
    items.iter().map(LineItem::total).sum()
}

/// The deals on a stage that are in one currency.
#[derive(Debug, Clone, PartialEq)]
pub struct StageTotal {
    pub stage: StageId,
    pub currency: String,
    pub deals: i64,
    pub amount: BigDecimal,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> BigDecimal {
        text.parse().expect("a number")
    }

    #[test]
    fn totals_are_exact_to_the_fourth_digit() {
        let total = |quantity: &str, unit_price: &str, discount_percent: &str| {
            let item = LineItem {
                id: LineItemId::new(),
                deal_id: DealId::new(),
                product_id: None,
                name: "A".to_owned(),
                quantity: number(quantity),
                unit_price: number(unit_price),
                discount_percent: number(discount_percent),
                position: 1,
                created_at: DateTime::UNIX_EPOCH,
                updated_at: DateTime::UNIX_EPOCH,
            };
            item.total()
        };
        for (quantity, unit_price, discount_percent, expected) in [
            ("3", "19.99", "0", "59.97"),
            ("1.5", "100", "12.5", "131.25"),
            ("0.5", "0.0001", "0", "0.0001"),
            ("0.0001", "0.4999", "0", "0"),
            ("1", "10", "33.33", "6.667"),
            ("7", "1.2345", "100", "0"),
            ("2", "-5", "10", "-9"),
        ] {
            let found = total(quantity, unit_price, discount_percent);
            assert_eq!(found, number(expected), "{quantity} * {unit_price} less {discount_percent} %");
        }
    }
}
