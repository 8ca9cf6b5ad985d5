//! What all records have in common: an interface, and the part of each kind's object that is the
//! same.

#![allow(clippy::duplicated_attributes, reason = "two fields of an interface may have one type")]

use std::sync::Arc;

use async_graphql::{Context, ID, Interface, Json, dataloader::Loader};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{
    account::AccountObject, change::FieldChangeConnection, contact::ContactObject, deal::DealObject, lead::LeadObject,
    note::NoteConnection, product::ProductObject, task::TaskObject, timeline::TimelineConnection, user::UserObject,
};
use crate::{
    base::{Error, page},
    crm::{
        RecordKind,
        matching::{self, Filter},
        record::{
            Record,
            select::{self, Related},
        },
    },
    graphql::{
        errors::Nullable,
        loaders::{Loaders, PageOf, Records},
    },
};

pub use crate::crm::record::select::RelatedFilter;

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
    field(
        name = "timeline",
        ty = "TimelineConnection",
        desc = "All that happened to it, the newest first.",
        arg(name = "first", ty = "Option<i32>", desc = "At most 500; 50 unless told."),
        arg(name = "after", ty = "Option<String>")
    ),
    field(
        name = "note_entries",
        ty = "NoteConnection",
        desc = "What was written down about it: pinned notes first, then the newest.",
        arg(name = "first", ty = "Option<i32>", desc = "At most 500; 50 unless told."),
        arg(name = "after", ty = "Option<String>")
    ),
    field(name = "created_by", ty = "Nullable<UserObject>", desc = "Who made it, or for whom it was made."),
    field(name = "created_at", ty = "DateTime<Utc>"),
    field(name = "updated_at", ty = "DateTime<Utc>")
)]
pub enum RecordObject {
    Lead(LeadObject),
    Contact(ContactObject),
    Account(AccountObject),
    Deal(DealObject),
    Product(ProductObject),
    Task(TaskObject),
}

/// A kind of record with its object.
pub trait Shown: Record {
    type Object: Clone + Send + Sync + 'static;

    /// A page of them within another record.
    type Connection;

    fn shown(self) -> Self::Object;
    fn into_record(self) -> RecordObject;
    fn connection(slice: select::Page<Self>, counted: Counted) -> Self::Connection;
}

/// What a list of records was filtered by, to count it when asked.
#[derive(Debug, Clone)]
pub enum Counted {
    /// All that are found.
    Found(Box<Filter>),
    /// Those that lead to a record.
    Related(Related),
}

/// The record that a link leads to.
pub async fn linked<K, R, O>(
    context: &Context<'_>,
    link: Option<K>,
    shown: fn(R) -> O,
) -> async_graphql::Result<Option<O>>
where
    K: Copy + Eq + std::hash::Hash + Send + Sync + 'static,
    R: Clone + Send + Sync + 'static,
    Records: Loader<K, Value = R, Error = Arc<Error>>,
{
    let Some(id) = link else { return Ok(None) };
    Ok(context.data::<Loaders>()?.linked.load_one(id).await?.map(shown))
}

/// A page of the records that lead to this one by the column.
pub async fn related<C: OfRelated>(
    context: &Context<'_>,
    column: &'static str,
    to: Uuid,
    filter: RelatedFilter,
    first: Option<i32>,
    after: Option<String>,
) -> async_graphql::Result<C> {
    let related = Related { kind: C::Record::KIND, column, to, filter };
    let key = PageOf::<C::Record>::new(related, first, after);
    let slice = context.data::<Loaders>()?.related.load_one(key).await?;
    let slice = slice.ok_or_else(|| Error::internal("a record without a page of those that lead to it"))?;
    Ok(C::of(slice, related))
}

/// A connection that can stand within another record.
pub trait OfRelated: Sized {
    type Record: Shown;

    fn of(slice: select::Page<Self::Record>, related: Related) -> Self;
}

/// How many rows a list has in all.
pub async fn count<R: Record>(context: &Context<'_>, counted: &Counted) -> async_graphql::Result<i64> {
    let (ctx, caller) = crate::graphql::context::both(context)?;
    match counted {
        Counted::Found(filter) => Ok(matching::count::<R>(ctx, caller, filter).await?),
        Counted::Related(related) => {
            Ok(context.data::<Loaders>()?.related_counts.load_one(*related).await?.unwrap_or_default())
        }
    }
}

/// An edge's cursor and object.
pub fn edge<R: Shown>((at, row): (select::At, R)) -> (String, R::Object) {
    (page::encode(&at), row.shown())
}

/// Defines the object of a kind with its connection: what every record has, and the resolvers that
/// are given for the kind's own fields.
#[macro_export]
macro_rules! record_object {
    ($(#[$doc:meta])* $object:ident of $record:ident $name:literal, $connection:ident $edge:ident $connection_name:literal $edge_name:literal, owner $owner:literal { $($resolvers:tt)* }) => {
        #[derive(Clone)]
        pub struct $object(pub $record);

        $(#[$doc])*
        #[async_graphql::Object(name = $name)]
        impl $object {
            pub async fn id(&self) -> async_graphql::ID {
                self.0.id.into()
            }

            pub async fn kind(&self) -> $crate::crm::RecordKind {
                <$record as $crate::crm::record::Record>::KIND
            }

            /// What people call it.
            pub async fn display_name(&self) -> String {
                $crate::crm::record::Rules::display_name(&self.0)
            }

            /// 1 when created, one more with each change. Send it as `expectedVersion` to be told of
            /// changes that you have not seen.
            pub async fn version(&self) -> i32 {
                self.0.version
            }

            $($resolvers)*

            async fn owner_id(&self) -> Option<async_graphql::ID> {
                self.0.owner_id.map(Into::into)
            }

            #[doc = $owner]
            pub async fn owner(
                &self,
                context: &async_graphql::Context<'_>,
            ) -> $crate::graphql::errors::Nullable<$crate::graphql::objects::user::UserObject> {
                $crate::graphql::errors::nullable($crate::graphql::objects::user::named(context, self.0.owner_id)).await
            }

            pub async fn tags(&self) -> &[String] {
                &self.0.tags
            }

            pub async fn custom_fields(&self) -> async_graphql::Json<serde_json::Value> {
                $crate::graphql::objects::scalars::json(&self.0.custom_fields)
            }

            /// What happened to its fields, the newest first.
            pub async fn history(
                &self,
                context: &async_graphql::Context<'_>,
                #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
                after: Option<String>,
            ) -> async_graphql::Result<$crate::graphql::objects::change::FieldChangeConnection> {
                let kind = <$record as $crate::crm::record::Record>::KIND;
                $crate::graphql::objects::change::history(context, kind, self.0.id.0, first, after).await
            }

            /// All that happened to it, the newest first: its creation, its changes, notes and tasks about
            /// it, and what else was done to it. Tasks are told of where you may see them.
            pub async fn timeline(
                &self,
                context: &async_graphql::Context<'_>,
                #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
                after: Option<String>,
            ) -> async_graphql::Result<$crate::graphql::objects::timeline::TimelineConnection> {
                let kind = <$record as $crate::crm::record::Record>::KIND;
                $crate::graphql::objects::timeline::timeline(context, kind, self.0.id.0, first, after).await
            }

            /// What was written down about it: pinned notes first, then the newest.
            pub async fn note_entries(
                &self,
                context: &async_graphql::Context<'_>,
                #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
                after: Option<String>,
            ) -> async_graphql::Result<$crate::graphql::objects::note::NoteConnection> {
                let kind = <$record as $crate::crm::record::Record>::KIND;
                $crate::graphql::objects::note::notes(context, kind, self.0.id.0, first, after).await
            }

            /// Who made it, or for whom it was made.
            pub async fn created_by(
                &self,
                context: &async_graphql::Context<'_>,
            ) -> $crate::graphql::errors::Nullable<$crate::graphql::objects::user::UserObject> {
                let maker = Some(self.0.created_by);
                $crate::graphql::errors::nullable($crate::graphql::objects::user::named(context, maker)).await
            }

            pub async fn created_at(&self) -> chrono::DateTime<chrono::Utc> {
                self.0.created_at
            }

            pub async fn updated_at(&self) -> chrono::DateTime<chrono::Utc> {
                self.0.updated_at
            }
        }

        impl $crate::graphql::leaves::Leaves for $object {
            fn leaf(&self, field: &str) -> Option<async_graphql::Value> {
                $crate::graphql::leaves::record_leaf(&self.0, field)
            }
        }

        $crate::connection!($connection $edge of $object, $connection_name $edge_name, count(counted: $crate::graphql::objects::record::Counted, context) {
            $crate::graphql::objects::record::count::<$record>(context, counted).await?
        });

        impl $crate::graphql::objects::record::Shown for $record {
            type Object = $object;
            type Connection = $connection;

            fn shown(self) -> $object {
                $object(self)
            }

            fn into_record(self) -> $crate::graphql::objects::record::RecordObject {
                $crate::graphql::objects::record::RecordObject::$record($object(self))
            }

            fn connection(
                slice: $crate::crm::record::select::Page<Self>,
                counted: $crate::graphql::objects::record::Counted,
            ) -> $connection {
                $connection::new(slice, counted, $crate::graphql::objects::record::edge)
            }
        }

        impl $crate::graphql::objects::record::OfRelated for $connection {
            type Record = $record;

            fn of(
                slice: $crate::crm::record::select::Page<$record>,
                related: $crate::crm::record::select::Related,
            ) -> Self {
                <$record as $crate::graphql::objects::record::Shown>::connection(
                    slice,
                    $crate::graphql::objects::record::Counted::Related(related),
                )
            }
        }
    };
}
