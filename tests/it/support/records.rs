//! Records for tests that are about something else.

use kontor::{
    auth::Caller,
    crm::record::{Raw, Record, ops},
    ctx::Ctx,
};
use serde_json::Value;

/// A record with these fields, by their names in GraphQL.
pub async fn make_record<R: Record>(ctx: &Ctx, caller: &Caller, fields: Value) -> R {
    let fields = fields.as_object().expect("an object");
    let field = |name: &String| R::FIELDS.iter().find(|field| field.name == name).expect("a field");
    let input = fields.iter().map(|(name, value)| (field(name), Raw::Json(value))).collect();
    ops::create(ctx, caller, input).await.expect("a record")
}
