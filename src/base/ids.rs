//! A newtype per kind of id over UUID version 7, so that a contact's id cannot stand where an
//! account's belongs. Version 7 orders by time of making: "newest first" is id descending.

use std::{fmt, str::FromStr};

use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue},
    serialize::{self, Output, ToSql},
    sql_types,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text was no UUID. Faces turn it into "not found" (a path) or a field error (input).
#[derive(Debug, thiserror::Error)]
#[error("is not an id")]
pub struct NotAnId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, AsExpression, FromSqlRow,
        )]
        #[serde(transparent)]
        #[diesel(sql_type = sql_types::Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id, later than every one made before in this process.
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Uuid::try_parse(text).map(Self).map_err(|_| NotAnId)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl ToSql<sql_types::Uuid, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                ToSql::<sql_types::Uuid, Pg>::to_sql(&self.0, out)
            }
        }

        impl FromSql<sql_types::Uuid, Pg> for $name {
            fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
                <Uuid as FromSql<sql_types::Uuid, Pg>>::from_sql(bytes).map(Self)
            }
        }
    )*};
}

ids! {
    /// A customer's own separate world of data; no row links across two.
    WorkspaceId
    /// A person who signs in; one person may be a member of several workspaces.
    UserId
    /// One signed-in browser or client, until it signs out or expires.
    SessionId
    /// A personal API token.
    TokenId
    InvitationId
    ContactId
    /// A further e-mail address or phone number of a contact.
    ExtraAddressId
    LeadId
    /// A company we do business with (not a login).
    AccountId
    DealId
    PipelineId
    StageId
    /// One line of what a deal is about.
    LineItemId
    ProductId
    TaskId
    CustomFieldId
    NoteId
    /// That several records became one.
    MergeId
    JobId
    ImportId
    /// A file in the file store.
    FileId
    AuditEntryId
    /// Members of a workspace who work together.
    TeamId
    /// A list of contacts.
    ContactListId
    ListFolderId
}
