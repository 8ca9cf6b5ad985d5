//! Accounts as the API shows them.

use async_graphql::{Context, ID, Json, Object};
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    change::{self, FieldChangeConnection},
    scalars::{Decimal, json},
    user::UserObject,
};
use crate::{
    connection,
    crm::{Account, RecordKind, accounts::AccountType, record::select},
    graphql::{
        context::both,
        errors::{Nullable, nullable},
        leaves::{Leaves, record_leaf},
        loaders::Loaders,
    },
};

#[derive(Clone)]
pub struct AccountObject(pub Account);

/// A company we do business with.
#[Object(name = "Account")]
impl AccountObject {
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    pub async fn kind(&self) -> RecordKind {
        RecordKind::Account
    }

    pub async fn display_name(&self) -> String {
        self.0.name.clone()
    }

    /// 1 when created, one more with each change. Send it as `expectedVersion` to be told of
    /// changes that you have not seen.
    pub async fn version(&self) -> i32 {
        self.0.version
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Unique among the workspace's accounts.
    async fn account_number(&self) -> Option<&str> {
        self.0.account_number.as_deref()
    }

    async fn website(&self) -> Option<&str> {
        self.0.website.as_deref()
    }

    async fn industry(&self) -> Option<&str> {
        self.0.industry.as_deref()
    }

    async fn annual_revenue(&self) -> Option<Decimal> {
        self.0.annual_revenue.as_ref().map(|revenue| Decimal(revenue.normalized()))
    }

    async fn employees(&self) -> Option<i32> {
        self.0.employees
    }

    #[graphql(name = "type")]
    async fn account_type(&self) -> AccountType {
        self.0.account_type
    }

    async fn phone(&self) -> Option<&str> {
        self.0.phone.as_deref()
    }

    async fn billing_address(&self) -> Option<&str> {
        self.0.billing_address.as_deref()
    }

    async fn billing_city(&self) -> Option<&str> {
        self.0.billing_city.as_deref()
    }

    async fn billing_state(&self) -> Option<&str> {
        self.0.billing_state.as_deref()
    }

    async fn billing_country(&self) -> Option<&str> {
        self.0.billing_country.as_deref()
    }

    async fn billing_postal_code(&self) -> Option<&str> {
        self.0.billing_postal_code.as_deref()
    }

    async fn shipping_address(&self) -> Option<&str> {
        self.0.shipping_address.as_deref()
    }

    async fn shipping_city(&self) -> Option<&str> {
        self.0.shipping_city.as_deref()
    }

    async fn shipping_state(&self) -> Option<&str> {
        self.0.shipping_state.as_deref()
    }

    async fn shipping_country(&self) -> Option<&str> {
        self.0.shipping_country.as_deref()
    }

    async fn shipping_postal_code(&self) -> Option<&str> {
        self.0.shipping_postal_code.as_deref()
    }

    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    async fn owner_id(&self) -> Option<ID> {
        self.0.owner_id.map(Into::into)
    }

    /// Whose account it is.
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

    /// What happened to its fields, the newest first.
    pub async fn history(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<FieldChangeConnection> {
        change::history(context, RecordKind::Account, self.0.id.0, first, after).await
    }

    pub async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    pub async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}

impl Leaves for AccountObject {
    fn leaf(&self, field: &str) -> Option<async_graphql::Value> {
        record_leaf(&self.0, field)
    }
}

connection!(AccountConnection AccountEdge of AccountObject, "AccountConnection" "AccountEdge", count(search: Option<String>, context) {
    let (ctx, caller) = both(context)?;
    select::count::<Account>(ctx, caller, search.as_deref()).await?
});
