//! Tasks as the API shows them.

use async_graphql::{Context, ID};
use chrono::{DateTime, Utc};

use super::{account::AccountObject, contact::ContactObject, deal::DealObject, lead::LeadObject, record::linked};
use crate::{
    crm::{
        Task,
        tasks::{TaskPriority, TaskStatus},
    },
    graphql::errors::{Nullable, nullable},
    record_object,
};

record_object! {
    /// Something to be done.
    TaskObject of Task "Task", TaskConnection TaskEdge "TaskConnection" "TaskEdge", owner "Who does it." {
    async fn title(&self) -> &str {
        &self.0.title
    }

    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    async fn status(&self) -> TaskStatus {
        self.0.status
    }

    async fn priority(&self) -> TaskPriority {
        self.0.priority
    }

    async fn due_date(&self) -> Option<DateTime<Utc>> {
        self.0.due_date
    }

    /// Since when it is done.
    async fn completed_date(&self) -> Option<DateTime<Utc>> {
        self.0.completed_date
    }

    /// When its owner is reminded of it.
    async fn reminder(&self) -> Option<DateTime<Utc>> {
        self.0.reminder
    }

    async fn lead_id(&self) -> Option<ID> {
        self.0.lead_id.map(Into::into)
    }

    /// The lead; null where it was deleted, or is not for you to see.
    async fn lead(&self, context: &Context<'_>) -> Nullable<LeadObject> {
        nullable(linked(context, self.0.lead_id, LeadObject)).await
    }

    async fn contact_id(&self) -> Option<ID> {
        self.0.contact_id.map(Into::into)
    }

    /// The person; null where it was deleted, or is not for you to see.
    async fn contact(&self, context: &Context<'_>) -> Nullable<ContactObject> {
        nullable(linked(context, self.0.contact_id, ContactObject)).await
    }

    async fn account_id(&self) -> Option<ID> {
        self.0.account_id.map(Into::into)
    }

    /// The company; null where it was deleted, or is not for you to see.
    async fn account(&self, context: &Context<'_>) -> Nullable<AccountObject> {
        nullable(linked(context, self.0.account_id, AccountObject)).await
    }

    async fn deal_id(&self) -> Option<ID> {
        self.0.deal_id.map(Into::into)
    }

    /// The deal; null where it was deleted, or is not for you to see.
    async fn deal(&self, context: &Context<'_>) -> Nullable<DealObject> {
        nullable(linked(context, self.0.deal_id, DealObject)).await
    }

    async fn notes(&self) -> Option<&str> {
        self.0.notes.as_deref()
    }
    }
}
