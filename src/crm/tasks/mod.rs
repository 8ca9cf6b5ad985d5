//! Tasks: what is to be done, by whom, until when, and about which record.

pub mod jobs;
pub mod letter;
mod queries;
pub mod reminders;

use chrono::{DateTime, Utc};

use crate::{
    auth::{Caller, Permission},
    base::{
        FieldErrors, Result,
        ids::{DealId, LeadId},
    },
    crm::{
        accounts::AccountLink,
        contacts::ContactLink,
        record::{Field, FieldType, Patch, RecordKind, Rules},
    },
    ctx::Ctx,
    db::Tx,
    record, stored_choice, text_enum,
};

text_enum! {
    /// How far a task is.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "TaskStatus")]
    pub enum TaskStatus {
        Pending = "pending",
        InProgress = "in_progress",
        Completed = "completed",
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// How much a task matters.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "TaskPriority")]
    pub enum TaskPriority {
        Low = "low",
        Medium = "medium",
        High = "high",
        Urgent = "urgent",
    }
}

stored_choice!(TaskStatus);
stored_choice!(TaskPriority default Medium);

const STATUSES: FieldType = FieldType::Choice(TaskStatus::WORDS);
const PRIORITIES: FieldType = FieldType::Choice(TaskPriority::WORDS);

/// Another record's lead, and its deal.
pub type LeadLink = Option<LeadId>;
pub type DealLink = Option<DealId>;

/// What a task is about in two words, the kind and the id, however the links are kept: to be filtered and
/// sorted by, never to be set. An index serves the id, with this very expression.
pub const ABOUT: &[Field] = &[
    Field {
        name: "relatedToType",
        column: "(CASE WHEN lead_id IS NOT NULL THEN 'lead' WHEN contact_id IS NOT NULL THEN 'contact' \
                       WHEN account_id IS NOT NULL THEN 'account' WHEN deal_id IS NOT NULL THEN 'deal' END)",
        rest: "related_to_type",
        field_type: FieldType::OptionalChoice(&["lead", "contact", "account", "deal"]),
    },
    Field {
        name: "relatedToId",
        column: "coalesce(lead_id, contact_id, account_id, deal_id)",
        rest: "related_to_id",
        field_type: FieldType::Id,
    },
];

record! {
    /// Something to be done.
    pub struct Task in tasks as Task with TaskId {
        title: String = "title" "title" Text,
        description: Option<String> = "description" "description" LongText,
        status: TaskStatus = "status" "status" STATUSES,
        priority: TaskPriority = "priority" "priority" PRIORITIES,
        due_date: Option<DateTime<Utc>> = "dueDate" "due_date" Instant,
        completed_date: Option<DateTime<Utc>> = "completedDate" "completed_date" Instant,
        reminder: Option<DateTime<Utc>> = "reminder" "reminder" Instant,
        lead_id: LeadLink = "leadId" "lead_id" Link(RecordKind::Lead),
        contact_id: ContactLink = "contactId" "contact_id" Link(RecordKind::Contact),
        account_id: AccountLink = "accountId" "account_id" Link(RecordKind::Account),
        deal_id: DealLink = "dealId" "deal_id" Link(RecordKind::Deal),
        notes: Option<String> = "notes" "notes" LongText,
    }
}

impl Rules for Task {
    type Looked = ();

    const READ: Permission = Permission::TasksRead;
    const WRITE: Permission = Permission::TasksWrite;
    const DELETE: Permission = Permission::TasksDelete;
    const NOUN: &'static str = "Task";

    fn display_name(&self) -> String {
        self.title.clone()
    }

    fn check_whole(&self, fields: &mut FieldErrors) {
        if self.title.is_empty() {
            fields.add("title", "is needed");
        }
        let about =
            [self.lead_id.is_some(), self.contact_id.is_some(), self.account_id.is_some(), self.deal_id.is_some()];
        if about.iter().filter(|is_set| **is_set).count() > 1 {
            for name in ["leadId", "contactId", "accountId", "dealId"] {
                fields.add(name, "cannot be given together with another: a task is about one record");
            }
        }
    }

    /// A task that is done says since when; one that is taken up again does not.
    async fn prepare(
        ctx: &Ctx,
        _: &mut Tx,
        _: &Caller,
        before: Option<&Self>,
        after: &mut Self,
        patch: &Patch,
        _looked: &mut (),
    ) -> Result<()> {
        let was_done = before.is_some_and(|task| task.status == TaskStatus::Completed);
        let is_done = after.status == TaskStatus::Completed;
        if was_done != is_done && !patch.sets("completed_date") {
            after.completed_date = is_done.then(|| ctx.clock.now());
        }
        Ok(())
    }
}
