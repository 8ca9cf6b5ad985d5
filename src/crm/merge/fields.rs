//! Whose value each field of the record that stays has, without a word to the database.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::model::FieldChoice;
use crate::{
    base::{Error, FieldErrors, Result},
    crm::record::{
        Field, FieldType, Raw, Record, Value,
        custom::{self, CustomField},
        field::MOST_TAGS,
    },
};

/// The record that stays, with what it gets of the others; they stand in the order in which they were
/// named.
pub fn merged<R: Record>(winner: &R, losers: &[R], choices: &[FieldChoice]) -> Result<R> {
    let chosen = read(winner, losers, choices)?;
    let mut merged = winner.clone();
    for field in R::FIELDS {
        let value = match (field.field_type, chosen.get(field.name)) {
            (FieldType::Json, None) => {
                let united = united_bag(winner, losers, &chosen);
                custom::refuse_large(&united).map_err(Error::Invalid)?;
                Value::Json(united)
            }
            (FieldType::Tags, None) => united_tags(field, winner, losers),
            (_, Some(from)) => from.get(field),
            // a stage belongs to its pipeline, and is moved by who moves the deal
            (FieldType::Stage | FieldType::Pipeline, None) => continue,
            (_, None) => {
                let own = winner.get(field);
                let first = || losers.iter().map(|loser| loser.get(field)).find(|value| !value.is_null());
                if own.is_null() { first().unwrap_or(own) } else { own }
            }
        };
        merged.set(field, value);
    }
    merged.unite(losers);
    Ok(merged)
}

fn read<'a, R: Record>(winner: &'a R, losers: &'a [R], choices: &'a [FieldChoice]) -> Result<HashMap<&'a str, &'a R>> {
    let mut errors = FieldErrors::new();
    let mut chosen = HashMap::new();
    for (index, choice) in choices.iter().enumerate() {
        let at = |name: &str| format!("fieldsFrom[{index}].{name}");
        let record = std::iter::once(winner).chain(losers).find(|record| record.meta().id == choice.record);
        let field = R::FIELDS.iter().find(|field| field.name == choice.field);
        let is_custom = choice.field.starts_with(custom::PREFIX);
        match field.map(|field| field.field_type) {
            Some(FieldType::Stage | FieldType::Pipeline) => {
                errors.add(at("field"), "cannot be chosen: move the deal instead");
            }
            None if !is_custom => errors.add(at("field"), "is not a field of these records"),
            _ => {}
        }
        match record {
            Some(record) if chosen.insert(choice.field.as_str(), record).is_some() => {
                errors.add(at("field"), "is named twice");
            }
            Some(_) => {}
            None => errors.add(at("recordId"), "is none of the records to be merged"),
        }
    }
    errors.into_result()?;
    Ok(chosen)
}

fn united_tags<R: Record>(field: &Field, winner: &R, losers: &[R]) -> Value {
    let mut tags: Vec<String> = Vec::new();
    for record in std::iter::once(winner).chain(losers) {
        if let Value::Texts(more) = record.get(field) {
            for tag in more {
                if tags.len() < MOST_TAGS && !tags.contains(&tag) {
                    tags.push(tag);
                }
            }
        }
    }
    Value::Texts(tags)
}

/// The values of all by key, those of the record that stays before the others'.
fn united_bag<R: Record>(winner: &R, losers: &[R], chosen: &HashMap<&str, &R>) -> Json {
    let mut bag = object(custom::bag_of(winner));
    for loser in losers {
        for (key, value) in object(custom::bag_of(loser)) {
            let own = bag.entry(key).or_insert(Json::Null);
            if own.is_null() {
                *own = value;
            }
        }
    }
    for (name, from) in chosen {
        if let Some(key) = name.strip_prefix(custom::PREFIX) {
            match custom::bag_of(*from).get(key) {
                Some(value) => drop(bag.insert(key.to_owned(), value.clone())),
                None => drop(bag.remove(key)),
            }
        }
    }
    Json::Object(bag)
}

fn object(bag: Json) -> Map<String, Json> {
    match bag {
        Json::Object(values) => values,
        _ => Map::new(),
    }
}

/// Gives the record the values back that it had before a merge, but for those that have been changed
/// since, and custom ones that the present definitions do not take: these are named.
pub fn returned<R: Record>(record: &R, before: &Json, after: &Json, definitions: &[CustomField]) -> (R, Vec<String>) {
    let mut returned = record.clone();
    let mut bag = object(custom::bag_of(record));
    let mut kept = Vec::new();
    let value = |values: &Json, name: &str| values.get(name).cloned().unwrap_or_default();
    for name in after.as_object().into_iter().flat_map(Map::keys) {
        let (old, new) = (value(before, name), value(after, name));
        if let Some(key) = name.strip_prefix(custom::PREFIX) {
            let definition = definitions.iter().find(|field| field.key == key);
            let is_taken = |value: &Json| definition.is_none_or(|field| field.parse(value).is_ok());
            if bag.get(key).cloned().unwrap_or_default() != new {
                kept.push(name.clone());
            } else if old.is_null() {
                bag.remove(key);
            } else if is_taken(&old) {
                bag.insert(key.to_owned(), old);
            } else {
                kept.push(name.clone());
            }
            continue;
        }
        let Some(field) = R::FIELDS.iter().find(|field| field.column == name) else { continue };
        match field.parse(Raw::Json(&old)) {
            Ok(old) if record.get(field).to_json() == new => returned.set(field, old),
            _ => kept.push(field.name.to_owned()),
        }
    }
    if let Some(field) = R::FIELDS.iter().find(|field| field.column == custom::COLUMN) {
        returned.set(field, Value::Json(Json::Object(bag)));
    }
    (returned, kept)
}

/// The records of these ids in the order of the ids; what is not there is left out.
pub fn in_order<R: Record>(records: Vec<R>, ids: &[Uuid]) -> Vec<R> {
    let mut by_id: HashMap<_, _> = records.into_iter().map(|record| (record.meta().id, record)).collect();
    ids.iter().filter_map(|id| by_id.remove(id)).collect()
}
