//! The line items of a deal: what it is about, at what price. They are the deal's own: changing them
//! locks the deal, advances its version, and stands in its history as `lineItems`.

use std::collections::{BTreeSet, HashMap, HashSet};

use bigdecimal::BigDecimal;
use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use super::{
    Deal, LineItem,
    model::{SCALE, total},
    queries,
};
use crate::{
    auth::{Caller, Permission},
    base::{
        Error, FieldErrors, Result,
        ids::{DealId, LineItemId, ProductId},
        text,
    },
    crm::{
        Product,
        record::{
            Record, Rules, Sight,
            change::{self, Difference},
            events::{ChangeAction, changed},
            ops, sight,
        },
    },
    ctx::Ctx,
    db::Tx,
    team::repeat::{self, Turn},
};

/// In the deal's history and its events.
pub const PART: &str = "lineItems";

/// An item as it is sent: of a known one, what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct ItemInput {
    /// Which one; none for a new one.
    pub id: Option<LineItemId>,
    /// An inner `None` takes the product off, and leaves its name and price.
    pub product: Option<Option<ProductId>>,
    pub name: Option<String>,
    pub quantity: Option<BigDecimal>,
    pub unit_price: Option<BigDecimal>,
    pub discount_percent: Option<BigDecimal>,
}

/// What becomes of a deal's items.
#[derive(Debug, Clone, Default)]
pub struct ItemChanges {
    /// All of them, in order: those that are not here go. Alone, without the others.
    pub set: Option<Vec<ItemInput>>,
    pub add: Vec<ItemInput>,
    pub update: Vec<ItemInput>,
    pub remove: Vec<LineItemId>,
    /// Whether the deal's amount becomes their total.
    pub set_amount: bool,
}

/// The items of each of these deals, in order. One statement; deals that the caller does not see
/// have none.
pub async fn of_deals(ctx: &Ctx, caller: &Caller, deals: &[DealId]) -> Result<HashMap<DealId, Vec<LineItem>>> {
    let sight = Sight::of::<Deal>(caller)?;
    let ids = deals.iter().map(|deal| deal.0).collect();
    let mut tx = ctx.db.read(caller).await?;
    let seen = ops::seen_in::<Deal>(&mut tx, caller, sight, ids).await?;
    let seen: Vec<_> = seen.into_iter().map(DealId).collect();
    let mut found: HashMap<_, Vec<_>> = deals.iter().map(|deal| (*deal, Vec::new())).collect();
    for item in queries::line_items(tx.connection(), caller.workspace, &seen).await? {
        found.entry(item.deal_id).or_default().push(item);
    }
    Ok(found)
}

/// Changes the items of a deal. What changes nothing writes nothing. With an expected version it is
/// refused where somebody else has changed the items since.
pub async fn change(
    ctx: &Ctx,
    caller: &Caller,
    id: DealId,
    expected: Option<i32>,
    changes: ItemChanges,
) -> Result<Deal> {
    caller.require(Deal::WRITE)?;
    check_shape(&changes)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => {
            let found = Deal::lock_row(tx.connection(), caller.workspace, id).await?;
            return found.ok_or(Error::NotFound(Deal::NOUN));
        }
    };
    let found = Deal::lock_row(tx.connection(), caller.workspace, id.0).await?;
    let deal = sight::seen(found, Sight::of_writer::<Deal>(caller))?;
    if deal.deleted_at.is_some() {
        return Err(Error::NotFound(Deal::NOUN));
    }
    sight::require_write(caller, &deal)?;
    let names: &[&str] = if changes.set_amount { &[PART, "amount"] } else { &[PART] };
    change::refuse_stale_parts(&mut tx, caller, &deal, expected, names).await?;
    let before = queries::line_items(tx.connection(), caller.workspace, &[id]).await?;
    let set_amount = changes.set_amount;
    let after = Changing { ctx, caller, deal: &deal, before: &before }.items(&mut tx, changes).await?;

    let mut changed_deal = deal.clone();
    if set_amount {
        changed_deal.amount = amount(&after)?;
    }
    let mut difference = Difference::between(&deal, &changed_deal);
    let mut told = difference.names();
    let (old, new) = (as_json(&before), as_json(&after));
    let is_changed = old != new;
    if is_changed {
        told.insert(0, PART);
    }
    if told.is_empty() {
        tx.commit(id).await?;
        return Ok(deal);
    }
    let kept: HashSet<_> = after.iter().map(|item| item.id).collect();
    let gone: Vec<_> = before.iter().map(|item| item.id).filter(|id| !kept.contains(id)).collect();
    let written: Vec<_> = after.iter().filter(|item| !before.contains(item)).cloned().collect();
    queries::delete_line_items(tx.connection(), caller.workspace, id, &gone).await?;
    queries::put_line_items(tx.connection(), caller.workspace, &written).await?;
    changed_deal.advance(ctx.clock.now());
    Deal::update_row(tx.connection(), caller.workspace, &changed_deal).await?;
    let mut event = changed(Deal::KIND, ChangeAction::Updated, &[(id.0, changed_deal.version)], &told);
    if is_changed {
        // for whoever looks from the products' side
        let products: BTreeSet<_> = before.iter().chain(&after).filter_map(|item| item.product_id).collect();
        event.payload["products"] = serde_json::json!(products);
        difference.before.insert(PART.to_owned(), old);
        difference.after.insert(PART.to_owned(), new);
    }
    let (before, after) = (difference.before, difference.after);
    change::record_in(ctx, &mut tx, caller, &changed_deal, before, after).await?;
    ctx.emit(&mut tx, caller, &[event]).await?;
    tx.commit(id).await?;
    Ok(changed_deal)
}

/// What can be told without the deal.
fn check_shape(changes: &ItemChanges) -> Result<()> {
    let mut fields = FieldErrors::new();
    let ItemChanges { set, add, update, remove, .. } = changes;
    if set.is_some() && !(add.is_empty() && update.is_empty() && remove.is_empty()) {
        fields.add("set", "names all items; leave add, update and remove away");
    }
    for (index, item) in add.iter().enumerate() {
        if item.id.is_some() {
            fields.add(format!("add[{index}].id"), "is for items that are there; use update");
        }
    }
    for (index, item) in update.iter().enumerate() {
        if item.id.is_none() {
            fields.add(format!("update[{index}].id"), "is needed");
        }
    }
    let mut known = HashSet::new();
    let named = set.iter().flatten().chain(update).filter_map(|item| item.id).chain(remove.iter().copied());
    for id in named {
        if !known.insert(id) {
            fields.add(if set.is_some() { "set" } else { "update" }, format!("names the item {id} twice"));
        }
    }
    fields.into_result()
}

fn as_json(items: &[LineItem]) -> Json {
    Json::Array(items.iter().map(LineItem::to_json).collect())
}

/// The total as a deal's amount.
fn amount(items: &[LineItem]) -> Result<BigDecimal> {
    let total = total(items);
    match fits(&total, SCALE) {
        true => Ok(total),
        false => Err(Error::invalid("setAmount", "cannot be: the total has more than 15 digits before the point")),
    }
}

/// Whether it has no more digits than the column: 15 before the point, and so many behind.
fn fits(number: &BigDecimal, scale: i64) -> bool {
    number.with_scale(scale) == *number && number.abs() < 1_000_000_000_000_000_i64
}

/// A change under way.
struct Changing<'a> {
    ctx: &'a Ctx,
    caller: &'a Caller,
    deal: &'a Deal,
    before: &'a [LineItem],
}

impl Changing<'_> {
    /// The items as they will be, in order.
    async fn items(&self, tx: &mut Tx, changes: ItemChanges) -> Result<Vec<LineItem>> {
        let sent = changes.set.iter().flatten().chain(&changes.add).chain(&changes.update);
        let products = self.products(tx, sent).await?;
        let now = self.ctx.clock.now();
        let mut fields = FieldErrors::new();
        let mut items: Vec<LineItem> = Vec::new();
        if let Some(set) = &changes.set {
            for (index, sent) in set.iter().enumerate() {
                items.extend(self.item(&mut fields, &format!("set[{index}]"), sent, &products, now));
            }
        } else {
            items.extend(self.before.iter().filter(|item| !changes.remove.contains(&item.id)).cloned());
            for (index, id) in changes.remove.iter().enumerate() {
                if !self.before.iter().any(|item| item.id == *id) {
                    fields.add(format!("remove[{index}]"), "is not an item of this deal");
                }
            }
            for (index, sent) in changes.update.iter().enumerate() {
                let updated = self.item(&mut fields, &format!("update[{index}]"), sent, &products, now);
                let place = items.iter_mut().find(|item| Some(item.id) == sent.id);
                if let (Some(place), Some(updated)) = (place, updated) {
                    *place = updated;
                }
            }
            for (index, sent) in changes.add.iter().enumerate() {
                items.extend(self.item(&mut fields, &format!("add[{index}]"), sent, &products, now));
            }
        }
        let most = self.ctx.limits.line_items_per_deal;
        if items.len() > most {
            fields.add(
                if changes.set.is_some() { "set" } else { "add" },
                format!("must be at most {most} of a deal (limits.line_items_per_deal)"),
            );
        }
        fields.into_result()?;
        for (item, position) in items.iter_mut().zip(1..) {
            item.position = position;
        }
        // the time of a change is no change
        for item in &mut items {
            if let Some(old) = self.before.iter().find(|old| old.id == item.id)
                && (LineItem { updated_at: old.updated_at, ..item.clone() }) == *old
            {
                item.updated_at = old.updated_at;
            }
        }
        Ok(items)
    }

    /// The live products that are named anew. Whoever names one may read it: it lends its name and its
    /// price.
    async fn products<'i>(
        &self,
        tx: &mut Tx,
        sent: impl Iterator<Item = &'i ItemInput>,
    ) -> Result<HashMap<ProductId, Product>> {
        let present: HashSet<_> = self.before.iter().filter_map(|item| item.product_id).collect();
        let named: HashSet<_> = sent.filter_map(|item| item.product.flatten()).collect();
        if named.is_empty() {
            return Ok(HashMap::new());
        }
        if !named.is_subset(&present) {
            self.caller.require(Permission::ProductsRead)?;
        }
        let ids: Vec<_> = named.iter().map(|id| id.0).collect();
        let products = Product::rows_by_ids(tx.connection(), self.caller.workspace, &ids).await?;
        let writer = Sight::of_writer::<Product>(self.caller);
        let seen = products.into_iter().filter(|product| writer.reaches(product.owner_id));
        Ok(seen.map(|product| (product.id, product)).collect())
    }

    /// One item as it will be; notes what is wrong with it under this name.
    fn item(
        &self,
        fields: &mut FieldErrors,
        name: &str,
        sent: &ItemInput,
        products: &HashMap<ProductId, Product>,
        now: DateTime<Utc>,
    ) -> Option<LineItem> {
        let old = sent.id.map(|id| self.before.iter().find(|item| item.id == id));
        let old = match old {
            Some(None) => {
                fields.add(format!("{name}.id"), "is not an item of this deal");
                return None;
            }
            old => old.flatten(),
        };
        let mut item = old.cloned().unwrap_or_else(|| LineItem {
            id: LineItemId::new(),
            deal_id: self.deal.id,
            product_id: None,
            name: String::new(),
            quantity: BigDecimal::from(1),
            unit_price: BigDecimal::default(),
            discount_percent: BigDecimal::default(),
            position: 0,
            created_at: now,
            updated_at: now,
        });
        item.updated_at = now;
        let was = item.product_id;
        item.product_id = sent.product.unwrap_or(was);
        let mut lent = None;
        if item.product_id != was
            && let Some(id) = item.product_id
        {
            lent = products.get(&id);
            if lent.is_none() {
                fields.add(format!("{name}.productId"), "is not a product of this workspace");
                return None;
            }
        }
        match sent.name.as_deref().map(|text| text::clean(text, text::SHORT)) {
            Some(Ok(Some(text))) => item.name = text,
            Some(Err(message)) => fields.add(format!("{name}.name"), message),
            Some(Ok(None)) => fields.add(format!("{name}.name"), "is needed"),
            None => match lent {
                Some(product) => item.name.clone_from(&product.name),
                None if item.name.is_empty() => fields.add(format!("{name}.name"), "is needed without a product"),
                None => {}
            },
        }
        match (&sent.unit_price, lent) {
            (Some(price), _) => item.unit_price = price.clone(),
            (None, Some(product)) if product.currency == self.deal.currency => {
                item.unit_price = product.price.clone();
            }
            (None, Some(product)) => {
                let currencies = (&product.currency, &self.deal.currency);
                let message = format!("is needed: the product's is in {}, the deal in {}", currencies.0, currencies.1);
                fields.add(format!("{name}.unitPrice"), message);
            }
            (None, None) if old.is_none() => fields.add(format!("{name}.unitPrice"), "is needed without a product"),
            (None, None) => {}
        }
        item.quantity = sent.quantity.clone().unwrap_or(item.quantity);
        item.discount_percent = sent.discount_percent.clone().unwrap_or(item.discount_percent);
        self.check_numbers(fields, name, &item);
        Some(item)
    }

    fn check_numbers(&self, fields: &mut FieldErrors, name: &str, item: &LineItem) {
        let zero = BigDecimal::default();
        if item.quantity <= zero || !fits(&item.quantity, SCALE) {
            fields.add(
                format!("{name}.quantity"),
                "must be more than 0, with at most 15 digits before the point and 4 behind",
            );
        }
        if !fits(&item.unit_price, SCALE) {
            fields.add(
                format!("{name}.unitPrice"),
                "must be a number with at most 15 digits before the point and 4 behind",
            );
        }
        let discount = &item.discount_percent;
        if *discount < zero || *discount > 100 || !fits(discount, 2) {
            fields.add(
                format!("{name}.discountPercent"),
                "must be from 0 to 100, with at most 2 digits behind the point",
            );
        }
    }
}
