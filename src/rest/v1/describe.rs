//! Describes records for the document, from the same field table that the routes are made from.

use serde_json::{Value as Json, json};
use utoipa::openapi::{
    Content, HttpMethod, KnownFormat, Object, ObjectBuilder, Ref, RefOr, Required, Response, Schema, SchemaFormat,
    path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem, Paths, PathsBuilder},
    request_body::{RequestBody, RequestBodyBuilder},
    response::ResponseBuilder,
    schema::{ArrayBuilder, SchemaType, Type},
};

use super::published::Published;
use crate::{
    base::text,
    crm::record::{Field, FieldType, field::FIXED},
};

/// A closed enum of ours as a schema: a text that is one of its words.
macro_rules! words {
    ($name:ident $schema:literal of $words:ty) => {
        struct $name;

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                let words = <$words>::ALL.iter().map(|word| word.as_str());
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .enum_values(Some(words))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                $schema.into()
            }
        }
    };
}
pub(super) use words;

const JSON: &str = "application/json";

/// The schemas of a kind: as it is answered, and as it is sent.
pub fn record_schemas<R: Published>() -> Vec<(String, RefOr<Schema>)> {
    let fixed = FIXED.iter().map(|field| (field, RefOr::T(Schema::Object(single(field, false)))));
    let own = fields::<R>().map(|field| (field, schema(field, may_be_null(field))));
    let answered =
        fixed.chain(own).fold(described(&format!("{} as it is.", capital(&one::<R>()))), |object, (field, schema)| {
            object.property(field.rest, schema).required(field.rest)
        });
    let needed = |field: &Field| R::REQUIRED.contains(&field.name);
    let created = fields::<R>().fold(described("Fields that are not listed are ignored."), |object, field| {
        let object = object.property(field.rest, schema(field, !needed(field)));
        if needed(field) { object.required(field.rest) } else { object }
    });
    let partial = "What is absent stays as it is; null clears. Fields that are not listed are ignored.";
    let sent = fields::<R>().fold(described(partial), |object, field| object.property(field.rest, schema(field, true)));
    vec![
        (R::NOUN.to_owned(), object(answered)),
        (format!("New{}Body", R::NOUN), object(created)),
        (format!("{}Body", R::NOUN), object(sent)),
    ]
}

/// What can be set.
fn fields<R: Published>() -> impl Iterator<Item = &'static Field> {
    R::FIELDS.iter().chain(R::STANDING_FOR)
}

fn described(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().description(Some(description))
}

fn may_be_null(field: &Field) -> bool {
    !matches!(field.field_type, FieldType::Choice(_) | FieldType::Tags | FieldType::Json)
}

/// `GET` and `POST` on all records.
pub fn collection<R: Published>(path: &str) -> Paths {
    let plural = R::PLURAL.to_lowercase();
    let sorts = "A field's name, with `-` in front for descending; `-created_at` unless given";
    let list = operation::<R>("list", &format!("A page of {plural}"))
        .description(Some(format!(
            "Any field can be filtered by: its name as a parameter, for records whose value equals the one given, or \
             is empty where none is. `search` looks for a fragment in {}, whatever the case. Parameters that are not \
             listed are ignored.",
            R::SEARCHED
        )))
        .parameter(query("page", "Counts from 1", whole()))
        .parameter(query("limit", &format!("{} unless given; at most 1000", R::LIMIT), whole()))
        .parameter(query("search", "A fragment", text(None)))
        .parameter(query("sort", sorts, text(None)))
        .parameters(Some(FIXED.iter().chain(fields::<R>()).filter(|field| filterable(field)).map(filter)))
        .response("200", answer(&format!("A page of {plural}"), page_of(R::NOUN)));
    let create = operation::<R>("create", &format!("Create {}", one::<R>()))
        .request_body(Some(body(&format!("New{}Body", R::NOUN))))
        .response("201", answer("As it was created", wrapped(R::NOUN)))
        .response("403", refusal("Your role does not allow it"))
        .response("409", refusal("A value that must be unique is another record's"));
    paths(path, [(HttpMethod::Get, list.build()), (HttpMethod::Post, create.build())])
}

/// `GET`, `PUT` and `DELETE` on one record.
pub fn member<R: Published>(path: &str) -> Paths {
    let id = || {
        let id = ParameterBuilder::new().name("id").parameter_in(ParameterIn::Path).required(Required::True);
        id.schema(Some(text(Some(KnownFormat::Uuid)))).build()
    };
    let get =
        operation::<R>("get", &capital(&one::<R>())).parameter(id()).response("200", answer("It", wrapped(R::NOUN)));
    let update = operation::<R>("update", &format!("Change {}", one::<R>()))
        .parameter(id())
        .request_body(Some(body(&format!("{}Body", R::NOUN))))
        .response("200", answer("As it is now", wrapped(R::NOUN)))
        .response("403", refusal("Your role does not allow it"))
        .response("409", refusal("A value that must be unique is another record's"));
    let delete = operation::<R>("delete", &format!("Delete {}", one::<R>()))
        .description(Some("It can be restored. Links to it are shown as null."))
        .parameter(id())
        .response("200", answer("Deleted", reference("Done")))
        .response("403", refusal("Your role does not allow it, or it is not your own"));
    let operations = [(HttpMethod::Get, get), (HttpMethod::Put, update), (HttpMethod::Delete, delete)];
    paths(path, operations.map(|(method, operation)| (method, operation.build())))
}

/// A refusal as a possible answer.
pub fn refusal(description: &str) -> Response {
    answer(description, reference("Refusal"))
}

fn operation<R: Published>(verb: &str, summary: &str) -> OperationBuilder {
    let id = if verb == "list" { R::PLURAL } else { R::NOUN };
    OperationBuilder::new()
        .tag(R::PLURAL)
        .operation_id(Some(format!("{verb}_{}", id.to_lowercase())))
        .summary(Some(summary))
}

fn one<R: Published>() -> String {
    let article = if R::NOUN.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    format!("{article} {}", R::NOUN.to_lowercase())
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn paths<const N: usize>(path: &str, operations: [(HttpMethod, Operation); N]) -> Paths {
    let item = |(method, operation)| PathItem::new(method, operation);
    let items = operations.into_iter().map(item);
    items.fold(PathsBuilder::new(), |paths, item| paths.path(path, item)).build()
}

fn answer(description: &str, schema: RefOr<Schema>) -> Response {
    ResponseBuilder::new().description(description).content(JSON, Content::new(Some(schema))).build()
}

fn body(schema: &str) -> RequestBody {
    let content = Content::new(Some(reference(schema)));
    RequestBodyBuilder::new().content(JSON, content).required(Some(Required::True)).build()
}

fn reference(schema: &str) -> RefOr<Schema> {
    Ref::from_schema_name(schema).into()
}

fn wrapped(noun: &str) -> RefOr<Schema> {
    let success = ObjectBuilder::new().schema_type(Type::Boolean).description(Some("Always true."));
    object(
        ObjectBuilder::new()
            .property("success", success)
            .required("success")
            .property("data", reference(noun))
            .required("data"),
    )
}

fn page_of(noun: &str) -> RefOr<Schema> {
    let success = ObjectBuilder::new().schema_type(Type::Boolean).description(Some("Always true."));
    object(
        ObjectBuilder::new()
            .property("success", success)
            .required("success")
            .property("data", ArrayBuilder::new().items(reference(noun)))
            .required("data")
            .property("pagination", reference("Pagination"))
            .required("pagination"),
    )
}

fn object(builder: ObjectBuilder) -> RefOr<Schema> {
    RefOr::T(Schema::Object(builder.build()))
}

fn query(name: &str, description: &str, schema: RefOr<Schema>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

fn filterable(field: &Field) -> bool {
    !matches!(field.field_type, FieldType::Json)
}

fn filter(field: &Field) -> Parameter {
    match field.field_type {
        FieldType::Tags => {
            query(field.rest, "Tags with commas between them; records that have all of them", text(None))
        }
        _ => query(field.rest, "Filter", RefOr::T(Schema::Object(single(field, false)))),
    }
}

fn whole() -> RefOr<Schema> {
    object(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)))
}

fn text(format: Option<KnownFormat>) -> RefOr<Schema> {
    object(ObjectBuilder::new().schema_type(Type::String).format(format.map(SchemaFormat::KnownFormat)))
}

fn schema(field: &Field, nullable: bool) -> RefOr<Schema> {
    match field.field_type {
        FieldType::Tags => ArrayBuilder::new().items(text(None)).into(),
        _ => RefOr::T(Schema::Object(single(field, nullable))),
    }
}

fn single(field: &Field, nullable: bool) -> Object {
    let of = |kind: Type| match nullable {
        true => SchemaType::from_iter([kind, Type::Null]),
        false => SchemaType::new(kind),
    };
    let text = || ObjectBuilder::new().schema_type(of(Type::String));
    let known = |format| text().format(Some(SchemaFormat::KnownFormat(format)));
    match field.field_type {
        FieldType::Text => text().max_length(Some(text::SHORT)),
        FieldType::LongText => text().max_length(Some(text::LONG)),
        FieldType::Email => known(KnownFormat::Email),
        FieldType::Phone => text().max_length(Some(50)),
        FieldType::Url => text().max_length(Some(2048)).description(Some("A web address.")),
        FieldType::Choice(words) => {
            let null = nullable.then_some(Json::Null);
            let default = words.first().map(|word| format!("{word} unless given."));
            text().enum_values(Some(words.iter().map(|word| json!(word)).chain(null))).description(default)
        }
        FieldType::Count => ObjectBuilder::new().schema_type(of(Type::Integer)).minimum(Some(0)),
        FieldType::Decimal => text()
            .pattern(Some(r"^-?\d{1,15}\.\d{2}$"))
            .description(Some("An amount with two digits, as a text. A number is taken, too.")),
        FieldType::Instant => known(KnownFormat::DateTime),
        FieldType::User => known(KnownFormat::Uuid).description(Some("The id of a user.")),
        FieldType::Link(kind) => {
            let text = format!("The id of {}; null where that is deleted.", kind.with_article());
            known(KnownFormat::Uuid).description(Some(text))
        }
        FieldType::Pipeline => known(KnownFormat::Uuid).description(Some("The id of a pipeline.")),
        FieldType::Stage => text().description(Some("The name of a stage of the deal's pipeline.")),
        FieldType::Currency => text().pattern(Some("^[A-Z]{3}$")).description(Some("The letters of a currency.")),
        FieldType::Percent => ObjectBuilder::new().schema_type(of(Type::Integer)).minimum(Some(0)).maximum(Some(100)),
        FieldType::OptionalChoice(words) => {
            let null = nullable.then_some(Json::Null);
            text().enum_values(Some(words.iter().map(|word| json!(word)).chain(null)))
        }
        FieldType::Id => known(KnownFormat::Uuid),
        FieldType::Tags => ObjectBuilder::new().schema_type(Type::Array),
        FieldType::Json => {
            ObjectBuilder::new().schema_type(of(Type::Object)).description(Some("Any JSON object of at most 64 KiB."))
        }
    }
    .build()
}
