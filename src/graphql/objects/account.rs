//! Accounts as the API shows them.

use async_graphql::Context;

use super::{
    contact::ContactConnection,
    conversion,
    deal::DealConnection,
    lead::LeadObject,
    record::{RelatedFilter, related},
    scalars::Decimal,
    task::TaskConnection,
};
use crate::{
    crm::{Account, RecordKind, accounts::AccountType, pipelines::StageType},
    graphql::errors::{Nullable, nullable},
    record_object,
};

record_object! {
    /// A company we do business with.
    AccountObject of Account "Account", AccountConnection AccountEdge "AccountConnection" "AccountEdge", owner "Whose account it is." {
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
        self.0.annual_revenue.as_ref().map(|number| Decimal(number.normalized()))
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

    /// The people of this company, the newest first.
    async fn contacts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] after: Option<String>,
    ) -> async_graphql::Result<ContactConnection> {
        related(context, "account_id", self.0.id.0, RelatedFilter::default(), first, after).await
    }

    /// Deals with this company, the newest first.
    async fn deals(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] after: Option<String>,
        #[graphql(desc = "Only those on stages of this type.")] stage_type: Option<StageType>,
    ) -> async_graphql::Result<DealConnection> {
        related(context, "account_id", self.0.id.0, RelatedFilter { stage_type }, first, after).await
    }

    /// Tasks about this company, the newest first.
    async fn tasks(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] after: Option<String>,
    ) -> async_graphql::Result<TaskConnection> {
        related(context, "account_id", self.0.id.0, RelatedFilter::default(), first, after).await
    }

    /// The lead that became this account, the last one where there were several; null where there is none
    /// that you may see.
    async fn converted_from(&self, context: &Context<'_>) -> Nullable<LeadObject> {
        nullable(conversion::converted_from(context, RecordKind::Account, self.0.id)).await
    }
    }
}
