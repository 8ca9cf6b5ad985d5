//! Queries about criteria: what can be asked, what it means at the moment, and why.

use async_graphql::{Context, ID, Object};
use uuid::Uuid;

use super::{
    context::both,
    errors::parse_id,
    objects::{
        criteria::{
            CriteriaFieldObject, CriteriaPreview, CriteriaRelationObject, MembershipExplanation, RecordCriteria,
        },
        record::Shown,
    },
};
use crate::{
    crm::{
        RecordKind,
        matching::{self, ARGUMENT},
    },
    for_kind,
    lists::explain,
};

/// Queries about criteria.
#[derive(Default)]
pub struct CriteriaQuery;

#[Object(name = "CriteriaQuery")]
impl CriteriaQuery {
    /// All fields that criteria of a kind can ask about: its own, custom ones, and those of what it is
    /// linked to.
    async fn criteria_fields(
        &self,
        context: &Context<'_>,
        kind: RecordKind,
        #[graphql(default = 1, desc = "How many links a path may go through: 0 to 3.")] links: i32,
    ) -> async_graphql::Result<Vec<CriteriaFieldObject>> {
        let (ctx, caller) = both(context)?;
        Ok(matching::fields(ctx, caller, kind, links).await?.into_iter().map(Into::into).collect())
    }

    /// What criteria of a kind can ask about several related records.
    async fn criteria_relations(
        &self,
        context: &Context<'_>,
        kind: RecordKind,
    ) -> async_graphql::Result<Vec<CriteriaRelationObject>> {
        let (ctx, caller) = both(context)?;
        Ok(matching::relations(ctx, caller, kind).await?.into_iter().map(Into::into).collect())
    }

    /// How many records criteria mean at the moment, and the newest of them, of those that you see.
    async fn criteria_preview(
        &self,
        context: &Context<'_>,
        kind: RecordKind,
        #[graphql(name = "where")] criteria: RecordCriteria,
        #[graphql(
            default = false,
            desc = "Whether to count as a dynamic list of yours would: of the relation LISTS static lists alone. Of \
                    contacts only."
        )]
        for_list: bool,
    ) -> async_graphql::Result<CriteriaPreview> {
        let (ctx, caller) = both(context)?;
        let node = criteria.node(ARGUMENT)?;
        let (count, records) = for_kind!(kind, R => {
            let (count, records) = matching::preview::<R>(ctx, caller, &node, for_list).await?;
            (count, records.into_iter().map(Shown::into_record).collect())
        });
        Ok(CriteriaPreview { count, records })
    }

    /// Why a contact is in a list, or is not: of a dynamic list each node of its criteria with its answer
    /// and the value that it saw, of a static one when and how the contact came in.
    async fn explain_membership(
        &self,
        context: &Context<'_>,
        list_id: ID,
        #[graphql(desc = "A contact's.")] record_id: ID,
    ) -> async_graphql::Result<MembershipExplanation> {
        let (ctx, caller) = both(context)?;
        let (list, record) = (parse_id("listId", &list_id)?, parse_id::<Uuid>("recordId", &record_id)?);
        Ok(explain::explain(ctx, caller, list, record).await?.into())
    }
}
