//! The custom values of one record, by key, and what input does to them: a key that is set is
//! replaced, a null removes it, what is absent stays. Keys that nobody defined are kept as they
//! are, for clients that had a place for anything.

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    super::{RecordKind, field::MOST_JSON},
    CustomField, CustomType, NAME, named,
};
use crate::base::FieldErrors;

/// What is wrong where a required field would be empty.
pub(super) const NEEDED: &str = "is needed";

/// Checked input for the custom fields of a record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BagPatch {
    /// Everything else goes.
    clears: bool,
    /// In the form that is kept; a null removes.
    values: Vec<(String, Json)>,
    links: Vec<(String, LinksTo, Uuid)>,
}

/// What an id in a custom value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinksTo {
    User,
    Record(RecordKind),
}

impl BagPatch {
    /// Whether it says something of this key.
    pub fn sets(&self, key: &str) -> bool {
        self.clears || self.values.iter().any(|(set, _)| set == key)
    }

    /// The ids that it sets, by key.
    pub fn links(&self) -> impl Iterator<Item = (&str, LinksTo, Uuid)> {
        self.links.iter().map(|(key, to, id)| (key.as_str(), *to, *id))
    }
}

/// Checks an object of values by key, or a null, which removes everything. All that is wrong is told
/// at once, as `customFields.<key>`.
pub fn check(definitions: &[CustomField], input: &Json) -> Result<BagPatch, FieldErrors> {
    checked(definitions, input, |field, given| match (given, input) {
        (Some(value), _) => field.is_required && value.is_null(),
        // everything is cleared
        (None, Json::Null) => field.is_required,
        (None, _) => false,
    })
}

/// The same for a new record, of which no required field may be empty.
pub fn check_new(definitions: &[CustomField], input: &Json) -> Result<BagPatch, FieldErrors> {
    checked(definitions, input, |field, given| field.is_required && given.is_none_or(Json::is_null))
}

fn checked(
    definitions: &[CustomField],
    input: &Json,
    lacks: impl Fn(&CustomField, Option<&Json>) -> bool,
) -> Result<BagPatch, FieldErrors> {
    let mut errors = FieldErrors::new();
    let nothing = Map::new();
    let object = match input {
        Json::Object(object) => object,
        Json::Null => &nothing,
        _ => {
            errors.add(NAME, "must be a JSON object");
            return Err(errors);
        }
    };
    let mut patch = BagPatch { clears: input.is_null(), ..BagPatch::default() };
    for (key, raw) in object {
        let Some(field) = definitions.iter().find(|field| field.key == *key) else {
            patch.values.push((key.clone(), raw.clone()));
            continue;
        };
        match field.parse(raw) {
            Ok(value) => {
                patch.links.extend(link(field, &value));
                patch.values.push((key.clone(), value));
            }
            Err(message) => errors.add(named(key), message),
        }
    }
    for field in definitions {
        let given = patch.values.iter().find(|(key, _)| *key == field.key).map(|(_, value)| value);
        if lacks(field, given) {
            // what was given and is wrong stays told as wrong
            errors.add(named(&field.key), NEEDED);
        }
    }
    if errors.is_empty() { Ok(patch) } else { Err(errors) }
}

fn link(field: &CustomField, value: &Json) -> Option<(String, LinksTo, Uuid)> {
    let to = match (field.field_type, field.record_kind) {
        (CustomType::User, _) => LinksTo::User,
        (CustomType::Record, Some(kind)) => LinksTo::Record(kind),
        _ => return None,
    };
    Some((field.key.clone(), to, Uuid::try_parse(value.as_str()?).ok()?))
}

/// The values after the patch; refused where they would be too large.
pub fn apply(bag: &Json, patch: &BagPatch) -> Result<Json, FieldErrors> {
    let mut values = match bag {
        Json::Object(values) if !patch.clears => values.clone(),
        _ => Map::new(),
    };
    for (key, value) in &patch.values {
        if value.is_null() {
            values.remove(key);
        } else {
            values.insert(key.clone(), value.clone());
        }
    }
    let values = Json::Object(values);
    refuse_large(&values)?;
    Ok(values)
}

/// Refuses more than the values of one record may be in all.
pub fn refuse_large(values: &Json) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::new();
    if values.to_string().len() > MOST_JSON {
        errors.add(NAME, "must be at most 64 KiB of JSON in all");
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// The keys whose values differ, each with the value before and after; a null is no value.
pub fn difference(before: &Json, after: &Json) -> Vec<(String, Json, Json)> {
    let nothing = Map::new();
    let (before, after) = (before.as_object().unwrap_or(&nothing), after.as_object().unwrap_or(&nothing));
    let new = after.keys().filter(|key| !before.contains_key(*key));
    let value = |bag: &Map<String, Json>, key: &String| bag.get(key).cloned().unwrap_or_default();
    before
        .keys()
        .chain(new)
        .map(|key| (key.clone(), value(before, key), value(after, key)))
        .filter(|(_, before, after)| before != after)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_named_stays_and_a_null_removes() {
        let patch = check(&[], &json!({ "a": 2, "b": null, "c": { "d": null } })).expect("free values");
        let after = apply(&json!({ "a": 1, "b": 1, "z": 1 }), &patch).expect("small");
        assert_eq!(after, json!({ "a": 2, "c": { "d": null }, "z": 1 }));
        let clearing = check(&[], &Json::Null).expect("nothing is required");
        assert_eq!(apply(&after, &clearing), Ok(json!({})));
        assert!(patch.sets("b") && !patch.sets("z") && clearing.sets("z"));
    }

    #[test]
    fn the_whole_is_bounded_and_not_the_input_alone() {
        let patch = check(&[], &json!({ "b": "x".repeat(40_000) })).expect("free values");
        assert!(apply(&json!({ "b": "y".repeat(40_000) }), &patch).is_ok());
        assert!(apply(&json!({ "a": "y".repeat(40_000) }), &patch).is_err());
    }

    #[test]
    fn a_difference_names_each_key_once() {
        let found = difference(&json!({ "a": 1, "b": 1, "c": null }), &json!({ "b": 2, "d": [1] }));
        let key = |key: &str, before, after| (key.to_owned(), before, after);
        assert_eq!(
            found,
            [key("a", json!(1), Json::Null), key("b", json!(1), json!(2)), key("d", Json::Null, json!([1]))]
        );
    }
}
