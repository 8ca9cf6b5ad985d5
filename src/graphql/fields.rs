//! Defining custom fields. (Their values are written with the records: see `records`.)

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::{
    context::{Repeatable, both, once},
    errors::parse_id,
    objects::custom_field::CustomFieldObject,
};
use crate::{
    base::{Result, ids::CustomFieldId},
    crm::{
        RecordKind,
        fields::{
            CustomType,
            ops::{self, FieldPatch, NewField, Outcome},
        },
    },
};

#[derive(InputObject)]
#[graphql(name = "CreateCustomFieldInput")]
pub struct CreateCustomFieldInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    kind: RecordKind,
    /// Letters from a to z, digits and `_`, unique for the kind; made of the label where it is absent.
    /// Values that records have under it already must fit the type.
    key: Option<String>,
    label: String,
    description: Option<String>,
    #[graphql(name = "type")]
    field_type: CustomType,
    /// Of a `CHOICE` or `MULTI_CHOICE`, which need some.
    #[graphql(default)]
    choices: Vec<String>,
    /// Of a `RECORD`, which needs it.
    record_kind: Option<RecordKind>,
    #[graphql(default)]
    is_required: bool,
    #[graphql(default)]
    is_unique: bool,
    #[graphql(default)]
    is_indexed: bool,
}

#[derive(InputObject)]
#[graphql(name = "UpdateCustomFieldInput")]
pub struct UpdateCustomFieldInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    /// Absent parts stay as they are.
    label: Option<String>,
    /// A null clears it.
    description: MaybeUndefined<String>,
    /// All of them. Removing one that records have is a `CONFLICT`, unless forced.
    choices: Option<Vec<String>>,
    is_required: Option<bool>,
    /// A `CONFLICT` while records share values; `details.collisions` says how many.
    is_unique: Option<bool>,
    is_indexed: Option<bool>,
    /// Removes choices that records have; those keep them until they are changed.
    #[graphql(default)]
    force: bool,
}

#[derive(InputObject)]
#[graphql(name = "DeleteCustomFieldInput")]
pub struct DeleteCustomFieldInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    /// Deletes it even where the criteria of lists name it; without, that is a `CONFLICT` whose
    /// `details.usedBy` names them.
    #[graphql(default)]
    force: bool,
}

#[derive(InputObject)]
#[graphql(name = "ReorderCustomFieldsInput")]
pub struct ReorderCustomFieldsInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    kind: RecordKind,
    /// In the new order; fields that are not named follow in their present one.
    ids: Vec<ID>,
}

#[derive(SimpleObject)]
#[graphql(name = "CustomFieldPayload")]
pub struct CustomFieldPayload {
    custom_field: CustomFieldObject,
    /// The job that fills or empties the index, where records have values already.
    job_id: Option<ID>,
}

impl From<Outcome> for CustomFieldPayload {
    fn from(outcome: Outcome) -> Self {
        Self { custom_field: CustomFieldObject(outcome.field), job_id: outcome.job.map(Into::into) }
    }
}

#[derive(SimpleObject)]
#[graphql(name = "DeleteCustomFieldPayload")]
pub struct DeleteCustomFieldPayload {
    deleted_id: ID,
    /// The job that removes its values from the records.
    job_id: Option<ID>,
}

#[derive(SimpleObject)]
#[graphql(name = "ReorderCustomFieldsPayload")]
pub struct ReorderCustomFieldsPayload {
    custom_fields: Vec<CustomFieldObject>,
}

/// Queries about custom fields.
#[derive(Default)]
pub struct FieldQuery;

#[Object(name = "FieldQuery")]
impl FieldQuery {
    /// The custom fields of a kind of record, in their order.
    async fn custom_fields(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of which records.")] kind: RecordKind,
    ) -> async_graphql::Result<Vec<CustomFieldObject>> {
        let (ctx, caller) = both(context)?;
        Ok(ops::list(ctx, caller, kind).await?.into_iter().map(CustomFieldObject).collect())
    }
}

/// Mutations of custom fields.
#[derive(Default)]
pub struct FieldMutation;

#[Object(name = "FieldMutation")]
impl FieldMutation {
    /// Defines a custom field; for admins.
    async fn create_custom_field(
        &self,
        context: &Context<'_>,
        input: CreateCustomFieldInput,
    ) -> async_graphql::Result<CustomFieldPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let new = NewField {
            kind: input.kind,
            key: input.key,
            label: input.label,
            description: input.description,
            field_type: input.field_type,
            choices: input.choices,
            record_kind: input.record_kind,
            is_required: input.is_required,
            is_unique: input.is_unique,
            is_indexed: input.is_indexed,
        };
        Ok(ops::create(ctx, &caller, new).await?.into())
    }

    /// Changes a custom field; for admins. Its key, kind and type never change.
    async fn update_custom_field(
        &self,
        context: &Context<'_>,
        input: UpdateCustomFieldInput,
    ) -> async_graphql::Result<CustomFieldPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: CustomFieldId = parse_id("id", &input.id)?;
        let description = match input.description {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(String::new()),
            MaybeUndefined::Value(description) => Some(description),
        };
        let patch = FieldPatch {
            label: input.label,
            description,
            choices: input.choices,
            is_required: input.is_required,
            is_unique: input.is_unique,
            is_indexed: input.is_indexed,
            force: input.force,
        };
        Ok(ops::update(ctx, &caller, id, patch).await?.into())
    }

    /// Deletes a custom field and its values in all records; for admins. It cannot be taken back.
    async fn delete_custom_field(
        &self,
        context: &Context<'_>,
        input: DeleteCustomFieldInput,
    ) -> async_graphql::Result<DeleteCustomFieldPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: CustomFieldId = parse_id("id", &input.id)?;
        let job = ops::delete(ctx, &caller, id, input.force).await?;
        Ok(DeleteCustomFieldPayload { deleted_id: input.id, job_id: job.map(Into::into) })
    }

    /// Puts the custom fields of a kind into an order; for admins.
    async fn reorder_custom_fields(
        &self,
        context: &Context<'_>,
        input: ReorderCustomFieldsInput,
    ) -> async_graphql::Result<ReorderCustomFieldsPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let ids: Vec<CustomFieldId> = input.ids.iter().map(|id| parse_id("ids", id)).collect::<Result<_>>()?;
        let ordered = ops::reorder(ctx, &caller, input.kind, &ids).await?;
        Ok(ReorderCustomFieldsPayload { custom_fields: ordered.into_iter().map(CustomFieldObject).collect() })
    }
}
