//! Changing the line items of deals.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::{
    context::{Repeatable, once},
    errors::parse_id,
    objects::{deal::DealObject, scalars::Decimal},
};
use crate::{
    base::{Error, Result, ids::DealId},
    crm::deals::line_items::{self, ItemChanges, ItemInput},
};

#[derive(InputObject)]
#[graphql(name = "DealLineItemInput")]
pub struct DealLineItemInput {
    /// Of an item that is there: what is absent of it stays. None makes a new one.
    id: Option<ID>,
    /// Lends its name and, where it is in the deal's currency, its price, unless they are given. A
    /// null takes the product off.
    product_id: MaybeUndefined<ID>,
    /// Needed for a new item without a product.
    name: Option<String>,
    /// More than 0; 1 unless told.
    quantity: Option<Decimal>,
    /// In the deal's currency.
    unit_price: Option<Decimal>,
    /// From 0 to 100; 0 unless told.
    discount_percent: Option<Decimal>,
}

impl DealLineItemInput {
    fn read(self) -> Result<ItemInput> {
        let product = match self.product_id {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(id) => Some(Some(parse_id("productId", &id)?)),
        };
        Ok(ItemInput {
            id: self.id.map(|id| parse_id("id", &id)).transpose()?,
            product,
            name: self.name,
            quantity: self.quantity.map(|number| number.0),
            unit_price: self.unit_price.map(|number| number.0),
            discount_percent: self.discount_percent.map(|number| number.0),
        })
    }
}

#[derive(InputObject)]
#[graphql(name = "SetDealLineItemsInput")]
pub struct SetDealLineItemsInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    deal_id: ID,
    /// The version you read. Refused where somebody has changed the items since; without it the last
    /// one wins.
    expected_version: Option<i32>,
    /// All items, in order: those that are not here go. Without the other three.
    set: Option<Vec<DealLineItemInput>>,
    /// New ones, behind the others.
    #[graphql(default)]
    add: Vec<DealLineItemInput>,
    /// Changes of items that are there, by their ids.
    #[graphql(default)]
    update: Vec<DealLineItemInput>,
    /// The ids of items that go.
    #[graphql(default)]
    remove: Vec<ID>,
    /// Makes the items' total the deal's amount.
    #[graphql(default)]
    set_amount: bool,
}

#[derive(SimpleObject)]
#[graphql(name = "SetDealLineItemsPayload")]
pub struct SetDealLineItemsPayload {
    deal: DealObject,
}

/// Mutations of line items.
#[derive(Default)]
pub struct LineItemMutation;

#[Object(name = "LineItemMutation")]
impl LineItemMutation {
    /// Changes what a deal is about; at most 500 items. It is one change of the deal, which its
    /// history tells as `lineItems`.
    async fn set_deal_line_items(
        &self,
        context: &Context<'_>,
        input: SetDealLineItemsInput,
    ) -> async_graphql::Result<SetDealLineItemsPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let deal: DealId = parse_id("dealId", &input.deal_id)?;
        let items =
            |items: Vec<DealLineItemInput>| items.into_iter().map(DealLineItemInput::read).collect::<Result<_>>();
        let changes = ItemChanges {
            set: input.set.map(items).transpose()?,
            add: items(input.add)?,
            update: items(input.update)?,
            remove: input.remove.iter().map(|id| parse_id("remove", id)).collect::<Result<_, Error>>()?,
            set_amount: input.set_amount,
        };
        let deal = line_items::change(ctx, &caller, deal, input.expected_version, changes).await?;
        Ok(SetDealLineItemsPayload { deal: DealObject(deal) })
    }
}
