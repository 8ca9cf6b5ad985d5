//! A change of a record: the checked input, the difference it makes, and its row in the history.

use serde_json::{Map, Value as Json, json};

use super::{Field, Raw, Record, Value, queries::history};
use crate::{
    auth::Caller,
    base::{Error, FieldErrors, Result, error::Conflict},
    ctx::Ctx,
    db::Tx,
};

/// Checked values for some of a record's fields.
#[derive(Debug, Clone, Default)]
pub struct Patch(Vec<(&'static Field, Value)>);

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
        if errors.is_empty() { Ok(Self(values)) } else { Err(errors) }
    }

    pub fn apply<R: Record>(&self, record: &mut R) {
        for (field, value) in &self.0 {
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

    pub fn fields(&self) -> impl Iterator<Item = &'static Field> + '_ {
        self.0.iter().map(|(field, _)| *field)
    }
}

/// What really differs between two states of a record.
#[derive(Debug, Default)]
pub struct Difference {
    pub fields: Vec<&'static Field>,
    /// By column.
    pub before: Map<String, Json>,
    pub after: Map<String, Json>,
}

impl Difference {
    pub fn between<R: Record>(before: &R, after: &R) -> Self {
        let mut difference = Self::default();
        for field in R::FIELDS {
            let (old, new) = (before.get(field), after.get(field));
            if old != new {
                difference.fields.push(field);
                difference.before.insert(field.column.to_owned(), old.to_json());
                difference.after.insert(field.column.to_owned(), new.to_json());
            }
        }
        difference
    }

    pub fn names(&self) -> Vec<&'static str> {
        self.fields.iter().map(|field| field.name).collect()
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
    let meta = present.meta();
    let Some(expected) = expected.filter(|expected| *expected != meta.version) else { return Ok(()) };
    if expected < 1 || expected > meta.version {
        return Err(Error::invalid("expectedVersion", format!("must be between 1 and {}", meta.version)));
    }
    let since = history::changes_since(tx.connection(), caller.workspace, R::KIND, meta.id, expected).await?;
    let clash: Vec<_> =
        patch.fields().filter(|field| since.iter().any(|after| after.get(field.column).is_some())).collect();
    if clash.is_empty() {
        return Ok(());
    }
    let mut fields = FieldErrors::new();
    clash.iter().for_each(|field| fields.add(field.name, "has changed since you read it"));
    let values: Map<_, _> = clash.iter().map(|field| (field.name.to_owned(), present.get(field).to_json())).collect();
    let details = Some(json!({ "version": meta.version, "present": values }));
    Err(Error::Conflict(Conflict {
        message: "Somebody has changed this record since you read it".into(),
        fields,
        details,
    }))
}
