//! Teams as the API shows them.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use super::user::UserObject;
use crate::{
    graphql::{context::caller, loaders::Loaders},
    team::Team,
};

#[derive(Clone)]
pub struct TeamObject(pub Team);

/// Members of the workspace who work together.
#[Object(name = "Team")]
impl TeamObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// Unique in the workspace.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Who is in it, by name; at most 500.
    async fn members(&self, context: &Context<'_>) -> async_graphql::Result<Vec<UserObject>> {
        caller(context)?;
        let loaders = context.data::<Loaders>()?;
        let ids = loaders.memberships.load_one(self.0.id).await?.unwrap_or_default();
        let mut members: Vec<_> = loaders.users.load_many(ids).await?.into_values().collect();
        members.sort_unstable_by(|one, other| (&one.full_name, one.id).cmp(&(&other.full_name, other.id)));
        Ok(members.into_iter().map(UserObject::beside).collect())
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When its name or its members changed last.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}
