//! What resolvers find in the context: the tools, the caller, the loaders; and the key of a mutation
//! that may be sent again.

use std::sync::Arc;

use async_graphql::{Context, InputObject};

use crate::{
    auth::{Caller, RepeatKey},
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

/// Flattened into the input of every mutation whose outcome can be repeated.
#[derive(InputObject)]
#[graphql(name = "Repeatable")]
pub struct Repeatable {
    /// A key of your making, new for each thing you want done. Sent again with the same input within
    /// 24 hours, the mutation does nothing and answers with what the first one changed, as it is
    /// now; with other input it is a `CONFLICT`.
    client_mutation_id: Option<String>,
}

/// Defines the input of a mutation that needs to know only of what:
/// `id_input!(JobInput "JobInput")`.
#[macro_export]
macro_rules! id_input {
    ($name:ident $graphql:literal) => {
        #[derive(async_graphql::InputObject)]
        #[graphql(name = $graphql)]
        pub struct $name {
            #[graphql(flatten)]
            repeat: $crate::graphql::context::Repeatable,
            id: async_graphql::ID,
        }
    };
}

/// Both for a mutation that may be sent again; the operation finds the key with its caller. What
/// was asked for is the mutation's name and all of its arguments, whoever parses them.
pub fn once<'a>(context: &Context<'a>, sent: &Repeatable) -> async_graphql::Result<(&'a Ctx, Caller)> {
    let (ctx, caller) = both(context)?;
    let caller = Caller::clone(caller);
    let Some(key) = &sent.client_mutation_id else { return Ok((ctx, caller)) };
    let field = context.field();
    let mut asked = field.name().to_owned();
    for (name, value) in field.arguments()? {
        // a map of JSON is sorted, so the order in which a client writes fields does not matter
        let value = value.into_json().map_err(Error::internal)?;
        asked.push_str(&format!(" {name} {value}"));
    }
    Ok((ctx, caller.repeating(Some(RepeatKey::new("clientMutationId", key, asked)?))))
}
