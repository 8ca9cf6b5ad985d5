//! The demo's lists: a chosen one, and some whose members criteria choose. Everybody sees them.

use std::collections::HashSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    auth::Caller,
    base::{Result, page::PageArgs},
    ctx::Ctx,
    lists::{
        ListFilter, ListType, Sharing,
        ops::{self, ListPatch, NewList},
    },
};

/// Contacts of the chosen list.
const INVITED: usize = 120;

/// Makes those that are not there by their names.
pub async fn make(ctx: &Ctx, caller: &Caller, contacts: &[Uuid]) -> Result<()> {
    let there = ops::page(ctx, caller, &ListFilter::default(), PageArgs::default()).await?;
    let there: HashSet<_> = there.rows.into_iter().map(|list| list.name).collect();
    for new in all(contacts).into_iter().filter(|new| !there.contains(&new.name)) {
        ops::create(ctx, caller, new).await?;
    }
    Ok(())
}

fn all(contacts: &[Uuid]) -> Vec<NewList> {
    let compare =
        |field: &str, op: &str, value: &str| json!({ "compare": { "field": field, "op": op, "value": value } });
    let open_deal = json!({ "related": { "relation": "DEALS", "where": compare("stageType", "EQ", "OPEN") } });
    let no_deal = json!({ "related": { "relation": "DEALS", "quantifier": "NONE" } });
    let food = compare("account.industry", "EQ", "Food and drink");
    let invited = contacts.get(..INVITED).unwrap_or(contacts).to_vec();
    vec![
        NewList {
            name: "Invited to the autumn fair".to_owned(),
            list_type: Some(ListType::Static),
            patch: ListPatch { contacts: Some(invited), sharing: Some(Sharing::Edit), ..ListPatch::default() },
        },
        dynamic("People in Hamburg", "#0EA5E9", compare("city", "EQ", "Hamburg")),
        dynamic("With an open deal", "#16A34A", open_deal),
        dynamic("Food and drink, no deal yet", "#F59E0B", json!({ "all": [food, no_deal] })),
    ]
}

fn dynamic(name: &str, color: &str, criteria: Value) -> NewList {
    NewList {
        name: name.to_owned(),
        list_type: Some(ListType::Dynamic),
        patch: ListPatch {
            criteria: Some(criteria),
            color: Some(Some(color.to_owned())),
            sharing: Some(Sharing::View),
            ..ListPatch::default()
        },
    }
}
