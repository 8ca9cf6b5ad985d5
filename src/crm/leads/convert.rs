//! Converting a lead: a contact is made of it and, when asked, an account and a deal, all in one
//! transaction. A lead is converted once, and says for good what it became.

use std::collections::HashMap;

use serde_json::json;
use uuid::Uuid;

use super::{Conversion, Lead, queries};
use crate::{
    auth::{Caller, Permission},
    base::{
        Error, FieldErrors, Result,
        error::Conflict,
        ids::{AccountId, LeadId, UserId},
    },
    crm::{
        accounts::Account,
        contacts::Contact,
        deals::Deal,
        record::{Field, Patch, Raw, Record, RecordKind, Rules, Sight, Value, custom, ops, sight},
        timeline::{self, NewEntry},
    },
    ctx::Ctx,
    db::{Tx, locks},
    team::{
        audit,
        repeat::{self, Turn},
    },
};

/// What a lead becomes besides a contact.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub account: Option<AccountChoice>,
    pub deal: Option<NewDeal>,
    /// Whose the new records are; the lead's owner's unless given, or the caller's where the lead has
    /// none who is active.
    pub owner: Option<UserId>,
}

#[derive(Debug, Clone)]
pub enum AccountChoice {
    /// The account of this name, whatever the case, which is made where there is none. Without a name
    /// it is that of the lead's company.
    Named(Option<String>),
    Existing(AccountId),
}

/// A deal on the first stage of its pipeline, as a face was given it.
#[derive(Debug, Clone, Default)]
pub struct NewDeal {
    /// That of the account, or of the lead, unless given.
    pub name: Option<String>,
    pub amount: Option<String>,
    pub currency: Option<String>,
    /// The workspace's own unless given.
    pub pipeline: Option<String>,
}

/// A converted lead with what it became; what was deleted since is missing.
#[derive(Debug, Clone)]
pub struct Converted {
    pub lead: Lead,
    pub contact: Option<Contact>,
    pub account: Option<Account>,
    pub deal: Option<Deal>,
}

/// What a contact has of its lead, by column. Custom fields are not among it: one of the same key may
/// mean something else there.
const OF_CONTACT: [&str; 14] = [
    "first_name",
    "last_name",
    "email",
    "phone",
    "title",
    "source",
    "address",
    "city",
    "state",
    "country",
    "postal_code",
    "notes",
    "last_contact_date",
    "tags",
];

/// The same of a new account.
const OF_ACCOUNT: [&str; 4] = ["website", "industry", "annual_revenue", "employees"];

/// Converts a lead. A contact that has its e-mail address already is what it becomes, and stays as it
/// is. One that was converted before is a conflict whose details say what it became.
pub async fn convert(ctx: &Ctx, caller: &Caller, id: LeadId, options: Options) -> Result<Converted> {
    caller.require(Lead::WRITE)?;
    caller.require(Contact::WRITE)?;
    if options.account.is_some() {
        caller.require(Account::WRITE)?;
    }
    if options.deal.is_some() {
        caller.require(Deal::WRITE)?;
    }
    let mut tx = match repeat::begin::<LeadId>(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, tx) => return as_it_is(tx, caller, id).await,
    };
    let lead = ops::lock_in::<Lead>(&mut tx, caller, id.0).await?;
    sight::require_write(caller, &lead)?;
    refuse_converted(&mut tx, caller, id).await?;
    let owner = owner_in(&mut tx, caller, &lead, options.owner).await?;
    let known = known_contact_in(&mut tx, caller, &lead).await?;
    let make = Maker { ctx, caller, lead: &lead, owner };
    let account = match options.account {
        Some(choice) => Some(make.account(&mut tx, choice).await?),
        None => None,
    };
    let contact = match known {
        Some(contact) => contact,
        None => make.contact(&mut tx, account.as_ref()).await?,
    };
    let deal = match options.deal {
        Some(new) => Some(make.deal(&mut tx, &contact, account.as_ref(), new).await?),
        None => None,
    };
    let status = Patch::check(given::<Lead>(&[("status", Some("converted"))])).map_err(Error::Invalid)?;
    let lead = ops::update_in::<Lead>(ctx, &mut tx, caller, id.0, None, status).await?;
    let conversion = Conversion {
        lead_id: id,
        contact_id: Some(contact.id),
        account_id: account.as_ref().map(|account| account.id),
        deal_id: deal.as_ref().map(|deal| deal.id),
        converted_at: ctx.clock.now(),
        converted_by: caller.user,
    };
    queries::insert_conversion(tx.connection(), caller.workspace, &conversion).await?;
    let entry = audit::Entry::new("lead.converted", RecordKind::Lead.as_str(), id).with(told(&conversion));
    audit::record_in(ctx, &mut tx, caller, entry).await?;
    timeline::add_in(ctx, &mut tx, caller, &entries(&conversion)).await?;
    tx.commit(id).await?;
    Ok(Converted { lead, contact: Some(contact), account, deal })
}

/// Gives a lead to somebody, or to nobody; for those who may assign records, whosever it is.
pub async fn assign(ctx: &Ctx, caller: &Caller, id: LeadId, owner: Option<&str>) -> Result<Lead> {
    caller.require(Permission::RecordsAssign)?;
    ops::update::<Lead>(ctx, caller, id.0, None, given::<Lead>(&[("ownerId", Some(owner.unwrap_or_default()))])).await
}

/// What these leads became, of those that the caller sees and that were converted.
pub async fn of_leads(ctx: &Ctx, caller: &Caller, leads: &[LeadId]) -> Result<HashMap<LeadId, Conversion>> {
    let sight = Sight::of::<Lead>(caller)?;
    let mut tx = ctx.db.read(caller).await?;
    let ids = leads.iter().map(|lead| lead.0).collect();
    let seen: Vec<_> = ops::seen_in::<Lead>(&mut tx, caller, sight, ids).await?.into_iter().map(LeadId).collect();
    let conversions = queries::conversions(tx.connection(), caller.workspace, &seen).await?;
    Ok(conversions.into_iter().map(|conversion| (conversion.lead_id, conversion)).collect())
}

/// The leads that became these contacts, accounts or deals, of those that the caller sees; where
/// there were several, the last.
pub async fn sources(ctx: &Ctx, caller: &Caller, kind: RecordKind, records: &[Uuid]) -> Result<HashMap<Uuid, Lead>> {
    let sight = Sight::of::<Lead>(caller)?;
    let column = match kind {
        RecordKind::Contact => "contact_id",
        RecordKind::Account => "account_id",
        RecordKind::Deal => "deal_id",
        RecordKind::Lead | RecordKind::Product | RecordKind::Task => return Ok(HashMap::new()),
    };
    let mut tx = ctx.db.read(caller).await?;
    let sources = queries::sources(tx.connection(), caller.workspace, column, records, sight).await?;
    let ids: Vec<_> = sources.iter().map(|source| source.lead.0).collect();
    let leads = Lead::rows_by_ids(tx.connection(), caller.workspace, &ids).await?;
    let leads: HashMap<_, _> = leads.into_iter().map(|lead| (lead.id, lead)).collect();
    let with_lead = |source: queries::Source| Some((source.record, leads.get(&source.lead)?.clone()));
    Ok(sources.into_iter().filter_map(with_lead).collect())
}

/// Input by the fields' names; what is `None` is not given.
fn given<'a, R: Record>(values: &[(&str, Option<&'a str>)]) -> ops::Input<'a> {
    let field = |name: &str| R::FIELDS.iter().find(|field| field.name == name);
    values.iter().filter_map(|(name, value)| Some((field(name)?, Raw::Text((*value)?)))).collect()
}

async fn refuse_converted(tx: &mut Tx, caller: &Caller, lead: LeadId) -> Result<()> {
    let known = queries::conversions(tx.connection(), caller.workspace, &[lead]).await?;
    let Some(conversion) = known.first() else { return Ok(()) };
    let details = Some(told(conversion));
    let message = "This lead has been converted already".into();
    Err(Error::Conflict(Conflict { message, fields: FieldErrors::new(), details }))
}

/// A conversion as the audit log and the refusal of another one tell it.
fn told(conversion: &Conversion) -> serde_json::Value {
    json!({
        "contactId": conversion.contact_id,
        "accountId": conversion.account_id,
        "dealId": conversion.deal_id,
        "convertedAt": conversion.converted_at,
    })
}

/// The same for the timelines of the lead and of all that it became, whether that was made or was
/// there before.
fn entries(conversion: &Conversion) -> Vec<NewEntry> {
    let Conversion { lead_id, contact_id, account_id, deal_id, .. } = conversion;
    let payload = json!({ "leadId": lead_id, "contactId": contact_id, "accountId": account_id, "dealId": deal_id });
    let records = [
        (RecordKind::Lead, Some(lead_id.0)),
        (RecordKind::Contact, contact_id.map(Into::into)),
        (RecordKind::Account, account_id.map(Into::into)),
        (RecordKind::Deal, deal_id.map(Into::into)),
    ];
    let entry = |(kind, record): (RecordKind, Option<Uuid>)| {
        Some(NewEntry { kind, record: record?, what: "converted", payload: payload.clone() })
    };
    records.into_iter().filter_map(entry).collect()
}

/// What the first request with the caller's key converted, as it is now.
async fn as_it_is(mut tx: Tx, caller: &Caller, id: LeadId) -> Result<Converted> {
    let workspace = caller.workspace;
    // it may be somebody else's by now
    let lead = sight::seen(Lead::lock_row(tx.connection(), workspace, id.0).await?, Sight::of_writer::<Lead>(caller))?;
    let known = queries::conversions(tx.connection(), workspace, &[id]).await?.pop();
    let (contact, account, deal) =
        known.map(|known| (known.contact_id, known.account_id, known.deal_id)).unwrap_or_default();
    Ok(Converted {
        lead,
        contact: live_in(&mut tx, caller, contact.map(Into::into)).await?,
        account: live_in(&mut tx, caller, account.map(Into::into)).await?,
        deal: live_in(&mut tx, caller, deal.map(Into::into)).await?,
    })
}

async fn live_in<R: Record>(tx: &mut Tx, caller: &Caller, id: Option<Uuid>) -> Result<Option<R>> {
    let Some(id) = id else { return Ok(None) };
    Ok(R::rows_by_ids(tx.connection(), caller.workspace, &[id]).await?.pop())
}

/// Keeping the lead's owner gives nothing away; naming somebody else does.
async fn owner_in(tx: &mut Tx, caller: &Caller, lead: &Lead, wanted: Option<UserId>) -> Result<UserId> {
    match (wanted, lead.owner_id) {
        (Some(owner), present) => {
            if owner != caller.user && present != Some(owner) {
                caller.require(Permission::RecordsAssign)?;
            }
            Ok(owner)
        }
        (None, Some(owner)) if ops::may_own(tx, caller.workspace, owner).await? => Ok(owner),
        (None, _) => Ok(caller.user),
    }
}

/// The contact that has the lead's address already. Two who convert leads of one address at once
/// wait for each other, so that the second finds what the first made.
async fn known_contact_in(tx: &mut Tx, caller: &Caller, lead: &Lead) -> Result<Option<Contact>> {
    let Some(email) = &lead.email else { return Ok(None) };
    locks::hold_named_in(tx, &format!("convert to contact {} {email}", caller.workspace)).await?;
    let Some(known) = queries::contact_of_email(tx.connection(), caller.workspace, email).await? else {
        return Ok(None);
    };
    if !ops::hold_live_in(tx, caller.workspace, RecordKind::Contact, known.0).await? {
        return Err(Error::Unavailable("The contact with this address is being merged; try again".into()));
    }
    live_in(tx, caller, Some(known.0)).await
}

/// Makes what a lead becomes.
struct Maker<'a> {
    ctx: &'a Ctx,
    caller: &'a Caller,
    lead: &'a Lead,
    /// Whose it will be.
    owner: UserId,
}

impl Maker<'_> {
    async fn contact(&self, tx: &mut Tx, account: Option<&Account>) -> Result<Contact> {
        let mut contact = ops::blank::<Contact>(self.ctx, self.caller);
        take_over(self.lead, &mut contact, &OF_CONTACT);
        contact.account_id = account.map(|account| account.id);
        contact.owner_id = Some(self.owner);
        self.create(tx, "contact", contact, Patch::default()).await
    }

    async fn account(&self, tx: &mut Tx, choice: AccountChoice) -> Result<Account> {
        let Self { ctx, caller, lead, owner } = *self;
        let name = match choice {
            AccountChoice::Existing(id) => {
                let known = live_in(tx, caller, Some(id.0)).await?;
                return known.ok_or_else(|| Error::invalid("account.id", "is not an account of this workspace"));
            }
            AccountChoice::Named(name) => name.or_else(|| lead.company.clone()).unwrap_or_default(),
        };
        let patch = Patch::check_complete(&["name"], given::<Account>(&[("name", Some(&name))]));
        let patch = patch.map_err(|fields| within("account", Error::Invalid(fields)))?;
        if let Some(Value::Text(name)) = patch.value("name") {
            // as with contacts
            let lock = format!("convert to account {} {}", caller.workspace, name.to_lowercase());
            locks::hold_named_in(tx, &lock).await?;
            let known = queries::account_of_name(tx.connection(), caller.workspace, name).await?;
            if let Some(account) = live_in(tx, caller, known).await? {
                return Ok(account);
            }
        }
        let mut account = ops::blank::<Account>(ctx, caller);
        take_over(lead, &mut account, &OF_ACCOUNT);
        account.owner_id = Some(owner);
        self.create(tx, "account", account, patch).await
    }

    async fn deal(&self, tx: &mut Tx, contact: &Contact, account: Option<&Account>, new: NewDeal) -> Result<Deal> {
        let name = new.name.or_else(|| account.map(Rules::display_name)).unwrap_or_else(|| self.lead.display_name());
        let input = given::<Deal>(&[
            ("name", Some(&name)),
            ("amount", new.amount.as_deref()),
            ("currency", new.currency.as_deref()),
            ("pipelineId", new.pipeline.as_deref()),
        ]);
        let patch = Patch::check(input).map_err(|fields| within("deal", Error::Invalid(fields)))?;
        let mut deal = ops::blank::<Deal>(self.ctx, self.caller);
        deal.contact_id = Some(contact.id);
        deal.account_id = account.map(|account| account.id);
        deal.lead_source = Some(self.lead.source);
        deal.owner_id = Some(self.owner);
        self.create(tx, "deal", deal, patch).await
    }

    async fn create<R: Record>(&self, tx: &mut Tx, name: &str, record: R, patch: Patch) -> Result<R> {
        // nobody is asked for the custom fields of what a lead becomes
        let required = custom::Required::No;
        let made = ops::create_in(self.ctx, tx, self.caller, record, patch, required).await;
        made.map_err(|refused| within(name, refused.into()))
    }
}

/// Copies fields that both kinds have under the same column and with the same type.
fn take_over<R: Record>(lead: &Lead, to: &mut R, columns: &[&str]) {
    for column in columns {
        let of = |fields: &'static [Field]| fields.iter().find(|field| field.column == *column);
        if let (Some(from), Some(field)) = (of(Lead::FIELDS), of(R::FIELDS)) {
            to.set(field, lead.get(from));
        }
    }
}

/// A refusal of one of the records, with the record before the names of its fields. An owner who is
/// none is what the caller said of all of them.
fn within(record: &str, error: Error) -> Error {
    match error {
        Error::Invalid(wrong) => {
            let mut fields = FieldErrors::new();
            for (field, message) in wrong.iter() {
                let name = if field == "ownerId" { field.to_owned() } else { format!("{record}.{field}") };
                fields.add(name, message.to_owned());
            }
            Error::Invalid(fields)
        }
        other => other,
    }
}
