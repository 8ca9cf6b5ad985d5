//! A value in SQL, read as what is asked of it, and where indexes have it.

use uuid::Uuid;

use super::super::fields::Asked;
use crate::crm::RecordKind;

/// A value in SQL: a column, or JSON from custom fields or the history.
#[derive(Debug, Clone)]
pub struct Operand {
    pub(super) sql: String,
    pub(super) is_json: bool,
    pub(super) asked: Asked,
    /// Where `custom_values` have it: the field, and the alias whose record it is of.
    pub(super) indexed: Option<(Uuid, String)>,
    /// Where a search text holds it, too: the alias whose record it is of, and the part.
    pub(super) searched: Option<(String, Part)>,
}

impl Operand {
    pub fn json(sql: String, asked: &Asked) -> Self {
        Self { sql, is_json: true, asked: asked.clone(), indexed: None, searched: None }
    }

    pub(super) fn unindexed(mut self) -> Self {
        self.indexed = None;
        self.searched = None;
        self
    }

    /// As jsonb, to be shown.
    pub fn shown(&self) -> String {
        if self.is_json { self.sql.clone() } else { format!("to_jsonb({})", self.sql) }
    }

    pub(super) fn text(&self) -> String {
        if self.is_json { format!("({} #>> '{{}}')", self.sql) } else { self.sql.clone() }
    }

    pub(super) fn number(&self) -> String {
        if self.is_json { format!("custom_number({})", self.sql) } else { self.sql.clone() }
    }

    pub(super) fn time(&self) -> String {
        if self.is_json { format!("custom_time({})", self.sql) } else { self.sql.clone() }
    }

    /// An id, as text where it is JSON.
    pub(super) fn id(&self) -> String {
        if self.is_json { format!("lower({})", self.text()) } else { self.sql.clone() }
    }

    /// True or false, never null.
    pub(super) fn is_empty(&self) -> String {
        let x = &self.sql;
        match (&self.asked, self.is_json) {
            (Asked::Number | Asked::Decimal, true) => format!("{} IS NULL", self.number()),
            (Asked::Date | Asked::Time, true) => format!("{} IS NULL", self.time()),
            (Asked::Boolean, true) => format!("({x} IN ('true', 'false')) IS NOT TRUE"),
            (Asked::Tags | Asked::MultiChoice(_), true) => {
                format!(r#"coalesce({x}, 'null') IN ('null', '[]', '""')"#)
            }
            (_, true) => format!("coalesce({}, '') = ''", self.text()),
            (Asked::Tags | Asked::MultiChoice(_), false) => format!("coalesce({x}, '{{}}') = '{{}}'"),
            (asked, false) if asked.is_text() => format!("coalesce({x}, '') = ''"),
            (_, false) => format!("{x} IS NULL"),
        }
    }
}

/// Where a field stands in a search text: see the migration `search`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    First,
    /// Behind a space.
    Later,
    /// The digits alone.
    Phone,
}

/// Shortest text that the trigram index finds.
pub(super) const FEWEST_SEARCHED: usize = 3;

/// Which part a column is. Lower case of the whole is the lower case of each, spaces being between them.
pub(super) fn part_of(kind: RecordKind, column: &str) -> Option<Part> {
    Some(match (kind, column) {
        (RecordKind::Contact | RecordKind::Lead, "first_name")
        | (RecordKind::Account | RecordKind::Deal | RecordKind::Product, "name")
        | (RecordKind::Task, "title") => Part::First,
        (RecordKind::Contact | RecordKind::Lead, "last_name" | "email")
        | (RecordKind::Lead, "company")
        | (RecordKind::Account, "industry")
        | (RecordKind::Product, "sku")
        | (RecordKind::Deal | RecordKind::Product | RecordKind::Task, "description") => Part::Later,
        (RecordKind::Contact, "phone" | "mobile") | (RecordKind::Lead | RecordKind::Account, "phone") => Part::Phone,
        _ => return None,
    })
}
