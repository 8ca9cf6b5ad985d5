//! Personal API tokens: made for one's own account, shown once, narrowed by scopes.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{
    audit, events,
    model::ApiToken,
    queries,
    repeat::{self, Turn},
};
use crate::{
    auth::{Caller, Grant, Origin, Permission, secret},
    base::{Error, FieldErrors, Result, error::Conflict, ids::TokenId, text},
    ctx::Ctx,
};

#[derive(Debug, Clone)]
pub struct NewToken {
    pub name: String,
    /// Permissions by their names; empty means all that the user may do.
    pub scopes: Vec<String>,
    pub expires_at: Option<DateTime<Utc>>,
}

const MOST_TOKENS: i64 = 200;

/// Makes a token for the caller. The secret is in the answer and never again: a repetition by the
/// same key makes no second token, and is refused with the id of the first.
pub async fn create(ctx: &Ctx, caller: &Caller, new: NewToken) -> Result<(ApiToken, secret::Fresh)> {
    caller.require_unscoped()?;
    if matches!(caller.origin, Origin::Token(_)) {
        // else one that expires, or is taken away, would live on in its children
        return Err(Error::Forbidden("An API token may not make another; sign in".into()));
    }
    let now = ctx.clock.now();
    let mut fields = FieldErrors::new();
    let name = text::required(&mut fields, "name", &new.name);
    for scope in &new.scopes {
        if Permission::from_scope(scope).is_none() {
            let known: Vec<_> = Permission::ALL.iter().map(|permission| permission.scope()).collect();
            fields.add("scopes", format!("has the unknown scope {scope:?}; known are {}", known.join(", ")));
        }
    }
    if new.expires_at.is_some_and(|at| at <= now || at > now + TimeDelta::days(3660)) {
        fields.add("expiresAt", "must be in the future, at most ten years ahead");
    }
    let (Some(name), true) = (name, fields.is_empty()) else { return Err(Error::Invalid(fields)) };
    let secret = secret::Fresh::new(secret::Kind::ApiToken);
    let mut scopes = new.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    let hint = secret.text.chars().take(14).collect();
    let user_id = caller.user;
    let token = ApiToken {
        id: TokenId::new(),
        user_id,
        name,
        hint,
        scopes,
        created_at: now,
        expires_at: new.expires_at,
        last_used_at: None,
    };
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(token, _) => return Err(shown_once(token)),
    };
    if queries::tokens::count_tokens(tx.connection(), caller.workspace, caller.user).await? >= MOST_TOKENS {
        return Err(Error::conflict("You have 200 tokens; revoke one first"));
    }
    queries::tokens::insert_token(tx.connection(), caller.workspace, &token, &secret.hash).await?;
    let entry = audit::Entry::new("token.created", "token", token.id)
        .with(json!({ "name": token.name, "scopes": token.scopes }));
    audit::record_in(ctx, &mut tx, caller, entry).await?;
    tx.commit(token.id).await?;
    Ok((token, secret))
}

/// A repeated creation cannot be answered as the first one was: nobody has the secret any more.
fn shown_once(token: TokenId) -> Error {
    Error::Conflict(Conflict {
        message: "This token was made, and its secret was in the first answer only; revoke it, and make another with \
                  a new key"
            .into(),
        details: Some(json!({ "tokenId": token })),
        ..Conflict::default()
    })
}

/// The caller's tokens, newest first; everybody's for admins.
pub async fn list(ctx: &Ctx, caller: &Caller) -> Result<Vec<ApiToken>> {
    let only = match caller.require(Permission::TokensManage)? {
        Grant::All => None,
        _ => Some(caller.user),
    };
    let mut tx = ctx.db.read(caller).await?;
    queries::tokens::tokens(tx.connection(), caller.workspace, only).await
}

/// Revokes a token; it stops working at once.
pub async fn revoke(ctx: &Ctx, caller: &Caller, id: TokenId) -> Result<()> {
    let grant = caller.require(Permission::TokensManage)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again((), _) => return Ok(()),
    };
    let token = queries::tokens::token(tx.connection(), caller.workspace, id).await?;
    let token = token.filter(|token| grant == Grant::All || token.user_id == caller.user);
    let user = token.ok_or(Error::NotFound("Token"))?.user_id;
    queries::tokens::revoke_token(tx.connection(), caller.workspace, id, ctx.clock.now()).await?;
    audit::record_in(ctx, &mut tx, caller, audit::Entry::new("token.revoked", "token", id)).await?;
    ctx.emit(&mut tx, caller, &[events::token_revoked(user, id)]).await?;
    tx.commit(()).await?;
    ctx.resolver.forget(user);
    Ok(())
}
