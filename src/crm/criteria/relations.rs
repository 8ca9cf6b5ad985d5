//! What records are related to, several at a time: data, so that features to the right can add theirs.

use std::sync::{PoisonError, RwLock};

use super::{
    fields::{Asked, Entity, FieldDef, fields_of},
    tree::Relation,
};
use crate::crm::RecordKind;

/// A link to any number of things. In the SQL `{a}` is whose link it is, `{b}` what it leads to, and
/// `$1` the workspace; aliases that begin with `{b}` are free for tables in between.
#[derive(Debug)]
pub struct RelationDef {
    pub name: Relation,
    pub from: RecordKind,
    pub to: Entity,
    pub table: &'static str,
    pub join: &'static str,
    /// What else makes one count.
    pub live: &'static str,
    /// The linked thing's id.
    pub key: &'static str,
    pub link: Link,
    /// What it has besides the fields of its kind: name, SQL with `{}` for the alias, type.
    pub extra: fn() -> Vec<(&'static str, &'static str, Asked)>,
}

/// What says who is linked: whose change moves the link.
#[derive(Debug, Clone, Copy)]
pub enum Link {
    /// A field of the record itself.
    Own(&'static str),
    /// A field of the linked record, and its column.
    Theirs { field: &'static str, column: &'static str },
    /// A table in between: changes are told about this thing under this field, with the ids of this
    /// end's records.
    Between { told_of: &'static str, field: &'static str },
}

impl RelationDef {
    pub fn fields(&self) -> Vec<FieldDef> {
        let extra = (self.extra)().into_iter();
        let extra = extra.map(|(name, sql, asked)| FieldDef { name, sql, asked, through: None, history: false });
        extra.chain(fields_of(self.to)).collect()
    }
}

fn nothing() -> Vec<(&'static str, &'static str, Asked)> {
    Vec::new()
}

fn list_fields() -> Vec<(&'static str, &'static str, Asked)> {
    vec![("id", "id", Asked::Id), ("name", "name", Asked::Text), ("enteredAt", "{}m.entered_at", Asked::Time)]
}

fn line_fields() -> Vec<(&'static str, &'static str, Asked)> {
    vec![("quantity", "{}l.quantity", Asked::Decimal), ("unitPrice", "{}l.unit_price", Asked::Decimal)]
}

macro_rules! by_their_field {
    ($($from:ident $name:ident -> $to:ident $table:literal by $column:literal ($field:literal);)+) => {
        &[$(RelationDef {
            name: Relation::$name,
            from: RecordKind::$from,
            to: Entity::Record(RecordKind::$to),
            table: concat!($table, " {b}"),
            join: concat!("{b}.workspace_id = $1 AND {b}.", $column, " = {a}.id"),
            live: "{b}.deleted_at IS NULL",
            key: "{b}.id",
            link: Link::Theirs { field: $field, column: $column },
            extra: nothing,
        },)+]
    };
}

macro_rules! by_own_field {
    ($($from:ident $name:ident -> $to:ident $table:literal by $column:literal ($field:literal);)+) => {
        &[$(RelationDef {
            name: Relation::$name,
            from: RecordKind::$from,
            to: Entity::Record(RecordKind::$to),
            table: concat!($table, " {b}"),
            join: concat!("{b}.workspace_id = $1 AND {b}.id = {a}.", $column),
            live: "{b}.deleted_at IS NULL",
            key: "{b}.id",
            link: Link::Own($field),
            extra: nothing,
        },)+]
    };
}

const THEIRS: &[RelationDef] = by_their_field! {
    Contact Deals -> Deal "deals" by "contact_id" ("contactId");
    Contact Tasks -> Task "tasks" by "contact_id" ("contactId");
    Account Contacts -> Contact "contacts" by "account_id" ("accountId");
    Account Deals -> Deal "deals" by "account_id" ("accountId");
    Account Tasks -> Task "tasks" by "account_id" ("accountId");
    Deal Tasks -> Task "tasks" by "deal_id" ("dealId");
    Lead Tasks -> Task "tasks" by "lead_id" ("leadId");
};

const OWN: &[RelationDef] = by_own_field! {
    Contact Account -> Account "accounts" by "account_id" ("accountId");
    Deal Contact -> Contact "contacts" by "contact_id" ("contactId");
    Deal Account -> Account "accounts" by "account_id" ("accountId");
};

const BETWEEN: &[RelationDef] = &[
    RelationDef {
        name: Relation::Lists,
        from: RecordKind::Contact,
        to: Entity::Other("list"),
        table: "list_members {b}m JOIN contact_lists {b} ON {b}.workspace_id = $1 AND {b}.id = {b}m.list_id",
        join: "{b}m.workspace_id = $1 AND {b}m.record_id = {a}.id",
        live: "NOT {b}m.is_suspended AND {b}.deleted_at IS NULL",
        key: "{b}.id",
        link: Link::Between { told_of: "list_member", field: "listId" },
        extra: list_fields,
    },
    // one per line of the deal: quantity and price are the line's
    RelationDef {
        name: Relation::Products,
        from: RecordKind::Deal,
        to: Entity::Record(RecordKind::Product),
        table: "deal_products {b}l JOIN products {b} ON {b}.workspace_id = $1 AND {b}.id = {b}l.product_id",
        join: "{b}l.workspace_id = $1 AND {b}l.deal_id = {a}.id",
        live: "{b}.deleted_at IS NULL",
        key: "{b}.id",
        link: Link::Between { told_of: "deal", field: "lineItems" },
        extra: line_fields,
    },
    RelationDef {
        name: Relation::Deals,
        from: RecordKind::Product,
        to: Entity::Record(RecordKind::Deal),
        table: "deals {b}",
        join: "{b}.workspace_id = $1 AND {b}.id IN (SELECT {b}l.deal_id FROM deal_products {b}l \
               WHERE {b}l.workspace_id = $1 AND {b}l.product_id = {a}.id)",
        live: "{b}.deleted_at IS NULL",
        key: "{b}.id",
        link: Link::Between { told_of: "product", field: "deals" },
        extra: nothing,
    },
];

static ADDED: RwLock<Vec<&'static [RelationDef]>> = RwLock::new(Vec::new());

/// Makes a feature's relations known; at the start of the program, once. Those that are known already
/// are not added again.
pub fn register(relations: &'static [RelationDef]) {
    let mut added = ADDED.write().unwrap_or_else(PoisonError::into_inner);
    if !added.iter().any(|known| std::ptr::eq(*known, relations)) {
        added.push(relations);
    }
}

/// The relations of a kind.
pub fn relations_of(kind: RecordKind) -> Vec<&'static RelationDef> {
    let added = ADDED.read().unwrap_or_else(PoisonError::into_inner).clone();
    let all = [THEIRS, OWN, BETWEEN].into_iter().chain(added);
    all.flatten().filter(|relation| relation.from == kind).collect()
}

pub fn find(kind: RecordKind, name: Relation) -> Option<&'static RelationDef> {
    relations_of(kind).into_iter().find(|relation| relation.name == name)
}
