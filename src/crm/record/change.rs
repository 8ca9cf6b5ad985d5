//! A change of a record: the checked input, the difference it makes, and its row in the history.

use serde_json::{Map, Value as Json, json};

use super::{
    Field, Raw, Record, Value,
    custom::{self, bag, bag::BagPatch},
    queries::history,
};
use crate::{
    auth::Caller,
    base::{Error, FieldErrors, Result, error::Conflict},
    ctx::Ctx,
    db::Tx,
};

/// Checked values for some of a record's fields; those of custom fields are checked in the
/// transaction, by their definitions.
#[derive(Debug, Clone, Default)]
pub struct Patch(Vec<(&'static Field, Value)>, Option<BagPatch>);

impl Patch {
    /// Checks raw input by the field table; all wrong fields are told at once.
    pub fn check<'a>(input: impl IntoIterator<Item = (&'static Field, Raw<'a>)>) -> Result<Self, FieldErrors> {
        Self::check_complete(&[], input)
    }

    /// The same, where the fields of these names must not be empty.
    pub fn check_complete<'a>(
        required: &[&'static str],
        input: impl IntoIterator<Item = (&'static Field, Raw<'a>)>,
    ) -> Result<Self, FieldErrors> {
        let (mut values, mut errors) = (Vec::new(), FieldErrors::new());
        for (field, raw) in input {
            match field.parse(raw) {
                Ok(value) => values.push((field, value)),
                Err(message) => errors.add(field.name, message),
            }
        }
        let filled = |name| values.iter().any(|(field, value)| field.name == name && !value.is_null());
        // what was given and is wrong stays told as wrong
        required.iter().filter(|name| !filled(**name)).for_each(|name| errors.add(*name, "is needed"));
        if errors.is_empty() { Ok(Self(values, None)) } else { Err(errors) }
    }

    /// Values that stood in a record of this kind before.
    pub(super) fn exactly(values: Vec<(&'static Field, Value)>) -> Self {
        Self(values, None)
    }

    /// Says one more value, which was checked for this field.
    pub(super) fn put(&mut self, field: &'static Field, value: Value) {
        self.0.retain(|(other, _)| other.column != field.column);
        self.0.push((field, value));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets all but the custom fields.
    pub fn apply<R: Record>(&self, record: &mut R) {
        for (field, value) in self.0.iter().filter(|(field, _)| field.column != custom::COLUMN) {
            record.set(field, value.clone());
        }
    }

    pub fn sets(&self, column: &str) -> bool {
        self.0.iter().any(|(field, _)| field.column == column)
    }

    /// The value that it sets, which may be a null.
    pub fn value(&self, column: &str) -> Option<&Value> {
        self.0.iter().find(|(field, _)| field.column == column).map(|(_, value)| value)
    }

    /// What was sent for the custom fields: an object by key, or a null.
    pub(super) fn custom_input(&self) -> Option<Json> {
        self.0.iter().find(|(field, _)| field.column == custom::COLUMN).map(|(_, value)| value.to_json())
    }

    /// Notes what came of that.
    pub(super) fn note_custom(&mut self, checked: Option<BagPatch>) {
        self.1 = checked;
    }

    /// Whether it says something of this custom field.
    fn sets_custom(&self, key: &str) -> bool {
        self.1.as_ref().is_some_and(|patch| patch.sets(key))
    }

    pub fn fields(&self) -> impl Iterator<Item = &'static Field> + '_ {
        self.0.iter().map(|(field, _)| *field)
    }
}

/// What really differs between two states of a record.
#[derive(Debug, Default)]
pub struct Difference {
    /// The fields' API names; each custom field as `custom.<key>`.
    names: Vec<String>,
    /// By column, or by the name of a custom field.
    pub before: Map<String, Json>,
    pub after: Map<String, Json>,
}

impl Difference {
    pub fn between<R: Record>(before: &R, after: &R) -> Self {
        let mut difference = Self::default();
        for field in R::FIELDS {
            let (old, new) = (before.get(field), after.get(field));
            if old == new {
                continue;
            }
            if field.column != custom::COLUMN {
                difference.add(field.column.to_owned(), field.name.to_owned(), old.to_json(), new.to_json());
                continue;
            }
            for (key, old, new) in bag::difference(&old.to_json(), &new.to_json()) {
                let name = format!("{}{key}", custom::PREFIX);
                difference.add(name.clone(), name, old, new);
            }
        }
        difference
    }

    /// What deleting a record, or taking that back, does: it changes no field.
    pub(in crate::crm) fn of_deletion(is_deleted: bool) -> Self {
        let deleted = |deleted: bool| Map::from_iter([("deleted".to_owned(), json!(deleted))]);
        Self { names: Vec::new(), before: deleted(!is_deleted), after: deleted(is_deleted) }
    }

    /// The columns that it is about; of a deletion `deleted`.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.after.keys().map(|key| if key.starts_with(custom::PREFIX) { custom::COLUMN } else { key })
    }

    fn add(&mut self, column: String, name: String, before: Json, after: Json) {
        self.names.push(name);
        self.before.insert(column.clone(), before);
        self.after.insert(column, after);
    }

    /// Notes what has changed beside the fields; nothing where it is the same.
    pub fn add_part(&mut self, part: &'static str, before: Json, after: Json) {
        if before != after {
            self.add(part.to_owned(), part.to_owned(), before, after);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }
}

/// Writes the change into the history; the record's version is the one after it.
pub async fn record_in<R: Record>(
    ctx: &Ctx,
    tx: &mut Tx,
    caller: &Caller,
    record: &R,
    before: Map<String, Json>,
    after: Map<String, Json>,
) -> Result<()> {
    let meta = record.meta();
    let change = history::NewChange {
        kind: R::KIND,
        record: meta.id,
        version: meta.version,
        at: ctx.clock.now(),
        actor: &caller.actor(),
        origin: caller.via,
        before: Json::Object(before),
        after: Json::Object(after),
    };
    history::insert_change(tx.connection(), caller.workspace, change).await
}

/// Refuses an update that was made from an older version, where a field that it sets has changed
/// since. The answer carries the present values of those fields.
pub async fn refuse_stale<R: Record>(
    tx: &mut Tx,
    caller: &Caller,
    present: &R,
    expected: Option<i32>,
    patch: &Patch,
) -> Result<()> {
    let Some(since) = Since::read(tx, caller, present, expected, "expectedVersion").await? else { return Ok(()) };
    let of_fields = since.fields::<R>().filter(|field| patch.fields().any(|set| set.column == field.column));
    let of_custom = since.custom_keys().filter(|key| patch.sets_custom(key));
    let values = values_of(present, of_fields, of_custom);
    if values.is_empty() {
        return Ok(());
    }
    let mut fields = FieldErrors::new();
    values.keys().for_each(|name| fields.add(name.clone(), CHANGED));
    Err(stale(fields, json!({ "version": present.meta().version, "present": values })))
}

/// The same for what is no field, and for fields beside it: these names in the history.
pub async fn refuse_stale_parts<R: Record>(
    tx: &mut Tx,
    caller: &Caller,
    present: &R,
    expected: Option<i32>,
    parts: &[&'static str],
) -> Result<()> {
    let Some(since) = Since::read(tx, caller, present, expected, "expectedVersion").await? else { return Ok(()) };
    let mut fields = FieldErrors::new();
    parts.iter().filter(|part| since.has(part)).for_each(|part| fields.add(*part, CHANGED));
    if fields.is_empty() {
        return Ok(());
    }
    Err(stale(fields, json!({ "version": present.meta().version })))
}

/// Refuses what was decided from another version of a record. The answer names the record and carries
/// the present values of the fields that have changed since.
pub async fn refuse_changed<R: Record>(
    tx: &mut Tx,
    caller: &Caller,
    present: &R,
    expected: Option<i32>,
    field: &'static str,
) -> Result<()> {
    let Some(since) = Since::read(tx, caller, present, expected, field).await? else { return Ok(()) };
    let meta = present.meta();
    let values = values_of(present, since.fields::<R>(), since.custom_keys());
    let mut fields = FieldErrors::new();
    fields.add(field, format!("of {} {CHANGED}", meta.id));
    Err(stale(fields, json!({ "id": meta.id, "version": meta.version, "present": values })))
}

/// Refuses any other version of a record than the one that was expected.
pub fn refuse_other_version<R: Record>(present: &R, expected: Option<i32>) -> Result<()> {
    let version = present.meta().version;
    match expected {
        Some(expected) if expected != version => Err(stale(FieldErrors::new(), json!({ "version": version }))),
        _ => Ok(()),
    }
}

const CHANGED: &str = "has changed since you read it";

fn stale(fields: FieldErrors, details: Json) -> Error {
    let message = "Somebody has changed this record since you read it".into();
    Error::Conflict(Conflict { message, fields, details: Some(details) })
}

/// What has become of a record since a version of it: a value of each change, by the history's names.
struct Since(Vec<Json>);

impl Since {
    /// `None` where that is the present version. `field` names where the version was sent.
    async fn read<R: Record>(
        tx: &mut Tx,
        caller: &Caller,
        present: &R,
        expected: Option<i32>,
        field: &'static str,
    ) -> Result<Option<Self>> {
        let meta = present.meta();
        let Some(expected) = expected.filter(|expected| *expected != meta.version) else { return Ok(None) };
        if expected < 1 || expected > meta.version {
            return Err(Error::invalid(field, format!("must be between 1 and {} for {}", meta.version, meta.id)));
        }
        let changes = history::changes_since(tx.connection(), caller.workspace, R::KIND, meta.id, expected).await?;
        Ok(Some(Self(changes)))
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|after| after.get(name).is_some())
    }

    fn fields<R: Record>(&self) -> impl Iterator<Item = &'static Field> {
        R::FIELDS.iter().filter(|field| self.has(field.column))
    }

    fn custom_keys(&self) -> impl Iterator<Item = &str> {
        let names = self.0.iter().filter_map(Json::as_object).flat_map(Map::keys);
        names.filter_map(|name| name.strip_prefix(custom::PREFIX))
    }
}

/// The present values of these, by their names in the API.
fn values_of<'a, R: Record>(
    present: &R,
    fields: impl Iterator<Item = &'static Field>,
    custom_keys: impl Iterator<Item = &'a str>,
) -> Map<String, Json> {
    let bag = custom::bag_of(present);
    let of_fields = fields.map(|field| (field.name.to_owned(), present.get(field).to_json()));
    let of_custom = custom_keys.map(|key| (custom::named(key), bag.get(key).cloned().unwrap_or_default()));
    of_fields.chain(of_custom).collect()
}
