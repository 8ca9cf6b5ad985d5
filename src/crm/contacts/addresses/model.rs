//! The nouns: a further address, and of which sort it is.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use serde_json::{Value as Json, json};

use crate::{
    base::ids::{ContactId, ExtraAddressId},
    text_enum,
};

text_enum! {
    /// What an address is.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "AddressKind")]
    pub enum AddressKind {
        Email = "email",
        Phone = "phone",
    }
}

/// A further way to reach a contact.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct ExtraAddress {
    #[diesel(sql_type = SqlUuid)]
    pub id: ExtraAddressId,
    #[diesel(sql_type = SqlUuid)]
    pub contact_id: ContactId,
    #[diesel(sql_type = Text)]
    pub kind: AddressKind,
    /// Normalised as the contact's own are.
    #[diesel(sql_type = Text)]
    pub address: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub label: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
}

/// Input for a new one, not checked yet.
#[derive(Debug, Clone)]
pub struct NewAddress {
    pub kind: AddressKind,
    pub address: String,
    pub label: Option<String>,
}

impl AddressKind {
    /// The contact's own of this sort, by its column.
    pub fn column(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }
}

/// As the history keeps them.
pub fn to_json(addresses: &[ExtraAddress]) -> Json {
    let one =
        |address: &ExtraAddress| json!({ "kind": address.kind, "address": address.address, "label": address.label });
    Json::Array(addresses.iter().map(one).collect())
}
