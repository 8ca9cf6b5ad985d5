//! Leads: people who may become customers. One belongs to whoever works on it, or to nobody yet; a
//! sales representative sees only those. Converting one makes a contact of it (see `convert`).

pub mod convert;
mod model;
pub mod overview;
mod queries;

use bigdecimal::BigDecimal;
use chrono::{DateTime, Utc};

use crate::{
    auth::{Caller, Permission, Via},
    base::{FieldErrors, Result},
    crm::{
        contacts::SOURCES,
        record::{FieldType, Patch, Rules},
    },
    ctx::Ctx,
    db::Tx,
    record, stored_choice, text_enum,
};

pub use crate::crm::contacts::ContactSource as LeadSource;
pub use model::Conversion;

text_enum! {
    /// How far a lead is.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "LeadStatus")]
    pub enum LeadStatus {
        New = "new",
        Contacted = "contacted",
        Qualified = "qualified",
        Unqualified = "unqualified",
        Converted = "converted",
    }
}

stored_choice!(LeadStatus);

const STATUSES: FieldType = FieldType::Choice(LeadStatus::WORDS);

record! {
    /// A person who may become a customer.
    pub struct Lead in leads as Lead with LeadId {
        first_name: Option<String> = "firstName" "first_name" Text,
        last_name: Option<String> = "lastName" "last_name" Text,
        email: Option<String> = "email" "email" Email,
        phone: Option<String> = "phone" "phone" Phone,
        company: Option<String> = "company" "company" Text,
        title: Option<String> = "title" "title" Text,
        source: LeadSource = "source" "source" SOURCES,
        status: LeadStatus = "status" "status" STATUSES,
        lead_score: i32 = "leadScore" "lead_score" Percent,
        industry: Option<String> = "industry" "industry" Text,
        annual_revenue: Option<BigDecimal> = "annualRevenue" "annual_revenue" Decimal,
        employees: Option<i32> = "employees" "employees" Count,
        website: Option<String> = "website" "website" Url,
        address: Option<String> = "address" "address" LongText,
        city: Option<String> = "city" "city" Text,
        state: Option<String> = "state" "state" Text,
        country: Option<String> = "country" "country" Text,
        postal_code: Option<String> = "postalCode" "postal_code" Text,
        notes: Option<String> = "notes" "notes" LongText,
        converted_date: Option<DateTime<Utc>> = "convertedDate" "converted_date" Instant,
        last_contact_date: Option<DateTime<Utc>> = "lastContactDate" "last_contact_date" Instant,
    }
}

impl Rules for Lead {
    type Looked = ();

    const READ: Permission = Permission::LeadsRead;
    const WRITE: Permission = Permission::LeadsWrite;
    const DELETE: Permission = Permission::LeadsDelete;
    const NOUN: &'static str = "Lead";

    fn display_name(&self) -> String {
        let name = [&self.first_name, &self.last_name].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
        if !name.is_empty() {
            return name;
        }
        [&self.company, &self.email, &self.phone].into_iter().flatten().next().cloned().unwrap_or_default()
    }

    fn check_whole(&self, fields: &mut FieldErrors) {
        let known = [&self.first_name, &self.last_name, &self.email, &self.phone, &self.company];
        if known.iter().all(|value| value.is_none()) {
            fields.add("lastName", "or a first name, a company, an e-mail address or a phone number is needed");
        }
    }

    /// Where one of them was converted, all of it was.
    fn unite(&mut self, losers: &[Self]) {
        if losers.iter().any(|loser| loser.status == LeadStatus::Converted) {
            self.status = LeadStatus::Converted;
        }
    }

    /// Whoever enters a lead works on it, unless they say who does. When it counts as converted, the
    /// time is noted.
    async fn prepare(
        ctx: &Ctx,
        _: &mut Tx,
        caller: &Caller,
        before: Option<&Self>,
        after: &mut Self,
        patch: &Patch,
        _looked: &mut (),
    ) -> Result<()> {
        if before.is_none() && !patch.sets("owner_id") && matches!(caller.via, Via::Graphql | Via::Rest) {
            after.owner_id = Some(caller.user);
        }
        let was = before.map(|lead| lead.status);
        if after.status == LeadStatus::Converted && was != Some(after.status) && after.converted_date.is_none() {
            after.converted_date = Some(ctx.clock.now());
        }
        Ok(())
    }
}
