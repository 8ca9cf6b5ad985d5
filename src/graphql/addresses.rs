//! Changing the further addresses of contacts.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{
    context::{Repeatable, once},
    errors::parse_id,
    objects::contact::ContactObject,
};
use crate::{
    base::ids::{ContactId, ExtraAddressId},
    crm::contacts::addresses::{self, AddressKind, NewAddress},
};

#[derive(InputObject)]
#[graphql(name = "AddExtraAddressInput")]
pub struct AddExtraAddressInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    contact_id: ID,
    /// The version you read. Refused where somebody has changed the contact's further addresses since.
    expected_version: Option<i32>,
    kind: AddressKind,
    address: String,
    /// What people call it, such as "private".
    label: Option<String>,
}

#[derive(InputObject)]
#[graphql(name = "ExtraAddressInput")]
pub struct ExtraAddressInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    /// The address's id.
    id: ID,
    /// The contact's version as you read it. Refused where somebody has changed its further addresses since.
    expected_version: Option<i32>,
}

#[derive(SimpleObject)]
#[graphql(name = "ExtraAddressPayload")]
pub struct ExtraAddressPayload {
    contact: ContactObject,
}

/// Mutations of further addresses. Each is a version of the contact, which its history tells as
/// `extraAddresses`.
#[derive(Default)]
pub struct AddressMutation;

#[Object(name = "AddressMutation")]
impl AddressMutation {
    /// Adds a further e-mail address or phone number to a contact. An e-mail address that another contact
    /// has, in whatever way, is a `CONFLICT` whose `details.other` names that one.
    async fn add_extra_address(
        &self,
        context: &Context<'_>,
        input: AddExtraAddressInput,
    ) -> async_graphql::Result<ExtraAddressPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let contact: ContactId = parse_id("contactId", &input.contact_id)?;
        let new = NewAddress { kind: input.kind, address: input.address, label: input.label };
        let contact = addresses::add(ctx, &caller, contact, input.expected_version, new).await?;
        Ok(ExtraAddressPayload { contact: ContactObject(contact) })
    }

    /// Removes a further address.
    async fn remove_extra_address(
        &self,
        context: &Context<'_>,
        input: ExtraAddressInput,
    ) -> async_graphql::Result<ExtraAddressPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: ExtraAddressId = parse_id("id", &input.id)?;
        let contact = addresses::remove(ctx, &caller, id, input.expected_version).await?;
        Ok(ExtraAddressPayload { contact: ContactObject(contact) })
    }

    /// Makes a further address the contact's `email` or `phone`; the one before becomes a further one.
    async fn make_address_primary(
        &self,
        context: &Context<'_>,
        input: ExtraAddressInput,
    ) -> async_graphql::Result<ExtraAddressPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: ExtraAddressId = parse_id("id", &input.id)?;
        let contact = addresses::make_primary(ctx, &caller, id, input.expected_version).await?;
        Ok(ExtraAddressPayload { contact: ContactObject(contact) })
    }
}
