//! Further addresses of contacts as the API shows them.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use crate::{
    base::ids::ContactId,
    crm::contacts::addresses::{AddressKind, ExtraAddress},
    graphql::loaders::{AddressesOf, Loaders},
};

#[derive(Clone)]
pub struct ExtraAddressObject(pub ExtraAddress);

/// A further way to reach a contact.
#[Object(name = "ExtraAddress")]
impl ExtraAddressObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    async fn kind(&self) -> AddressKind {
        self.0.kind
    }

    /// Normalised as the contact's own e-mail address and phone number are.
    async fn address(&self) -> &str {
        &self.0.address
    }

    /// What people call it, such as "private".
    async fn label(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// Those of a contact.
pub async fn addresses(context: &Context<'_>, contact: ContactId) -> async_graphql::Result<Vec<ExtraAddressObject>> {
    let found = context.data::<Loaders>()?.addresses.load_one(AddressesOf(contact)).await?;
    Ok(found.unwrap_or_default().into_iter().map(ExtraAddressObject).collect())
}
