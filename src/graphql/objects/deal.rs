//! Deals as the API shows them.

use async_graphql::{Context, ID};
use chrono::{DateTime, Utc};

use super::{
    account::AccountObject,
    contact::ContactObject,
    conversion,
    lead::LeadObject,
    line_item::LineItemObject,
    pipeline::{self, StageObject, StageTimeObject},
    record::{RelatedFilter, linked, related},
    scalars::Decimal,
    task::TaskConnection,
};
use crate::{
    base::ids::DealId,
    crm::{
        Deal, RecordKind,
        contacts::ContactSource,
        deals::{self, LineItem},
    },
    graphql::{
        errors::{Nullable, nullable},
        loaders::{LineItemsOf, Loaders, StageTimesOf},
    },
    record_object,
};

record_object! {
    /// A sale that may come about.
    DealObject of Deal "Deal", DealConnection DealEdge "DealConnection" "DealEdge", owner "Whose deal it is." {
    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn amount(&self) -> Decimal {
        Decimal(self.0.amount.normalized())
    }

    /// The three letters of the amount's currency.
    async fn currency(&self) -> &str {
        &self.0.currency
    }

    async fn pipeline_id(&self) -> ID {
        self.0.pipeline_id.into()
    }

    async fn stage_id(&self) -> ID {
        self.0.stage_id.into()
    }

    /// How likely it is, in percent; a stage brings its own.
    async fn probability(&self) -> i32 {
        self.0.probability
    }

    async fn expected_close_date(&self) -> Option<DateTime<Utc>> {
        self.0.expected_close_date
    }

    /// When it was won or lost.
    async fn close_date(&self) -> Option<DateTime<Utc>> {
        self.0.close_date
    }

    async fn account_id(&self) -> Option<ID> {
        self.0.account_id.map(Into::into)
    }

    /// The company; null where it was deleted, or is not for you to see.
    async fn account(&self, context: &Context<'_>) -> Nullable<AccountObject> {
        nullable(linked(context, self.0.account_id, AccountObject)).await
    }

    async fn contact_id(&self) -> Option<ID> {
        self.0.contact_id.map(Into::into)
    }

    /// The person; null where it was deleted, or is not for you to see.
    async fn contact(&self, context: &Context<'_>) -> Nullable<ContactObject> {
        nullable(linked(context, self.0.contact_id, ContactObject)).await
    }

    async fn lead_source(&self) -> Option<ContactSource> {
        self.0.lead_source
    }

    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    async fn next_step(&self) -> Option<&str> {
        self.0.next_step.as_deref()
    }

    async fn loss_reason(&self) -> Option<&str> {
        self.0.loss_reason.as_deref()
    }

    /// Tasks about this deal, the newest first.
    async fn tasks(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] after: Option<String>,
    ) -> async_graphql::Result<TaskConnection> {
        related(context, "deal_id", self.0.id.0, RelatedFilter::default(), first, after).await
    }

    /// Since when it has stood on its stage.
    async fn stage_entered_at(&self) -> DateTime<Utc> {
        self.0.stage_entered_at
    }

    /// How long it stood on which stages, the first one first; the last 500 changes at most.
    async fn stage_history(&self, context: &Context<'_>) -> async_graphql::Result<Vec<StageTimeObject>> {
        let times = context.data::<Loaders>()?.stage_times.load_one(StageTimesOf(self.0.id)).await?;
        Ok(times.unwrap_or_default().into_iter().map(Into::into).collect())
    }

    /// What it is about, in order; at most 500.
    async fn line_items(&self, context: &Context<'_>) -> async_graphql::Result<Vec<LineItemObject>> {
        Ok(line_items(context, self.0.id).await?.into_iter().map(LineItemObject).collect())
    }

    /// What the line items come to; the amount may be another one.
    async fn line_items_total(&self, context: &Context<'_>) -> async_graphql::Result<Decimal> {
        Ok(Decimal(deals::total(&line_items(context, self.0.id).await?).normalized()))
    }

    async fn stage(&self, context: &Context<'_>) -> async_graphql::Result<StageObject> {
        pipeline::stage(context, self.0.stage_id).await
    }

    /// The lead that became this deal, the last one where there were several; null where there is none
    /// that you may see.
    async fn converted_from(&self, context: &Context<'_>) -> Nullable<LeadObject> {
        nullable(conversion::converted_from(context, RecordKind::Deal, self.0.id)).await
    }
    }
}

async fn line_items(context: &Context<'_>, deal: DealId) -> async_graphql::Result<Vec<LineItem>> {
    Ok(context.data::<Loaders>()?.line_items.load_one(LineItemsOf(deal)).await?.unwrap_or_default())
}
