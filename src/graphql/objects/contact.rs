//! Contacts as the API shows them.

use async_graphql::{Context, ID};
use chrono::{DateTime, Utc};

use super::{
    account::AccountObject,
    address::{ExtraAddressObject, addresses},
    conversion,
    deal::DealConnection,
    lead::LeadObject,
    list::ContactListObject,
    record::{RelatedFilter, linked, related},
    task::TaskConnection,
};
use crate::{
    crm::{
        Contact, RecordKind,
        contacts::{ContactSource, ContactStatus},
        pipelines::StageType,
    },
    graphql::{
        errors::{Nullable, nullable},
        loaders::{Loaders, OfContact},
    },
    record_object,
};

record_object! {
    /// A person we do business with.
    ContactObject of Contact "Contact", ContactConnection ContactEdge "ContactConnection" "ContactEdge", owner "Whose contact it is." {
    async fn first_name(&self) -> Option<&str> {
        self.0.first_name.as_deref()
    }

    async fn last_name(&self) -> Option<&str> {
        self.0.last_name.as_deref()
    }

    /// Normalised: lower case, domain in ASCII. Unique among the workspace's contacts.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    async fn phone(&self) -> Option<&str> {
        self.0.phone.as_deref()
    }

    async fn mobile(&self) -> Option<&str> {
        self.0.mobile.as_deref()
    }

    async fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    async fn department(&self) -> Option<&str> {
        self.0.department.as_deref()
    }

    async fn account_id(&self) -> Option<ID> {
        self.0.account_id.map(Into::into)
    }

    /// The company; null where it was deleted, or is not for you to see.
    async fn account(&self, context: &Context<'_>) -> Nullable<AccountObject> {
        nullable(linked(context, self.0.account_id, AccountObject)).await
    }

    async fn source(&self) -> ContactSource {
        self.0.source
    }

    async fn status(&self) -> ContactStatus {
        self.0.status
    }

    async fn linkedin_url(&self) -> Option<&str> {
        self.0.linkedin_url.as_deref()
    }

    async fn twitter_handle(&self) -> Option<&str> {
        self.0.twitter_handle.as_deref()
    }

    async fn address(&self) -> Option<&str> {
        self.0.address.as_deref()
    }

    async fn city(&self) -> Option<&str> {
        self.0.city.as_deref()
    }

    async fn state(&self) -> Option<&str> {
        self.0.state.as_deref()
    }

    async fn country(&self) -> Option<&str> {
        self.0.country.as_deref()
    }

    async fn postal_code(&self) -> Option<&str> {
        self.0.postal_code.as_deref()
    }

    async fn notes(&self) -> Option<&str> {
        self.0.notes.as_deref()
    }

    async fn last_contact_date(&self) -> Option<DateTime<Utc>> {
        self.0.last_contact_date
    }

    /// Further e-mail addresses and phone numbers, the oldest first; at most 50, unless a merge brought more.
    async fn extra_addresses(&self, context: &Context<'_>) -> async_graphql::Result<Vec<ExtraAddressObject>> {
        addresses(context, self.0.id).await
    }

    /// The lists that it is in and that you see, by name; the first 500.
    async fn lists(&self, context: &Context<'_>) -> async_graphql::Result<Vec<ContactListObject>> {
        let found = context.data::<Loaders>()?.lists.load_one(OfContact(self.0.id)).await?;
        Ok(found.unwrap_or_default().into_iter().map(ContactListObject).collect())
    }

    /// Deals with this person, the newest first.
    async fn deals(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] after: Option<String>,
        #[graphql(desc = "Only those on stages of this type.")] stage_type: Option<StageType>,
    ) -> async_graphql::Result<DealConnection> {
        related(context, "contact_id", self.0.id.0, RelatedFilter { stage_type }, first, after).await
    }

    /// Tasks about this person, the newest first.
    async fn tasks(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] after: Option<String>,
    ) -> async_graphql::Result<TaskConnection> {
        related(context, "contact_id", self.0.id.0, RelatedFilter::default(), first, after).await
    }

    /// The lead that became this contact, the last one where there were several; null where there is none
    /// that you may see.
    async fn converted_from(&self, context: &Context<'_>) -> Nullable<LeadObject> {
        nullable(conversion::converted_from(context, RecordKind::Contact, self.0.id)).await
    }
    }
}
