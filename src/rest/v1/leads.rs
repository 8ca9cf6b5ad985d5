//! `/leads`: the common rules of records, see `records`; and what is done with leads alone.

use std::{borrow::Cow, collections::HashMap};

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use utoipa::{
    ToSchema,
    openapi::{
        KnownFormat, ObjectBuilder, Ref, RefOr, Schema, SchemaFormat, Type,
        schema::{AllOfBuilder, SchemaType},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    envelope::{Names, One, Refusal, RefusalReply, Told},
    published::{Object, Published},
    records,
    request::{Body, PathId, Signed, nullable},
};
use crate::{
    auth::Caller,
    base::{Error, Result},
    crm::{
        Lead,
        leads::{
            convert::{self, AccountChoice, Converted, NewDeal, Options},
            overview,
        },
        record::Rules,
    },
    ctx::Ctx,
    team::users,
};

const TAG: &str = "Leads";

impl Published for Lead {
    const PATH: &'static str = "/leads";
    const PLURAL: &'static str = "Leads";
    const REQUIRED: &'static [&'static str] = &["firstName", "lastName", "email"];
    const LIMIT: i64 = 10;
    const SEARCHED: &'static str = "first_name, last_name, email and company";

    /// The owner stands in a lead with name and address.
    async fn complete_printed(ctx: &Ctx, caller: &Caller, leads: &[Self], printed: &mut [Object]) -> Result<()> {
        let mut ids: Vec<_> = leads.iter().filter_map(|lead| lead.owner_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let owners = if ids.is_empty() { Vec::new() } else { users::by_ids(ctx, caller, &ids).await? };
        let owners: HashMap<_, _> = owners.into_iter().map(|user| (user.id, user)).collect();
        for (lead, object) in leads.iter().zip(printed) {
            let owner = lead.owner_id.and_then(|id| owners.get(&id));
            let owner = owner.map(|user| json!({ "id": user.id, "full_name": user.full_name, "email": user.email }));
            object.insert("owner".to_owned(), json!(owner));
        }
        Ok(())
    }
}

pub fn routes() -> OpenApiRouter<Ctx> {
    records::routes::<Lead>().routes(routes!(convert)).routes(routes!(assign)).routes(routes!(stats))
}

/// What the lead becomes besides a contact. No body makes the contact alone.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct ConvertBody {
    /// Whether there is to be an account: one of this name, which is made where there is none.
    #[serde(default)]
    #[schema(value_type = bool, default = false)]
    create_account: Option<bool>,
    /// The lead's company unless given.
    account_name: Option<String>,
    /// Whether there is to be a deal.
    #[serde(default)]
    #[schema(value_type = bool, default = false)]
    create_deal: Option<bool>,
    /// The account's or the lead's name unless given.
    deal_name: Option<String>,
    /// A number, or a text with one.
    #[schema(value_type = Option<String>)]
    deal_amount: Option<Json>,
}

impl ConvertBody {
    fn options(self) -> Result<Options> {
        let amount = match self.deal_amount {
            None | Some(Json::Null) => None,
            Some(Json::String(text)) => Some(text),
            Some(Json::Number(number)) => Some(number.to_string()),
            Some(_) => return Err(Error::invalid("dealAmount", "must be a number such as 1200.50")),
        };
        let wanted = |flag: Option<bool>| flag.unwrap_or_default();
        let account = wanted(self.create_account).then_some(AccountChoice::Named(self.account_name));
        let deal = wanted(self.create_deal).then_some(NewDeal { name: self.deal_name, amount, ..NewDeal::default() });
        Ok(Options { account, deal, owner: None })
    }
}

/// What a conversion calls its fields here.
#[derive(Debug)]
struct ConvertNames;

impl Names for ConvertNames {
    fn name(field: &str) -> String {
        match field.split_once('.') {
            Some(("account", "name")) => "account_name".to_owned(),
            Some(("deal", "name")) => "deal_name".to_owned(),
            Some(("deal", "amount")) => "deal_amount".to_owned(),
            // the contact's are the lead's own
            Some((_, of_record)) => <Lead as Names>::name(of_record),
            None => <Lead as Names>::name(field),
        }
    }
}

/// A lead, and what it became.
struct ConvertedLead;

impl utoipa::PartialSchema for ConvertedLead {
    fn schema() -> RefOr<Schema> {
        let id = || {
            ObjectBuilder::new()
                .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
        };
        let became = ["contact_id", "account_id", "deal_id"]
            .into_iter()
            .fold(ObjectBuilder::new(), |object, name| object.property(name, id()).required(name));
        let more = ObjectBuilder::new().property("converted_to", became).required("converted_to");
        AllOfBuilder::new().item(Ref::from_schema_name(Lead::NOUN)).item(more).into()
    }
}

impl ToSchema for ConvertedLead {
    fn name() -> Cow<'static, str> {
        "ConvertedLead".into()
    }
}

/// Convert a lead
///
/// Makes a contact of it, or links it to the one that has its e-mail address already; and, when asked,
/// an account and a deal.
#[utoipa::path(
    post, path = "/leads/{id}/convert", tag = TAG, operation_id = "convert_lead", request_body = ConvertBody,
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The lead as it is now, and what it became", body = Told<ConvertedLead>),
        (status = 403, description = "Your role does not allow it", body = RefusalReply),
        (status = 409, description = "It was converted already", body = RefusalReply))
)]
async fn convert(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    id: PathId,
    Body { content, .. }: Body<ConvertBody>,
) -> Result<Told<Json>, Refusal<ConvertNames>> {
    let converted = convert::convert(&ctx, &caller, id.of(Lead::NOUN)?, content.options()?).await?;
    let Converted { lead, contact, account, deal } = converted;
    let mut printed = records::print_one(&ctx, &caller, &lead).await?;
    printed["converted_to"] = json!({
        "contact_id": contact.map(|contact| contact.id),
        "account_id": account.map(|account| account.id),
        "deal_id": deal.map(|deal| deal.id),
    });
    Ok(Told::new("The lead is converted", printed))
}

/// Whose the lead is to be.
#[derive(Debug, Deserialize, ToSchema)]
struct AssignBody {
    /// The id of a user; null for nobody.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<uuid::Uuid>, required)]
    assigned_to: Option<Option<String>>,
}

/// Give a lead to somebody
///
/// For admins and managers.
#[utoipa::path(
    put, path = "/leads/{id}/assign", tag = TAG, operation_id = "assign_lead", request_body = AssignBody,
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The lead as it is now", body = One<LeadReply>),
        (status = 403, description = "For admins and managers", body = RefusalReply))
)]
async fn assign(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    id: PathId,
    Body { content, .. }: Body<AssignBody>,
) -> Result<One<Json>, Refusal<Lead>> {
    let Some(owner) = content.assigned_to else { return Err(Error::invalid("ownerId", "is needed").into()) };
    let lead = convert::assign(&ctx, &caller, id.of(Lead::NOUN)?, owner.as_deref()).await?;
    Ok(One::new(records::print_one(&ctx, &caller, &lead).await?))
}

/// The schema of a lead, which is made from its field table.
struct LeadReply;

impl utoipa::PartialSchema for LeadReply {
    fn schema() -> RefOr<Schema> {
        RefOr::Ref(Ref::from_schema_name(Lead::NOUN))
    }
}

impl ToSchema for LeadReply {
    fn name() -> Cow<'static, str> {
        "LeadReply".into()
    }
}

/// How many leads there are of which sort.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeadStats)]
struct StatsReply {
    #[serde(rename = "byStatus")]
    by_status: Vec<StatusCount>,
    #[serde(rename = "bySource")]
    by_source: Vec<SourceCount>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeadStatusCount)]
struct StatusCount {
    status: String,
    /// A whole number.
    count: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeadSourceCount)]
struct SourceCount {
    source: String,
    /// A whole number.
    count: String,
}

/// How many leads there are of each status and of each source
///
/// Counts those that you may see. The most come first; what there is none of is left out.
#[utoipa::path(
    get, path = "/leads/stats/overview", tag = TAG, operation_id = "lead_stats",
    responses((status = 200, description = "The counts", body = One<StatsReply>),
        (status = 403, description = "Your role does not allow it", body = RefusalReply))
)]
async fn stats(State(ctx): State<Ctx>, Signed { caller, .. }: Signed) -> Result<One<StatsReply>, Refusal<Lead>> {
    let overview = overview::of_leads(&ctx, &caller).await?;
    let by_status = overview.by_status.into_iter();
    let by_source = overview.by_source.into_iter();
    Ok(One::new(StatsReply {
        by_status: by_status.map(|(status, count)| StatusCount { status, count: count.to_string() }).collect(),
        by_source: by_source.map(|(source, count)| SourceCount { source, count: count.to_string() }).collect(),
    }))
}
