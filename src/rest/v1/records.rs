//! The five routes that every kind of record has, made from its field table.
//!
//! Field by field a record is printed as the earlier server's driver did it: decimals as texts
//! with two digits, times with milliseconds, a link to a deleted record as null. Clients send a
//! whole record back with one field changed; so that such an echo loses nothing, a value that
//! reads as the present one prints is no change.

use std::collections::{HashMap, HashSet};

use axum::{
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use bigdecimal::{BigDecimal, RoundingMode};
use serde_json::{Value as Json, json};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use super::{
    describe,
    envelope::{Done, Many, One, Refusal, millis},
    published::{Object, Published},
    request::{Body, Parameters, PathId, Signed},
};
use crate::{
    auth::Caller,
    base::{Error, FieldErrors, Result},
    crm::record::{
        Field, FieldType, Raw, Record, Value,
        field::FIXED,
        ops,
        select::{self, Numbered, Sort},
    },
    ctx::Ctx,
};

pub fn routes<R: Published>() -> OpenApiRouter<Ctx> {
    let one = format!("{}/{{id}}", R::PATH);
    let all = get(list::<R>).merge(post(create::<R>));
    let each = get(one_record::<R>).put(update::<R>).delete(delete::<R>);
    OpenApiRouter::new().routes((describe::record_schemas::<R>(), describe::collection::<R>(R::PATH), all)).routes((
        Vec::new(),
        describe::member::<R>(&one),
        each,
    ))
}

async fn list<R: Published>(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    query: Parameters,
) -> Result<Many<Json>, Refusal<R>> {
    let numbers = query.numbers(R::LIMIT)?;
    let wanted = Numbered {
        page: numbers.page,
        limit: numbers.limit,
        search: query.get("search")?.map(ToOwned::to_owned),
        sort: sort::<R>(query.get("sort")?)?,
        filters: filters::<R>(&query)?,
    };
    let (rows, total) = select::numbered::<R>(&ctx, &caller, &wanted).await?;
    Ok(Many::new(print(&ctx, &caller, &rows).await?, numbers.of(total)))
}

async fn one_record<R: Published>(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    id: PathId,
) -> Result<One<Json>, Refusal<R>> {
    let record = ops::get::<R>(&ctx, &caller, id.of(R::NOUN)?).await?;
    Ok(One::new(print_one(&ctx, &caller, &record).await?))
}

async fn create<R: Published>(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    Body { content, .. }: Body<Object>,
) -> Result<(StatusCode, One<Json>), Refusal<R>> {
    let content = understood::<R>(content)?;
    let record = ops::create_with::<R>(&ctx, &caller, R::REQUIRED, input::<R>(&content)).await?;
    Ok(One::created(print_one(&ctx, &caller, &record).await?))
}

async fn update<R: Published>(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    id: PathId,
    Body { mut content, .. }: Body<Object>,
) -> Result<One<Json>, Refusal<R>> {
    let id: Uuid = id.of(R::NOUN)?;
    let stand_in = R::STANDING_FOR.iter().any(|field| content.contains_key(field.rest));
    if stand_in || input::<R>(&content).iter().any(|(field, _)| prints_less(field)) {
        let present = ops::get::<R>(&ctx, &caller, id).await?;
        let printed = print_one(&ctx, &caller, &present).await?;
        let is_echo = |name: &str| printed.get(name) == content.get(name);
        let echoes = R::FIELDS.iter().filter(|field| prints_less(field) && is_echo(field.rest)).map(|field| field.rest);
        let mut echoes: Vec<_> = echoes.collect();
        // together they say one thing
        if R::STANDING_FOR.iter().all(|field| is_echo(field.rest)) {
            echoes.extend(R::STANDING_FOR.iter().map(|field| field.rest));
        }
        echoes.into_iter().for_each(|name| drop(content.remove(name)));
        complete_stand_ins::<R>(&mut content, &printed);
    }
    let content = understood::<R>(content)?;
    let input = input::<R>(&content);
    let record = ops::update::<R>(&ctx, &caller, id, None, input).await?;
    Ok(One::new(print_one(&ctx, &caller, &record).await?))
}

async fn delete<R: Published>(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    id: PathId,
) -> Result<Done, Refusal<R>> {
    ops::delete::<R>(&ctx, &caller, id.of(R::NOUN)?, None).await?;
    Ok(Done::new("Deleted"))
}

/// A part of what stands for other fields is said with the rest as it is; what is cleared, wholly.
fn complete_stand_ins<R: Published>(content: &mut Object, printed: &Json) {
    let (given, absent): (Vec<_>, Vec<_>) =
        R::STANDING_FOR.iter().map(|field| field.rest).partition(|name| content.contains_key(*name));
    if given.is_empty() {
        return;
    }
    let is_empty = |value: &Json| value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
    let clears = given.iter().any(|name| content.get(*name).is_some_and(is_empty));
    for name in absent {
        // a link that is shown as none is kept, not cleared
        match printed.get(name) {
            _ if clears => drop(content.insert(name.to_owned(), Json::Null)),
            Some(present) if !present.is_null() => drop(content.insert(name.to_owned(), present.clone())),
            _ => {}
        }
    }
}

/// The body by the table's own fields.
fn understood<R: Published>(mut content: Object) -> Result<Object> {
    R::understand(&mut content)?;
    Ok(content)
}

/// The fields that the body has; what is none is ignored, and so is what only we may set.
fn input<R: Record>(content: &Object) -> ops::Input<'_> {
    R::FIELDS.iter().filter_map(|field| content.get(field.rest).map(|value| (field, Raw::Json(value)))).collect()
}

/// Whether printing a value of this field loses a part of it.
fn prints_less(field: &Field) -> bool {
    matches!(field.field_type, FieldType::Decimal | FieldType::Instant) || field.links_to().is_some()
}

/// All fields that a list can be sorted and filtered by.
fn known<R: Published>() -> impl Iterator<Item = &'static Field> {
    FIXED.iter().chain(R::FIELDS).chain(R::STANDING_FOR)
}

/// A field's name, with `-` in front for descending; the newest first where there is none.
fn sort<R: Published>(given: Option<&str>) -> Result<Option<(Sort, bool)>> {
    let given = given.map(str::trim).filter(|given| !given.is_empty()).unwrap_or("-created_at");
    let (name, descending) = given.strip_prefix('-').map_or((given, false), |name| (name, true));
    let field = known::<R>().find(|field| field.rest == name);
    match field.ok_or_else(|| Error::invalid("sort", "must be a field's name, with - in front for descending"))? {
        // ids grow with time, and they have the index
        age if matches!(age.rest, "id" | "created_at") => {
            Ok((!descending).then_some((Sort { column: "id", sql_type: "uuid" }, false)))
        }
        field => Ok(Some((Sort::by(field), descending))),
    }
}

/// The parameters that are fields; all others are ignored.
fn filters<R: Published>(query: &Parameters) -> Result<Vec<(&'static Field, Value)>> {
    let (mut filters, mut errors) = (Vec::new(), FieldErrors::new());
    let mut given = Object::new();
    for name in known::<R>().map(|field| field.rest) {
        if let Some(text) = query.get(name)? {
            given.insert(name.to_owned(), json!(text));
        }
    }
    // all of them together mean a field that has an index
    let says = |field: &Field| given.get(field.rest).and_then(Json::as_str).is_some_and(|text| !text.trim().is_empty());
    let given = if R::STANDING_FOR.iter().all(says) { understood::<R>(given)? } else { given };
    for field in known::<R>() {
        let Some(value) = given.get(field.rest) else { continue };
        match field.parse(Raw::Text(value.as_str().unwrap_or_default())) {
            Ok(value) => filters.push((field, value)),
            Err(message) => errors.add(field.name, message),
        }
    }
    errors.into_result()?;
    Ok(filters)
}

pub async fn print_one<R: Published>(ctx: &Ctx, caller: &Caller, record: &R) -> Result<Json> {
    let printed = print(ctx, caller, std::slice::from_ref(record)).await?;
    Ok(printed.into_iter().next().unwrap_or_default())
}

/// Records as these routes show them; one more query for each field that links to other records,
/// however many records there are.
pub async fn print<R: Published>(ctx: &Ctx, caller: &Caller, records: &[R]) -> Result<Vec<Json>> {
    let mut live: HashMap<&str, HashSet<Uuid>> = HashMap::new();
    for field in R::FIELDS.iter().filter(|field| field.links_to().is_some()) {
        let ids: HashSet<_> = records.iter().filter_map(|record| linked(record, field)).collect();
        if !ids.is_empty() {
            let ids: Vec<_> = ids.into_iter().collect();
            live.insert(field.column, ops::live_links(ctx, caller, field, &ids).await?);
        }
    }
    let leads_somewhere = |field: &Field, id: &Uuid| live.get(field.column).is_some_and(|live| live.contains(id));
    let object = |record: &R| {
        let meta = record.meta();
        let mut object = Object::new();
        object.insert("id".to_owned(), json!(meta.id));
        for field in R::FIELDS {
            let value = match record.get(field) {
                Value::Id(id) if field.links_to().is_some() && !leads_somewhere(field, &id) => Value::Null,
                value => value,
            };
            object.insert(field.rest.to_owned(), printed(value));
        }
        object.insert("created_at".to_owned(), json!(millis(meta.created_at)));
        object.insert("updated_at".to_owned(), json!(millis(meta.updated_at)));
        object
    };
    let mut printed: Vec<Object> = records.iter().map(object).collect();
    R::complete_printed(ctx, caller, records, &mut printed).await?;
    Ok(printed.into_iter().map(Json::Object).collect())
}

fn linked<R: Record>(record: &R, field: &Field) -> Option<Uuid> {
    match record.get(field) {
        Value::Id(id) => Some(id),
        _ => None,
    }
}

fn printed(value: Value) -> Json {
    match value {
        Value::Decimal(number) => json!(two_digits(&number)),
        Value::Time(at) => json!(millis(at)),
        other => other.to_json(),
    }
}

fn two_digits(number: &BigDecimal) -> String {
    number.with_scale_round(2, RoundingMode::HalfUp).to_plain_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crm::Account;

    #[test]
    fn decimals_have_two_digits() {
        let two = |text: &str| two_digits(&text.parse().expect("a number"));
        assert_eq!(
            [two("1200"), two("0.005"), two("1.2"), two("-1.239"), two("1e3")],
            ["1200.00", "0.01", "1.20", "-1.24", "1000.00"]
        );
    }

    #[test]
    fn a_sort_names_a_field_or_is_refused() {
        let sorted = |text| sort::<Account>(Some(text)).map(|sort| sort.map(|(sort, down)| (sort.column, down)));
        assert_eq!(sorted("-account_name").ok(), Some(Some(("name", true))));
        assert_eq!(sorted("created_at").ok(), Some(Some(("id", false))));
        assert_eq!(sorted("-created_at").ok(), Some(None));
        for wrong in ["name", "-", "--account_name", "id; DROP TABLE accounts", "owner_id", "deleted_at"] {
            assert!(sorted(wrong).is_err(), "{wrong}");
        }
    }
}
