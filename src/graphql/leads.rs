//! Converting leads. (What else is done with them is done with all records: see `records`.)

use async_graphql::{Context, ID, InputObject, Object, OneofObject, SimpleObject};

use super::{
    context::{Repeatable, once},
    errors::parse_id,
    objects::{account::AccountObject, contact::ContactObject, deal::DealObject, lead::LeadObject, scalars::Decimal},
};
use crate::{
    base::{Result, ids::LeadId},
    crm::leads::convert::{self, AccountChoice, Converted, NewDeal, Options},
};

#[derive(InputObject)]
#[graphql(name = "ConvertLeadInput")]
pub struct ConvertLeadInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    /// The company that the contact and the deal are to be of; without it there is none.
    account: Option<ConvertToAccountInput>,
    /// The deal to be made; without it there is none.
    deal: Option<ConvertToDealInput>,
    /// Whose the new records are; the lead's owner's unless given, or yours where the lead has none.
    /// Giving them to somebody else needs the right to assign.
    owner_id: Option<ID>,
}

/// An account by its name or by its id.
#[derive(OneofObject)]
#[graphql(name = "ConvertToAccountInput")]
pub enum ConvertToAccountInput {
    /// The account of this name, whatever the case; it is made where there is none.
    Name(String),
    Id(ID),
}

/// A deal on the first stage of its pipeline.
#[derive(InputObject)]
#[graphql(name = "ConvertToDealInput")]
pub struct ConvertToDealInput {
    /// The account's name unless given, or else the lead's.
    name: Option<String>,
    amount: Option<Decimal>,
    /// The three letters of the amount's currency.
    currency: Option<String>,
    /// The workspace's default pipeline unless given.
    pipeline_id: Option<ID>,
}

/// What became of the lead. When the request is sent again, what was deleted since is null.
#[derive(SimpleObject)]
#[graphql(name = "ConvertLeadPayload")]
pub struct ConvertLeadPayload {
    lead: LeadObject,
    /// A new one, or the one that had the lead's e-mail address already, which stays as it is.
    contact: Option<ContactObject>,
    account: Option<AccountObject>,
    deal: Option<DealObject>,
}

impl From<Converted> for ConvertLeadPayload {
    fn from(converted: Converted) -> Self {
        let Converted { lead, contact, account, deal } = converted;
        Self {
            lead: LeadObject(lead),
            contact: contact.map(ContactObject),
            account: account.map(AccountObject),
            deal: deal.map(DealObject),
        }
    }
}

impl ConvertLeadInput {
    fn options(self) -> Result<Options> {
        let account = match self.account {
            Some(ConvertToAccountInput::Name(name)) => Some(AccountChoice::Named(Some(name))),
            Some(ConvertToAccountInput::Id(id)) => Some(AccountChoice::Existing(parse_id("account.id", &id)?)),
            None => None,
        };
        let deal = self.deal.map(|deal| NewDeal {
            name: deal.name,
            amount: deal.amount.map(|amount| amount.0.to_plain_string()),
            currency: deal.currency,
            pipeline: deal.pipeline_id.map(|id| id.0),
        });
        let owner = self.owner_id.as_ref().map(|id| parse_id("ownerId", id)).transpose()?;
        Ok(Options { account, deal, owner })
    }
}

/// Mutations of leads alone.
#[derive(Default)]
pub struct LeadConversionMutation;

#[Object(name = "LeadConversionMutation")]
impl LeadConversionMutation {
    /// Makes a contact of a lead and, when asked, an account and a deal. A lead is converted once:
    /// again it is a `CONFLICT`, whose `details` say what it became.
    async fn convert_lead(
        &self,
        context: &Context<'_>,
        input: ConvertLeadInput,
    ) -> async_graphql::Result<ConvertLeadPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: LeadId = parse_id("id", &input.id)?;
        Ok(convert::convert(ctx, &caller, id, input.options()?).await?.into())
    }
}
