//! What a lead became.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::{
    base::ids::{AccountId, ContactId, DealId, LeadId, UserId},
    db::schema::lead_conversions,
};

/// The conversion of one lead. What it became may be deleted by now.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = lead_conversions)]
pub struct Conversion {
    pub lead_id: LeadId,
    pub contact_id: Option<ContactId>,
    pub account_id: Option<AccountId>,
    pub deal_id: Option<DealId>,
    pub converted_at: DateTime<Utc>,
    pub converted_by: UserId,
}
