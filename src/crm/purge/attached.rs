//! The rows that name a record by a foreign key, and what becomes of each when the record goes. A test
//! finds every foreign key in the database and misses those that are not here.

use crate::crm::RecordKind::{self, Account, Contact, Deal, Lead, Product, Task};

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Removed,
    /// Its link becomes empty.
    Unlinked,
    /// The same of records, by the kind and the name of the field: criteria read those.
    RecordUnlinked(RecordKind, &'static str),
}

/// Rows of a table that name a record in the column that is called after its kind.
#[derive(Debug, Clone, Copy)]
pub struct Attached {
    pub to: RecordKind,
    pub table: &'static str,
    pub end: End,
}

const fn attached(to: RecordKind, table: &'static str, end: End) -> Attached {
    Attached { to, table, end }
}

const ALL: &[Attached] = &[
    attached(Lead, "notes", End::Removed),
    attached(Contact, "notes", End::Removed),
    attached(Account, "notes", End::Removed),
    attached(Deal, "notes", End::Removed),
    attached(Product, "notes", End::Removed),
    attached(Task, "notes", End::Removed),
    attached(Contact, "contact_extra_addresses", End::Removed),
    attached(Deal, "deal_products", End::Removed),
    attached(Product, "deal_products", End::Unlinked),
    attached(Lead, "lead_conversions", End::Removed),
    attached(Contact, "lead_conversions", End::Unlinked),
    attached(Account, "lead_conversions", End::Unlinked),
    attached(Deal, "lead_conversions", End::Unlinked),
    attached(Account, "contacts", End::RecordUnlinked(Contact, "accountId")),
    attached(Contact, "deals", End::RecordUnlinked(Deal, "contactId")),
    attached(Account, "deals", End::RecordUnlinked(Deal, "accountId")),
    attached(Lead, "tasks", End::RecordUnlinked(Task, "leadId")),
    attached(Contact, "tasks", End::RecordUnlinked(Task, "contactId")),
    attached(Account, "tasks", End::RecordUnlinked(Task, "accountId")),
    attached(Deal, "tasks", End::RecordUnlinked(Task, "dealId")),
];

/// What may name a record of this kind.
pub fn to(kind: RecordKind) -> impl Iterator<Item = &'static Attached> {
    ALL.iter().filter(move |attached| attached.to == kind)
}
