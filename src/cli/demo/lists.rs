//! The demo's lists: chosen ones, and those whose members criteria choose, in folders. Most of them
//! everybody sees.

use std::collections::HashMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    auth::Caller,
    base::{
        Error, Result,
        ids::{ContactListId, ListFolderId, UserId},
        page::PageArgs,
    },
    ctx::Ctx,
    lists::{
        ListFilter, ListType, Sharing, folders,
        model::Share,
        ops::{self, ListPatch, NewList},
    },
    team::teams::{self, NewTeam},
};

/// Contacts of the chosen list, of which every so many-th is in it.
const INVITED: usize = 120;
const EVERY: usize = 7;

const SALES: &str = "Sales";
const MAILINGS: &str = "Fairs and mailings";
const CARE: &str = "Care";

const GUESTS: &str = "Invited to the autumn fair";
const OPEN_DEAL: &str = "With an open deal";

/// Makes those that are not there by their names. `colleagues` are a team, and the first of them sees a
/// list that nobody else does.
pub async fn make(ctx: &Ctx, caller: &Caller, contacts: &[Uuid], colleagues: &[UserId]) -> Result<()> {
    let making = Making { ctx, caller, folders: folders(ctx, caller).await?, made: lists(ctx, caller).await? };
    making.all(contacts, colleagues).await
}

async fn lists(ctx: &Ctx, caller: &Caller) -> Result<HashMap<String, ContactListId>> {
    let args = PageArgs { first: Some(500), ..PageArgs::default() };
    let there = ops::page(ctx, caller, &ListFilter::default(), args).await?;
    Ok(there.rows.into_iter().map(|list| (list.name, list.id)).collect())
}

async fn folders(ctx: &Ctx, caller: &Caller) -> Result<HashMap<String, ListFolderId>> {
    let there = folders::all(ctx, caller).await?;
    let mut there: HashMap<_, _> = there.into_iter().map(|folder| (folder.name, folder.id)).collect();
    for name in [SALES, MAILINGS, CARE] {
        if !there.contains_key(name) {
            there.insert(name.to_owned(), folders::create(ctx, caller, name).await?.id);
        }
    }
    Ok(there)
}

struct Making<'a> {
    ctx: &'a Ctx,
    caller: &'a Caller,
    folders: HashMap<String, ListFolderId>,
    /// By name.
    made: HashMap<String, ContactListId>,
}

impl Making<'_> {
    async fn all(mut self, contacts: &[Uuid], colleagues: &[UserId]) -> Result<()> {
        let guests: Vec<_> = contacts.iter().step_by(EVERY).take(INVITED).copied().collect();
        self.chosen(GUESTS, MAILINGS, guests, Sharing::Edit).await?;
        self.make(SALES, true, dynamic(OPEN_DEAL, "#16A34A", open_deal(None))).await?;
        let large = dynamic("With an open deal over 50,000", "#15803D", open_deal(Some("50000")));
        self.make(SALES, true, large).await?;
        let food = compare("account.industry", "EQ", "Food and drink");
        let no_deal = json!({ "related": { "relation": "DEALS", "quantifier": "NONE" } });
        let without = all_of([food, no_deal]);
        self.make(SALES, false, dynamic("Food and drink, no deal yet", "#F59E0B", without)).await?;
        let mine =
            all_of([json!({ "compare": { "field": "ownerId", "op": "IS_ME" } }), compare("status", "EQ", "CUSTOMER")]);
        self.make(SALES, false, dynamic("My customers", "#7C3AED", mine)).await?;
        let new = span("createdAt", "IN_LAST", 7);
        self.make(SALES, true, dynamic("New in the last 7 days", "#2563EB", new)).await?;

        self.make(
            CARE,
            true,
            dynamic("Not spoken to for 30 days", "#DC2626", span("lastContactDate", "NOT_IN_LAST", 30)),
        )
        .await?;
        let birthday = json!({ "compare": { "field": "custom.birthday", "op": "ANNIVERSARY_IN_NEXT", "value": 14 } });
        self.make(CARE, false, dynamic("Birthday within two weeks", "#DB2777", birthday)).await?;
        self.make(CARE, false, dynamic("People in Hamburg", "#0EA5E9", compare("city", "EQ", "Hamburg"))).await?;

        let readers = json!({ "compare": { "field": "tags", "op": "HAS_ANY", "values": ["newsletter"] } });
        self.make(MAILINGS, false, dynamic("Newsletter", "#0891B2", readers)).await?;
        let (invited, open) = (self.in_list(GUESTS)?, self.in_list(OPEN_DEAL)?);
        let both = all_of([invited, open]);
        self.make(MAILINGS, false, dynamic("Invited, with an open deal", "#65A30D", both)).await?;

        self.shared(contacts, colleagues).await
    }

    /// One list with a person, one with a team.
    async fn shared(&mut self, contacts: &[Uuid], colleagues: &[UserId]) -> Result<()> {
        let (ctx, caller) = (self.ctx, self.caller);
        let some =
            |from: usize| contacts.iter().skip(from).step_by(EVERY).take(INVITED / 4).copied().collect::<Vec<_>>();
        let teams = teams::page(ctx, caller, PageArgs::default()).await?.rows;
        let team = match teams.into_iter().find(|team| team.name == SALES) {
            Some(team) => team,
            None => {
                teams::create(ctx, caller, NewTeam { name: SALES.to_owned(), members: colleagues.to_vec() }).await?
            }
        };
        for (name, members, user_id, team_id) in [
            ("Dinner with old friends", some(1), colleagues.first().copied(), None),
            ("Call before the fair", some(2), None, Some(team.id.0)),
        ] {
            let list_id = self.chosen(name, SALES, members, Sharing::Private).await?;
            let share = Share { list_id, user_id, team_id, can_edit: true };
            ops::share(ctx, caller, list_id, None, Some(vec![share])).await?;
        }
        Ok(())
    }

    async fn chosen(
        &mut self,
        name: &str,
        folder: &str,
        contacts: Vec<Uuid>,
        sharing: Sharing,
    ) -> Result<ContactListId> {
        let patch = ListPatch { contacts: Some(contacts), sharing: Some(sharing), ..ListPatch::default() };
        let new = NewList { name: name.to_owned(), list_type: Some(ListType::Static), patch };
        self.make(folder, sharing == Sharing::Edit, new).await
    }

    async fn make(&mut self, folder: &str, is_favorite: bool, mut new: NewList) -> Result<ContactListId> {
        if let Some(id) = self.made.get(&new.name) {
            return Ok(*id);
        }
        new.patch.folder = Some(self.folders.get(folder).copied());
        new.patch.favorite = Some(is_favorite);
        let name = new.name.clone();
        let id = ops::create(self.ctx, self.caller, new).await?.id;
        self.made.insert(name, id);
        Ok(id)
    }

    fn in_list(&self, name: &str) -> Result<Value> {
        let list = self.made.get(name).ok_or_else(|| Error::internal("a list is named before it is made"))?;
        Ok(json!({ "inList": list }))
    }
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

fn compare(field: &str, op: &str, value: &str) -> Value {
    json!({ "compare": { "field": field, "op": op, "value": value } })
}

/// So many days.
fn span(field: &str, op: &str, days: u32) -> Value {
    json!({ "compare": { "field": field, "op": op, "value": days, "unit": "DAY" } })
}

fn all_of<const N: usize>(nodes: [Value; N]) -> Value {
    json!({ "all": nodes.to_vec() })
}

fn open_deal(over: Option<&str>) -> Value {
    let mut conditions = vec![compare("stageType", "EQ", "OPEN")];
    conditions.extend(over.map(|amount| compare("amount", "GT", amount)));
    json!({ "related": { "relation": "DEALS", "where": { "all": conditions } } })
}
