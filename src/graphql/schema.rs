//! The schema, put together from the features' parts.

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions, Schema};

use super::{
    addresses::AddressMutation,
    bulk::{BulkMutation, BulkQuery},
    changes::{ChangeQuery, ChangeSubscription, EventObject},
    criteria::CriteriaQuery,
    fields::{FieldMutation, FieldQuery},
    imports::{ImportMutation, ImportQuery, ImportSubscription},
    jobs::{JobMutation, JobQuery, JobSubscription},
    leads::LeadConversionMutation,
    line_items::LineItemMutation,
    list_changes::ListSubscription,
    lists::{ListMutation, ListQuery},
    merges::{MergeMutation, MergeQuery},
    notes::NoteMutation,
    objects::record::RecordObject,
    pipelines::{PipelineMutation, PipelineQuery},
    records::{RecordMutation, RecordQuery},
    reminders::ReminderSubscription,
    team::{TeamMutation, TeamQuery},
};
use crate::{ctx::Ctx, events::Bus};

/// What can be asked. Everything is of the caller's workspace; nothing names another.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct Query(
    TeamQuery,
    RecordQuery,
    ChangeQuery,
    CriteriaQuery,
    MergeQuery,
    ListQuery,
    FieldQuery,
    PipelineQuery,
    JobQuery,
    ImportQuery,
    BulkQuery,
);

/// What can be done. Each takes one `input` or an id, and answers with what it changed.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
pub struct Mutation(
    TeamMutation,
    RecordMutation,
    AddressMutation,
    MergeMutation,
    NoteMutation,
    LeadConversionMutation,
    ListMutation,
    FieldMutation,
    PipelineMutation,
    LineItemMutation,
    JobMutation,
    ImportMutation,
    BulkMutation,
);

/// What can be followed. Every event has a cursor; `after` replays what was missed and then goes on
/// live, without gap or repeat. Progress is a state, not an event, and has none.
#[derive(MergedSubscription, Default)]
#[graphql(name = "Subscription")]
pub struct Subscription(
    ChangeSubscription,
    ReminderSubscription,
    ListSubscription,
    JobSubscription,
    ImportSubscription,
);

pub type KontorSchema = Schema<Query, Mutation, Subscription>;

/// The schema as its own language writes it: what `schema.graphql` holds.
pub fn sdl() -> String {
    build(None)
        .sdl_with_options(SDLExportOptions::new().sorted_fields().sorted_enum_items().prefer_single_line_descriptions())
}

/// The schema with the tools in it. `None` for printing only.
pub fn build(tools: Option<(Ctx, Bus)>) -> KontorSchema {
    let mut builder = Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .register_output_type::<RecordObject>()
        .register_output_type::<EventObject>()
        // the library compares each unknown name with every field there is, which takes seconds for
        // a document of nothing else
        .disable_suggestions();
    if let Some((ctx, bus)) = tools {
        builder = builder.limit_depth(ctx.limits.graphql_depth).data(ctx).data(bus);
    }
    builder.finish()
}
