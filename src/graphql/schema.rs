//! The schema, put together from the features' parts.

use async_graphql::{EmptySubscription, MergedObject, SDLExportOptions, Schema};

use super::{
    records::{RecordMutation, RecordQuery},
    team::{TeamMutation, TeamQuery},
};
use crate::ctx::Ctx;

/// What can be asked. Everything is of the caller's workspace; nothing names another.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct Query(TeamQuery, RecordQuery);

/// What can be done. Each takes one `input` or an id, and answers with what it changed.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
pub struct Mutation(TeamMutation, RecordMutation);

pub type KontorSchema = Schema<Query, Mutation, EmptySubscription>;

/// The schema as its own language writes it: what `schema.graphql` holds.
pub fn sdl() -> String {
    build(None)
        .sdl_with_options(SDLExportOptions::new().sorted_fields().sorted_enum_items().prefer_single_line_descriptions())
}

/// The schema with the tools in it. `None` for printing only.
pub fn build(ctx: Option<Ctx>) -> KontorSchema {
    let mut builder = Schema::build(Query::default(), Mutation::default(), EmptySubscription);
    if let Some(ctx) = ctx {
        builder = builder.limit_depth(ctx.limits.graphql_depth).limit_complexity(ctx.limits.graphql_cost).data(ctx);
    }
    builder.finish()
}
