//! API tokens.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::{DONE, DonePayload};
use crate::{
    base::ids::TokenId,
    graphql::{
        context::{Repeatable, both, once},
        errors::parse_id,
        objects::user::ApiTokenObject,
    },
    id_input,
    team::tokens,
};

#[derive(InputObject)]
#[graphql(name = "CreateApiTokenInput")]
pub struct CreateApiTokenInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    name: String,
    /// As in `viewer.permissions`; empty means all that you may do.
    #[graphql(default)]
    scopes: Vec<String>,
    expires_at: Option<DateTime<Utc>>,
}

id_input!(RevokeApiTokenInput "RevokeApiTokenInput");

#[derive(SimpleObject)]
#[graphql(name = "ApiTokenPayload")]
pub struct ApiTokenPayload {
    api_token: ApiTokenObject,
    /// Shown this once.
    secret: String,
}

/// Queries about API tokens.
#[derive(Default)]
pub struct TokenQuery;

#[Object(name = "TokenQuery")]
impl TokenQuery {
    /// Your API tokens, the newest first; everybody's for admins.
    async fn api_tokens(&self, context: &Context<'_>) -> async_graphql::Result<Vec<ApiTokenObject>> {
        let (ctx, caller) = both(context)?;
        Ok(tokens::list(ctx, caller).await?.into_iter().map(ApiTokenObject).collect())
    }
}

/// Mutations of API tokens.
#[derive(Default)]
pub struct TokenMutation;

#[Object(name = "TokenMutation")]
impl TokenMutation {
    /// Makes an API token for you. Its secret is in this answer only: sent again with the same
    /// `clientMutationId`, the mutation makes no second token and is a `CONFLICT` whose
    /// `details.tokenId` names the first.
    async fn create_api_token(
        &self,
        context: &Context<'_>,
        input: CreateApiTokenInput,
    ) -> async_graphql::Result<ApiTokenPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let new = tokens::NewToken { name: input.name, scopes: input.scopes, expires_at: input.expires_at };
        let (token, secret) = tokens::create(ctx, &caller, new).await?;
        Ok(ApiTokenPayload { api_token: ApiTokenObject(token), secret: secret.text })
    }

    /// Makes a token of yours, or for admins anybody's, stop working at once.
    async fn revoke_api_token(
        &self,
        context: &Context<'_>,
        input: RevokeApiTokenInput,
    ) -> async_graphql::Result<DonePayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        tokens::revoke(ctx, &caller, parse_id::<TokenId>("id", &input.id)?).await?;
        Ok(DONE)
    }
}
