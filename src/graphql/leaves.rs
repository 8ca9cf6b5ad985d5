//! Rows of a page without a future for each of their leaves.
//!
//! The library resolves every field by a boxed future and joins them; for a page of 50 records of
//! ten plain values each, that is most of what the request costs (measured: half of the
//! processor time). A row in a page therefore takes its plain values straight from the record, and
//! leaves to the library what is an object, has arguments or stands in a fragment.

use std::{borrow::Cow, collections::HashSet};

use async_graphql::{
    ContainerType, ContextSelectionSet, Name, OutputType, Positioned, ServerResult, Value,
    futures_util::future::try_join_all,
    indexmap::IndexMap,
    parser::types::{Field, Selection},
    registry::Registry,
};

use crate::crm::record::{self, FieldType, Record};

/// An object that can answer some of its fields at once.
pub trait Leaves: ContainerType + OutputType {
    /// The field's value, just as the field's own resolver would answer; `None` to ask that one.
    fn leaf(&self, _field: &str) -> Option<Value> {
        None
    }
}

/// A row of a page, shown as the object that it is.
pub struct Row<'a, T>(pub &'a T);

impl<T: Leaves> OutputType for Row<'_, T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, context: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let Some(fields) = plain_fields(context) else { return self.0.resolve(context, field).await };
        let mut values = IndexMap::with_capacity(fields.len());
        let mut waiting = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            let name = field.node.name.node.as_str();
            let leaf = match name {
                "__typename" => Some(Value::String(T::type_name().into_owned())),
                _ => self.0.leaf(name),
            };
            if leaf.is_none() {
                let context = context.with_field(field);
                waiting.push(async move { ServerResult::Ok((index, self.0.resolve_field(&context).await?)) });
            }
            // what is waited for has its place already
            values.insert(field.node.response_key().node.clone(), leaf.unwrap_or_default());
        }
        for (index, value) in try_join_all(waiting).await? {
            values[index] = value.unwrap_or_default();
        }
        Ok(Value::Object(values))
    }
}

/// The selection, where it is nothing but fields of different keys.
fn plain_fields<'a>(context: &ContextSelectionSet<'a>) -> Option<Vec<&'a Positioned<Field>>> {
    let mut fields = Vec::with_capacity(context.item.node.items.len());
    let mut keys: HashSet<&Name> = HashSet::with_capacity(fields.capacity());
    for selection in &context.item.node.items {
        match &selection.node {
            Selection::Field(field)
                if field.node.directives.is_empty() && keys.insert(&field.node.response_key().node) =>
            {
                fields.push(field);
            }
            _ => return None,
        }
    }
    Some(fields)
}

/// A record's value of the field that has this name in the API.
pub fn record_leaf<R: Record>(record: &R, name: &str) -> Option<Value> {
    let meta = record.meta();
    match name {
        "id" => return Some(Value::String(meta.id.to_string())),
        "version" => return Some(meta.version.into()),
        "createdAt" => return Some(Value::String(meta.created_at.to_rfc3339())),
        "updatedAt" => return Some(Value::String(meta.updated_at.to_rfc3339())),
        _ => {}
    }
    let field = R::FIELDS.iter().find(|field| field.name == name)?;
    Some(match record.get(field) {
        record::Value::Null => Value::Null,
        record::Value::Text(word)
            if matches!(field.field_type, FieldType::Choice(_) | FieldType::OptionalChoice(_)) =>
        {
            Value::Enum(Name::new(word.to_ascii_uppercase()))
        }
        record::Value::Text(text) => Value::String(text),
        record::Value::Integer(number) => number.into(),
        record::Value::Decimal(number) => Value::String(number.to_plain_string()),
        record::Value::Time(at) => Value::String(at.to_rfc3339()),
        record::Value::Id(id) => Value::String(id.to_string()),
        record::Value::Texts(texts) => Value::List(texts.into_iter().map(Value::String).collect()),
        record::Value::Json(json) => Value::from_json(json).ok()?,
    })
}
