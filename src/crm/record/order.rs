//! The nouns of lists: orders, cursors, numbered pages.

use std::borrow::Cow;

use bigdecimal::BigDecimal;
use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Field, FieldType, RecordKind, Value};
use crate::{base::page::PageRequest, crm::stage_type::StageType};

/// An order with an index behind it. Ties are broken by id, in the same direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Order {
    /// `None`: by age, which is by id.
    pub field: Option<Sort>,
    pub descending: bool,
}

/// What records are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sort {
    pub column: &'static str,
    pub sql_type: &'static str,
}

impl Order {
    pub const NEWEST_FIRST: Self = Self { field: None, descending: true };

    fn column(self) -> &'static str {
        self.field.map_or("id", |sort| sort.column)
    }
}

impl Sort {
    pub const UPDATED_AT: Self = Self { column: "updated_at", sql_type: "timestamptz" };

    /// Stages come in the order of their pipeline: their ids say nothing.
    const STAGE: Self = Self {
        column: "(SELECT s.position FROM pipeline_stages s \
                   WHERE s.workspace_id = deals.workspace_id AND s.id = deals.stage_id)",
        sql_type: "integer",
    };

    pub fn by(field: &Field) -> Self {
        if matches!(field.field_type, FieldType::Stage) {
            return Self::STAGE;
        }
        Self { column: field.column, sql_type: field.sql_type() }
    }
}

/// A cursor: where one stands in a list. It knows its list, so that a cursor of another one is
/// refused and not taken for a place in this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// Table and column.
    #[serde(rename = "l")]
    list: (Cow<'static, str>, Cow<'static, str>),
    /// The sorted value as text; `None` for null, and for the order by age.
    #[serde(rename = "v")]
    pub value: Option<String>,
    #[serde(rename = "i")]
    pub id: Uuid,
}

impl At {
    pub fn new(table: &'static str, order: Order, value: Option<String>, id: Uuid) -> Self {
        Self { list: (table.into(), order.column().into()), value, id }
    }

    /// Whether it is a place in this list, in either direction. Cursors come back from clients, so
    /// the value must be one that the column can be compared with.
    pub fn is_of(&self, table: &'static str, order: Order) -> bool {
        let comparable = match (&self.value, order.field) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(value), Some(Sort { sql_type: "timestamptz", .. })) => {
                let at = DateTime::parse_from_str(value, "%Y-%m-%d %H:%M:%S%.f%#z");
                at.is_ok_and(|at| (1..=9999).contains(&at.year()))
            }
            (Some(value), Some(Sort { sql_type: "integer", .. })) => value.parse::<i32>().is_ok(),
            (Some(value), Some(Sort { sql_type: "numeric", .. })) => {
                value.len() <= 40 && !value.contains(['e', 'E']) && value.parse::<BigDecimal>().is_ok()
            }
            (Some(value), Some(Sort { sql_type: "uuid", .. })) => Uuid::try_parse(value).is_ok(),
            (Some(value), Some(_)) => !value.contains('\0'),
        };
        self.list.0 == table && self.list.1 == order.column() && comparable
    }
}

/// A cursor of a history: the change's time, whose change it was (the record's own, or one's that was
/// merged into it), version and column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place(pub DateTime<Utc>, pub Uuid, pub i32, pub String);

impl Place {
    /// Whether the database can compare it.
    pub fn is_sound(&self) -> bool {
        (1..=9999).contains(&self.0.year()) && !self.3.contains('\0')
    }
}

/// A cursor of what was deleted: when, and its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedPlace(pub DateTime<Utc>, pub Uuid);

impl DeletedPlace {
    /// Whether the database can compare it.
    pub fn is_sound(&self) -> bool {
        (1..=9999).contains(&self.0.year())
    }
}

/// What REST's lists ask for.
#[derive(Debug, Clone, Default)]
pub struct Numbered {
    /// Counts from 1.
    pub page: i64,
    pub limit: i64,
    pub search: Option<String>,
    /// Column and direction; by age when `None`.
    pub sort: Option<(Sort, bool)>,
    /// Equality, after checking; a null matches what is empty.
    pub filters: Vec<(&'static Field, Value)>,
}

impl Numbered {
    /// How many records stand before the page.
    pub fn offset(&self) -> i64 {
        self.page.saturating_sub(1).saturating_mul(self.limit)
    }
}

/// The records of a kind that lead to another record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Related {
    /// Theirs.
    pub kind: RecordKind,
    /// By which they lead there.
    pub column: &'static str,
    pub to: Uuid,
    pub filter: RelatedFilter,
}

/// What of them is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct RelatedFilter {
    /// Of deals: on stages of this type.
    pub stage_type: Option<StageType>,
}

/// Whether rows are read against their display order.
pub fn reads_descending(order: Order, request: &PageRequest<At>) -> bool {
    order.descending != request.is_backward()
}
