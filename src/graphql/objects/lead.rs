//! Leads as the API shows them.

use async_graphql::Context;
use chrono::{DateTime, Utc};

use super::{
    conversion::{self, ConversionObject},
    record::{RelatedFilter, related},
    scalars::Decimal,
    task::TaskConnection,
};
use crate::{
    crm::{Lead, contacts::ContactSource, leads::LeadStatus},
    graphql::errors::{Nullable, nullable},
    record_object,
};

record_object! {
    /// A person who may become a customer.
    LeadObject of Lead "Lead", LeadConnection LeadEdge "LeadConnection" "LeadEdge", owner "Whose lead it is." {
    async fn first_name(&self) -> Option<&str> {
        self.0.first_name.as_deref()
    }

    async fn last_name(&self) -> Option<&str> {
        self.0.last_name.as_deref()
    }

    /// Normalised: lower case, domain in ASCII.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    async fn phone(&self) -> Option<&str> {
        self.0.phone.as_deref()
    }

    async fn company(&self) -> Option<&str> {
        self.0.company.as_deref()
    }

    async fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    async fn source(&self) -> ContactSource {
        self.0.source
    }

    async fn status(&self) -> LeadStatus {
        self.0.status
    }

    /// From 0 to 100.
    async fn lead_score(&self) -> i32 {
        self.0.lead_score
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

    async fn website(&self) -> Option<&str> {
        self.0.website.as_deref()
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

    async fn converted_date(&self) -> Option<DateTime<Utc>> {
        self.0.converted_date
    }

    /// What it became; null where it was not converted.
    async fn converted_to(&self, context: &Context<'_>) -> Nullable<ConversionObject> {
        nullable(conversion::converted_to(context, self.0.id)).await
    }

    async fn last_contact_date(&self) -> Option<DateTime<Utc>> {
        self.0.last_contact_date
    }

    /// Tasks about this lead, the newest first.
    async fn tasks(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] after: Option<String>,
    ) -> async_graphql::Result<TaskConnection> {
        related(context, "lead_id", self.0.id.0, RelatedFilter::default(), first, after).await
    }
    }
}
