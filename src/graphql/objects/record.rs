//! What all records have in common, as an interface.

#![allow(clippy::duplicated_attributes, reason = "two fields of an interface may have one type")]

use async_graphql::{ID, Interface, Json};
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{account::AccountObject, change::FieldChangeConnection, contact::ContactObject, user::UserObject};
use crate::{crm::RecordKind, graphql::errors::Nullable};

/// A record of any kind.
#[derive(Clone, Interface)]
#[graphql(
    name = "Record",
    field(name = "id", ty = "ID"),
    field(name = "kind", ty = "RecordKind"),
    field(name = "display_name", ty = "String", desc = "What people call it."),
    field(name = "version", ty = "i32", desc = "1 when created, one more with each change."),
    field(name = "owner", ty = "Nullable<UserObject>", desc = "Whose it is."),
    field(name = "tags", ty = "&[String]"),
    field(name = "custom_fields", ty = "Json<Value>"),
    field(
        name = "history",
        ty = "FieldChangeConnection",
        desc = "What happened to its fields, the newest first.",
        arg(name = "first", ty = "Option<i32>", desc = "At most 500; 50 unless told."),
        arg(name = "after", ty = "Option<String>")
    ),
    field(name = "created_at", ty = "DateTime<Utc>"),
    field(name = "updated_at", ty = "DateTime<Utc>")
)]
pub enum RecordObject {
    Contact(ContactObject),
    Account(AccountObject),
}
