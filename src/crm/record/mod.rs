//! What all kinds of records have in common. A kind is a struct made by [`record!`](crate::record)
//! with its field table; the operations here work for any of them.

pub mod bulk;
pub mod change;
pub mod custom;
pub mod deletion;
pub mod events;
pub mod field;
pub mod history;
pub mod jobs;
mod keyset;
pub mod ops;
pub mod order;
mod queries;
pub mod search;
pub mod select;
pub mod sight;
pub mod tags;
pub mod value;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use std::future::Future;
use uuid::Uuid;

use crate::{
    auth::{Caller, Permission},
    base::{
        FieldErrors, Result,
        ids::{UserId, WorkspaceId},
    },
    ctx::Ctx,
    db::Tx,
    text_enum,
};
pub use change::Patch;
pub use field::{Field, FieldType};
pub use sight::Sight;
pub use value::{Raw, Value};

text_enum! {
    /// The kinds of records.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "RecordKind")]
    pub enum RecordKind {
        Lead = "lead",
        Contact = "contact",
        Account = "account",
        Deal = "deal",
        Product = "product",
        Task = "task",
    }
}

impl RecordKind {
    /// The table of its records.
    pub fn table(self) -> &'static str {
        match self {
            Self::Lead => "leads",
            Self::Contact => "contacts",
            Self::Account => "accounts",
            Self::Deal => "deals",
            Self::Product => "products",
            Self::Task => "tasks",
        }
    }

    /// The column by which what stands beside a record, such as a note, names one of this kind.
    pub fn link(self) -> &'static str {
        match self {
            Self::Lead => "lead_id",
            Self::Contact => "contact_id",
            Self::Account => "account_id",
            Self::Deal => "deal_id",
            Self::Product => "product_id",
            Self::Task => "task_id",
        }
    }

    /// With its article: "a lead", "an account".
    pub fn with_article(self) -> String {
        let article = if self == Self::Account { "an" } else { "a" };
        format!("{article} {self}")
    }
}

/// A kind of record. Implemented by the `record!` macro but for [`Rules`].
pub trait Record: Rules + Clone + Send + Sync + 'static {
    const KIND: RecordKind;
    /// The table's name in SQL.
    const TABLE: &'static str;
    const FIELDS: &'static [Field];

    /// A record with nothing in it but its defaults.
    fn empty(id: Uuid, created_by: UserId, at: DateTime<Utc>) -> Self;
    fn meta(&self) -> Meta;
    fn owner(&self) -> Option<UserId>;
    fn get(&self, field: &Field) -> Value;
    /// Sets a value that was checked for this very field; a null where none may be is the default.
    fn set(&mut self, field: &Field, value: Value);
    /// Notes one more change at this time.
    fn advance(&mut self, at: DateTime<Utc>);
    fn set_deleted(&mut self, at: Option<DateTime<Utc>>);
    /// The columns that are no fields and that the kind's rules set, with their values.
    fn unlisted(&self) -> Vec<(&'static str, Value)>;

    // SQL, by the macro because diesel's types differ by table
    fn insert_row(
        connection: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        row: &Self,
    ) -> impl Future<Output = Result<()>> + Send;
    fn update_row(
        connection: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        row: &Self,
    ) -> impl Future<Output = Result<()>> + Send;
    /// The row, deleted ones too, locked for this transaction.
    fn lock_row(
        connection: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        id: Uuid,
    ) -> impl Future<Output = Result<Option<Self>>> + Send;
    /// The rows of these ids, deleted ones too, locked for this transaction in the order of their
    /// ids, so that two who lock many never wait for one another in a circle.
    fn lock_rows(
        connection: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        ids: &[Uuid],
    ) -> impl Future<Output = Result<Vec<Self>>> + Send;
    /// Live rows of these ids, in no order.
    fn rows_by_ids(
        connection: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        ids: &[Uuid],
    ) -> impl Future<Output = Result<Vec<Self>>> + Send;
    /// Deleted rows of these ids, in no order.
    fn deleted_rows(
        connection: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        ids: &[Uuid],
    ) -> impl Future<Output = Result<Vec<Self>>> + Send;
    /// Live rows by id, newest first or, backwards, oldest first, beyond the given id.
    fn rows_by_age(
        connection: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        beyond: Option<Uuid>,
        backward: bool,
        limit: i64,
    ) -> impl Future<Output = Result<Vec<Self>>> + Send;
}

/// What differs between kinds besides their fields.
pub trait Rules: Sized {
    const READ: Permission;
    const WRITE: Permission;
    const DELETE: Permission;
    /// As in "Contact not found".
    const NOUN: &'static str;
    /// What the kind looks up once for all records of a transaction, see [`Looked`].
    type Looked: Default + Send;

    /// What belongs to the record and stands in none of its columns: its changes are told by these
    /// names, which are those of the API.
    const PARTS: &'static [&'static str] = &[];

    /// What people call it.
    fn display_name(&self) -> String;

    /// Rules over more than one field, on the record as it would be stored.
    fn check_whole(&self, fields: &mut FieldErrors);

    /// What the kind makes of a merge besides the values of its fields: `self` has them already.
    fn unite(&mut self, _losers: &[Self]) {}

    /// Fills in what must not be empty and has a default that its type does not know.
    fn complete(&mut self) {}

    /// Holds what must be held before a record is locked that is to be changed by this patch; without
    /// one, to be made or taken back with all its fields.
    fn hold(_tx: &mut Tx, _workspace: WorkspaceId, _patch: Option<&Patch>) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Which live record has something already that is beside this record's fields, or that this one
    /// may not have beside it.
    fn in_the_way(&self, _tx: &mut Tx, _workspace: WorkspaceId) -> impl Future<Output = Result<Option<Uuid>>> + Send {
        async { Ok(None) }
    }

    /// What the kind does to a record about to be stored, in the transaction that stores it: the
    /// fields of the patch are set already. `before` is `None` for a creation.
    fn prepare(
        _ctx: &Ctx,
        _tx: &mut Tx,
        _caller: &Caller,
        _before: Option<&Self>,
        _after: &mut Self,
        _patch: &Patch,
        _looked: &mut Self::Looked,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}

/// What was looked up already in a transaction that may change many records, so that all of them ask no more
/// than one.
pub struct Looked<R: Rules> {
    pub kind: R::Looked,
    pub links: custom::Links,
}

impl<R: Rules> Default for Looked<R> {
    fn default() -> Self {
        Self { kind: R::Looked::default(), links: custom::Links::default() }
    }
}

/// The parts of a record that are no fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    pub id: Uuid,
    /// 1 when created; one more with each change.
    pub version: i32,
    pub created_by: UserId,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Defines a kind of record: its struct, its field table and its SQL.
///
/// Each line: column, type, name in GraphQL and criteria, name in REST, field type. Behind `and`
/// stand columns that are no fields: the kind's rules alone set them.
#[macro_export]
macro_rules! record {
    (
        $(#[$doc:meta])*
        pub struct $name:ident in $table:ident as $kind:ident with $id:ident {
            $($column:ident: $type:ty = $api:literal $rest:literal $field_type:expr,)+
        } $(and { $($more:ident: $more_type:ty,)+ })?
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, diesel::Queryable, diesel::Selectable, diesel::Insertable, diesel::AsChangeset)]
        #[diesel(table_name = $crate::db::schema::$table, treat_none_as_null = true)]
        pub struct $name {
            pub id: $crate::base::ids::$id,
            pub version: i32,
            $(pub $column: $type,)+
            $($(pub $more: $more_type,)+)?
            pub owner_id: Option<$crate::base::ids::UserId>,
            pub tags: Vec<String>,
            pub custom_fields: serde_json::Value,
            pub created_by: $crate::base::ids::UserId,
            pub created_at: chrono::DateTime<chrono::Utc>,
            pub updated_at: chrono::DateTime<chrono::Utc>,
            pub deleted_at: Option<chrono::DateTime<chrono::Utc>>,
        }

        impl $crate::crm::record::Record for $name {
            const KIND: $crate::crm::record::RecordKind = $crate::crm::record::RecordKind::$kind;
            const TABLE: &'static str = stringify!($table);
            const FIELDS: &'static [$crate::crm::record::Field] = {
                use $crate::crm::record::{Field, FieldType::*};
                &[
                    $(Field { name: $api, column: stringify!($column), rest: $rest, field_type: $field_type },)+
                    Field { name: "ownerId", column: "owner_id", rest: "assigned_to", field_type: User },
                    Field { name: "tags", column: "tags", rest: "tags", field_type: Tags },
                    Field { name: "customFields", column: "custom_fields", rest: "custom_fields", field_type: Json },
                ]
            };

            fn empty(id: uuid::Uuid, created_by: $crate::base::ids::UserId, at: chrono::DateTime<chrono::Utc>) -> Self {
                Self {
                    id: id.into(),
                    version: 1,
                    $($column: $crate::crm::record::value::Stored::initial(),)+
                    $($($more: $crate::crm::record::value::Stored::initial(),)+)?
                    owner_id: None,
                    tags: Vec::new(),
                    custom_fields: serde_json::json!({}),
                    created_by,
                    created_at: at,
                    updated_at: at,
                    deleted_at: None,
                }
            }

            fn meta(&self) -> $crate::crm::record::Meta {
                $crate::crm::record::Meta {
                    id: self.id.0,
                    version: self.version,
                    created_by: self.created_by,
                    created_at: self.created_at,
                    updated_at: self.updated_at,
                    deleted_at: self.deleted_at,
                }
            }

            fn owner(&self) -> Option<$crate::base::ids::UserId> {
                self.owner_id
            }

            fn get(&self, field: &$crate::crm::record::Field) -> $crate::crm::record::Value {
                use $crate::crm::record::value::Stored;
                match field.column {
                    $(stringify!($column) => self.$column.to_value(),)+
                    "owner_id" => self.owner_id.to_value(),
                    "tags" => self.tags.to_value(),
                    "custom_fields" => self.custom_fields.to_value(),
                    _ => $crate::crm::record::Value::Null,
                }
            }

            fn set(&mut self, field: &$crate::crm::record::Field, value: $crate::crm::record::Value) {
                use $crate::crm::record::value::Stored;
                match field.column {
                    $(stringify!($column) => self.$column = Stored::from_value(value),)+
                    "owner_id" => self.owner_id = Stored::from_value(value),
                    "tags" => self.tags = Stored::from_value(value),
                    "custom_fields" => self.custom_fields = Stored::from_value(value),
                    _ => {}
                }
            }

            fn advance(&mut self, at: chrono::DateTime<chrono::Utc>) {
                self.version += 1;
                self.updated_at = at;
            }

            fn set_deleted(&mut self, at: Option<chrono::DateTime<chrono::Utc>>) {
                self.deleted_at = at;
            }

            fn unlisted(&self) -> Vec<(&'static str, $crate::crm::record::Value)> {
                vec![$($((stringify!($more), $crate::crm::record::value::Stored::to_value(&self.$more)),)+)?]
            }

            $crate::record_queries!($name, $table);
        }
    };
}
