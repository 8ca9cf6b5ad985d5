//! What changed in a record, and who did it.

use async_graphql::{ComplexObject, Context, ID, Json, Object, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{
    scalars::json,
    user::{self, UserObject},
};
use crate::{
    auth::Actor,
    base::{ids::UserId, page},
    connection,
    crm::{
        RecordKind,
        record::{FieldType, history::FieldChange},
    },
    graphql::{
        errors::{Nullable, nullable},
        loaders::{History, Loaders, OfRecord},
    },
};

/// Who did something.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name = "Actor", complex)]
pub struct ActorObject {
    /// `user`, `import` or `system`.
    kind: String,
    /// The person, or the person for whom a job worked.
    user_id: Option<ID>,
    /// The job or token that acted.
    through_id: Option<ID>,
    #[graphql(skip)]
    user: Option<UserId>,
}

#[ComplexObject]
impl ActorObject {
    /// The person, or the person for whom a job worked; null where they are no more of the workspace.
    async fn user(&self, context: &Context<'_>) -> Nullable<UserObject> {
        nullable(user::named(context, self.user)).await
    }
}

impl From<&Actor> for ActorObject {
    fn from(actor: &Actor) -> Self {
        let id = |id: Uuid| ID::from(id);
        let (user_id, through_id) = (actor.user.map(|user| id(user.0)), actor.through.map(id));
        Self { kind: actor.kind.clone(), user_id, through_id, user: actor.user }
    }
}

#[derive(Debug, Clone)]
pub struct FieldChangeObject(pub FieldChange);

/// What happened to one field of a record.
#[Object(name = "FieldChange")]
impl FieldChangeObject {
    /// The field's name, as in the record's type and its input; a custom field's is `custom.` and its key.
    async fn field(&self) -> &str {
        &self.0.field
    }

    /// The value before, as the field showed it; a link as the id that it led to.
    async fn before(&self) -> Option<Json<Value>> {
        self.shown(&self.0.before)
    }

    /// The value after, likewise.
    async fn after(&self) -> Option<Json<Value>> {
        self.shown(&self.0.after)
    }

    /// The record's version after the change.
    async fn version(&self) -> i32 {
        self.0.version
    }

    async fn occurred_at(&self) -> DateTime<Utc> {
        self.0.at
    }

    async fn actor(&self) -> ActorObject {
        ActorObject::from(&self.0.actor)
    }

    /// By which way it came: `graphql`, `rest`, `import` or `system`.
    async fn origin(&self) -> &str {
        &self.0.origin
    }
}

impl FieldChangeObject {
    /// A word of a closed set stands in the history as it is stored, and in this API in capitals.
    fn shown(&self, value: &Value) -> Option<Json<Value>> {
        match (self.0.field_type, value) {
            (_, Value::Null) => None,
            (Some(FieldType::Choice(_) | FieldType::OptionalChoice(_)), Value::String(word)) => {
                Some(Json(Value::String(word.to_ascii_uppercase())))
            }
            _ => Some(json(value)),
        }
    }
}

impl crate::graphql::leaves::Leaves for FieldChangeObject {}

connection!(FieldChangeConnection FieldChangeEdge of FieldChangeObject, "FieldChangeConnection" "FieldChangeEdge", count(record: OfRecord, context) {
    context.data::<Loaders>()?.history_counts.load_one(*record).await?.unwrap_or_default()
});

/// A page of a record's history.
pub async fn history(
    context: &Context<'_>,
    kind: RecordKind,
    id: Uuid,
    first: Option<i32>,
    after: Option<String>,
) -> async_graphql::Result<FieldChangeConnection> {
    let record = OfRecord { kind, id };
    let slice = context.data::<Loaders>()?.histories.load_one(History { record, first, after }).await?;
    let slice = slice.ok_or_else(|| crate::base::Error::internal("a record has no history, not even an empty one"))?;
    Ok(FieldChangeConnection::new(slice, record, |change| (page::encode(&change.place()), FieldChangeObject(change))))
}
