//! What resolvers find in the context: the tools, the caller, the loaders.

use std::sync::Arc;

use async_graphql::Context;

use crate::{
    auth::Caller,
    base::{Error, Result},
    ctx::Ctx,
};

/// The tools.
pub fn ctx<'a>(context: &Context<'a>) -> async_graphql::Result<&'a Ctx> {
    context.data::<Ctx>()
}

/// The caller, or the refusal for nobody.
pub fn caller<'a>(context: &Context<'a>) -> Result<&'a Arc<Caller>> {
    let caller = context.data_opt::<Arc<Caller>>();
    caller.ok_or_else(|| Error::Unauthenticated("Sign in first: send Authorization: Bearer <token>".into()))
}

/// Both, which is what most resolvers want.
pub fn both<'a>(context: &Context<'a>) -> async_graphql::Result<(&'a Ctx, &'a Arc<Caller>)> {
    Ok((ctx(context)?, caller(context)?))
}
