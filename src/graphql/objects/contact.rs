//! Contacts as the API shows them.

use async_graphql::{Context, ID, Json, Object};
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    account::AccountObject,
    change::{self, FieldChangeConnection},
    list::ContactListObject,
    scalars::json,
    user::UserObject,
};
use crate::{
    connection,
    crm::{
        Contact, RecordKind,
        contacts::{ContactSource, ContactStatus},
        record::select,
    },
    graphql::{
        context::both,
        errors::{Nullable, nullable},
        leaves::{Leaves, record_leaf},
        loaders::{Loaders, OfContact},
    },
};

#[derive(Clone)]
pub struct ContactObject(pub Contact);

/// A person we do business with.
#[Object(name = "Contact")]
impl ContactObject {
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    pub async fn kind(&self) -> RecordKind {
        RecordKind::Contact
    }

    /// The name, else the address, else the number.
    pub async fn display_name(&self) -> String {
        self.0.display_name()
    }

    /// 1 when created, one more with each change. Send it as `expectedVersion` to be told of
    /// changes that you have not seen.
    pub async fn version(&self) -> i32 {
        self.0.version
    }

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

    /// The company; null where it was deleted.
    async fn account(&self, context: &Context<'_>) -> Nullable<AccountObject> {
        nullable(async {
            let Some(id) = self.0.account_id else { return Ok(None) };
            Ok(context.data::<Loaders>()?.accounts.load_one(id).await?.map(AccountObject))
        })
        .await
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

    async fn owner_id(&self) -> Option<ID> {
        self.0.owner_id.map(Into::into)
    }

    /// Whose contact it is.
    pub async fn owner(&self, context: &Context<'_>) -> Nullable<UserObject> {
        nullable(async {
            let Some(id) = self.0.owner_id else { return Ok(None) };
            Ok(context.data::<Loaders>()?.users.load_one(id).await?.map(UserObject::beside))
        })
        .await
    }

    pub async fn tags(&self) -> &[String] {
        &self.0.tags
    }

    pub async fn custom_fields(&self) -> Json<Value> {
        json(&self.0.custom_fields)
    }

    /// The lists that it is in and that you see, by name; the first 500.
    async fn lists(&self, context: &Context<'_>) -> async_graphql::Result<Vec<ContactListObject>> {
        let found = context.data::<Loaders>()?.lists.load_one(OfContact(self.0.id)).await?;
        Ok(found.unwrap_or_default().into_iter().map(ContactListObject).collect())
    }

    /// What happened to its fields, the newest first.
    pub async fn history(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<FieldChangeConnection> {
        change::history(context, RecordKind::Contact, self.0.id.0, first, after).await
    }

    pub async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    pub async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}

impl Leaves for ContactObject {
    fn leaf(&self, field: &str) -> Option<async_graphql::Value> {
        record_leaf(&self.0, field)
    }
}

connection!(ContactConnection ContactEdge of ContactObject, "ContactConnection" "ContactEdge", count(search: Option<String>, context) {
    let (ctx, caller) = both(context)?;
    select::count::<Contact>(ctx, caller, search.as_deref()).await?
});
