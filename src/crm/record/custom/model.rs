//! A custom field's definition.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::super::RecordKind;
use crate::{
    base::ids::{CustomFieldId, UserId},
    db::schema::custom_fields,
    text_enum,
};

text_enum! {
    /// What a custom field holds.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "CustomFieldType")]
    pub enum CustomType {
        /// One line of at most 255 characters.
        Text = "text",
        /// A whole number, at most 2^53 - 1 on either side of zero.
        Number = "number",
        /// 15 digits before the point and 4 behind; shown as a string.
        Decimal = "decimal",
        /// A day, `2026-01-31`.
        Date = "date",
        /// An instant, `2026-01-31T09:30:00Z`.
        Time = "time",
        Boolean = "boolean",
        /// One of the field's choices.
        Choice = "choice",
        /// Any of the field's choices.
        MultiChoice = "multi_choice",
        Url = "url",
        Email = "email",
        Phone = "phone",
        /// The id of a user.
        User = "user",
        /// The id of a record of the field's record kind.
        Record = "record",
    }
}

impl CustomType {
    pub fn has_choices(self) -> bool {
        matches!(self, Self::Choice | Self::MultiChoice)
    }

    /// Whether records can be looked up by a value: one that is several has no place in an index.
    pub fn can_be_indexed(self) -> bool {
        self != Self::MultiChoice
    }

    /// Whether it makes sense that no two records have the same.
    pub fn can_be_unique(self) -> bool {
        !matches!(self, Self::MultiChoice | Self::Boolean)
    }
}

/// A field that somebody defined for the records of a kind.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = custom_fields, treat_none_as_null = true)]
pub struct CustomField {
    pub id: CustomFieldId,
    pub kind: RecordKind,
    /// Never changes: values, criteria and exports know the field by it.
    pub key: String,
    pub label: String,
    pub description: Option<String>,
    /// Never changes either.
    pub field_type: CustomType,
    /// Of a choice, in order.
    pub choices: Vec<String>,
    /// Of a record: of which kind.
    pub record_kind: Option<RecordKind>,
    pub is_required: bool,
    /// Among live records; upper and lower case are the same.
    pub is_unique: bool,
    pub is_indexed: bool,
    /// Its place among the kind's fields; counts from 1, and may have gaps.
    pub position: i32,
    pub created_by: UserId,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl CustomField {
    /// Whether its values stand in `custom_values` too.
    pub fn has_rows(&self) -> bool {
        self.is_indexed || self.is_unique
    }
}
