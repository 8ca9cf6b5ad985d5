//! API tokens, by the hash of their secret.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::super::model::ApiToken;
use crate::{
    auth::secret,
    base::{
        Result,
        ids::{TokenId, UserId, WorkspaceId},
    },
    db::schema::tokens,
};

pub async fn insert_token(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    token: &ApiToken,
    hash: &secret::Hash,
) -> Result<()> {
    diesel::insert_into(tokens::table)
        .values((
            tokens::id.eq(token.id),
            tokens::workspace_id.eq(workspace),
            tokens::user_id.eq(token.user_id),
            tokens::name.eq(&token.name),
            tokens::hash.eq(hash.as_bytes()),
            tokens::hint.eq(&token.hint),
            tokens::scopes.eq(&token.scopes),
            tokens::created_at.eq(token.created_at),
            tokens::expires_at.eq(token.expires_at),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn count_tokens(connection: &mut AsyncPgConnection, workspace: WorkspaceId, user: UserId) -> Result<i64> {
    Ok(tokens::table
        .filter(tokens::workspace_id.eq(workspace))
        .filter(tokens::user_id.eq(user))
        .filter(tokens::revoked_at.is_null())
        .count()
        .get_result(connection)
        .await?)
}

pub async fn tokens(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    only: Option<UserId>,
) -> Result<Vec<ApiToken>> {
    let mut query = tokens::table
        .filter(tokens::workspace_id.eq(workspace))
        .filter(tokens::revoked_at.is_null())
        .order(tokens::id.desc())
        .limit(1000)
        .select(ApiToken::as_select())
        .into_boxed();
    if let Some(only) = only {
        query = query.filter(tokens::user_id.eq(only));
    }
    Ok(query.load(connection).await?)
}

pub async fn token(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: TokenId,
) -> Result<Option<ApiToken>> {
    Ok(tokens::table
        .find(id)
        .filter(tokens::workspace_id.eq(workspace))
        .filter(tokens::revoked_at.is_null())
        .select(ApiToken::as_select())
        .first(connection)
        .await
        .optional()?)
}

pub async fn revoke_token(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: TokenId,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(tokens::table.find(id).filter(tokens::workspace_id.eq(workspace)))
        .set(tokens::revoked_at.eq(now))
        .execute(connection)
        .await?;
    Ok(())
}
