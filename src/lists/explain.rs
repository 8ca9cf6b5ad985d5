//! Why a contact is in a list, or is not.

use uuid::Uuid;

use super::{
    access,
    kept::UNSEEN,
    model::{ListType, Member},
    queries::members,
};
use crate::{
    auth::Caller,
    base::{Error, Result, ids::ContactListId},
    crm::{
        Contact, RecordKind,
        criteria::{Criteria, Explanation, Known},
        matching::{self, Explained},
        record::ops,
    },
    ctx::Ctx,
};

/// Of a list and a contact.
#[derive(Debug, Clone)]
pub struct Membership {
    /// Where it is a member.
    pub member: Option<Member>,
    /// What a dynamic list's criteria say of it now.
    pub explanation: Option<Explanation>,
    /// Why the criteria cannot be answered, in words.
    pub broken: Option<String>,
}

/// What stands behind a membership, or against it: for whoever sees the list and the contact.
pub async fn explain(ctx: &Ctx, caller: &Caller, list: ContactListId, record: Uuid) -> Result<Membership> {
    access::require_read(caller)?;
    let mut tx = ctx.db.read(caller).await?;
    let list = access::visible_in(&mut tx, caller, list).await?;
    let member = members::find(tx.connection(), caller.workspace, list.id, record).await?;
    let known = Known::load(tx.connection(), caller.workspace).await?;
    drop(tx);
    ops::get::<Contact>(ctx, caller, record).await?;
    let mut membership = Membership { member, explanation: None, broken: list.broken.clone() };
    let Some(kept) = list.criteria.as_ref().filter(|_| list.list_type == ListType::Dynamic) else {
        return Ok(membership);
    };
    if membership.broken.is_some() {
        return Ok(membership);
    }
    let checked = Criteria::read(kept).and_then(|node| Criteria::check(RecordKind::Contact, &node, &known));
    match checked {
        // as the list itself is asked: for whoever made it
        Ok(criteria) => match matching::explain(ctx, caller, &criteria, list.created_by, record).await? {
            Explained::Is(explanation) => membership.explanation = explanation,
            Explained::Unseen => membership.broken = Some(UNSEEN.to_owned()),
        },
        Err(errors) => membership.broken = Some(errors.to_string()),
    }
    if membership.explanation.is_none() && membership.broken.is_none() {
        return Err(Error::NotFound("Contact"));
    }
    Ok(membership)
}
