//! What a lead became, as the API shows it.

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{account::AccountObject, contact::ContactObject, deal::DealObject, lead::LeadObject, record::linked};
use crate::{
    base::ids::LeadId,
    crm::{RecordKind, leads::Conversion},
    graphql::{
        errors::{Nullable, nullable},
        loaders::{Loaders, OfRecord},
    },
};

pub struct ConversionObject(pub Conversion);

/// What a lead became.
#[Object(name = "LeadConversion")]
impl ConversionObject {
    async fn converted_at(&self) -> DateTime<Utc> {
        self.0.converted_at
    }

    /// The person; null where it was deleted, or is not for you to see.
    async fn contact(&self, context: &Context<'_>) -> Nullable<ContactObject> {
        nullable(linked(context, self.0.contact_id, ContactObject)).await
    }

    /// The company, where the lead became one; null where it was deleted, or is not for you to see.
    async fn account(&self, context: &Context<'_>) -> Nullable<AccountObject> {
        nullable(linked(context, self.0.account_id, AccountObject)).await
    }

    /// The deal, where the lead became one; null where it was deleted, or is not for you to see.
    async fn deal(&self, context: &Context<'_>) -> Nullable<DealObject> {
        nullable(linked(context, self.0.deal_id, DealObject)).await
    }
}

/// What this lead became.
pub async fn converted_to(context: &Context<'_>, lead: LeadId) -> async_graphql::Result<Option<ConversionObject>> {
    Ok(context.data::<Loaders>()?.conversions.load_one(lead).await?.map(ConversionObject))
}

/// The lead that became this record.
pub async fn converted_from(
    context: &Context<'_>,
    kind: RecordKind,
    id: impl Into<Uuid>,
) -> async_graphql::Result<Option<LeadObject>> {
    let record = OfRecord { kind, id: id.into() };
    Ok(context.data::<Loaders>()?.conversions.load_one(record).await?.map(LeadObject))
}
