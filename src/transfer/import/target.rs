//! What an import needs to know of the kind of record that it makes: all of it stands in the
//! kind's field table and rules, gathered here so that the engine itself is not generic.

use chrono::DateTime;
use uuid::Uuid;

use crate::{
    auth::Permission,
    base::{Error, FieldErrors, Result, ids::UserId},
    crm::{
        Account, Contact, RecordKind,
        record::{Field, FieldType, Record, Value},
    },
};

/// A kind of record as the goal of an import.
#[derive(Clone, Copy)]
pub struct Target {
    pub kind: RecordKind,
    pub table: &'static str,
    /// Those that a cell can hold.
    fields: &'static [Field],
    /// The column by which a row is matched to a live record; it has a unique index of
    /// `(workspace_id, key) WHERE deleted_at IS NULL`.
    pub key: &'static str,
    pub write: Permission,
    whole: fn(Vec<(&'static Field, Value)>) -> FieldErrors,
}

impl Target {
    /// Refuses a kind that cannot be imported yet.
    pub fn of(kind: RecordKind) -> Result<Self> {
        match kind {
            RecordKind::Contact => Ok(Self::made::<Contact>("email")),
            RecordKind::Account => Ok(Self::made::<Account>("account_number")),
            RecordKind::Lead | RecordKind::Deal | RecordKind::Product | RecordKind::Task => {
                Err(Error::invalid("kind", "cannot be imported yet; contacts and accounts can"))
            }
        }
    }

    fn made<R: Record>(key: &'static str) -> Self {
        Self { kind: R::KIND, table: R::TABLE, fields: R::FIELDS, key, write: R::WRITE, whole: whole::<R> }
    }

    /// The fields that a cell can hold.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.fields.iter().filter(|field| !matches!(field.field_type, FieldType::Json))
    }

    /// The field of this name on any face.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| [field.name, field.rest, field.column].contains(&name))
    }

    /// What forbids a new record with these values.
    pub fn check_new(&self, values: Vec<(&'static Field, Value)>) -> FieldErrors {
        (self.whole)(values)
    }
}

/// The kind's rules over the whole record. They look at fields, so whose it is and when it was
/// made does not matter.
fn whole<R: Record>(values: Vec<(&'static Field, Value)>) -> FieldErrors {
    let mut record = R::empty(Uuid::nil(), UserId(Uuid::nil()), DateTime::UNIX_EPOCH);
    for (field, value) in values {
        record.set(field, value);
    }
    let mut errors = FieldErrors::new();
    record.check_whole(&mut errors);
    errors
}
