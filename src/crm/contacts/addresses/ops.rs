//! The verbs: add, remove, make primary, and read.

use std::collections::HashMap;

use serde_json::json;
use uuid::Uuid;

use super::{
    PART, hold_in,
    model::{AddressKind, ExtraAddress, NewAddress, to_json},
    queries,
};
use crate::{
    auth::Caller,
    base::{
        Error, FieldErrors, Result,
        ids::{ContactId, ExtraAddressId},
        text,
    },
    crm::{
        contacts::Contact,
        record::{
            Field, Raw, Record, Rules, Sight, Value,
            change::{self, Difference},
            events::{ChangeAction, changed},
            ops, sight,
        },
    },
    ctx::Ctx,
    db::Tx,
    team::repeat::{self, Once, Turn},
};

/// Most of one contact, so that reading them with it stays cheap.
const MOST: usize = 50;

/// Those of each of these contacts that the caller sees, the oldest first; in one statement.
pub async fn of_contacts(
    ctx: &Ctx,
    caller: &Caller,
    contacts: &[ContactId],
) -> Result<HashMap<ContactId, Vec<ExtraAddress>>> {
    let sight = Sight::of::<Contact>(caller)?;
    let ids = contacts.iter().map(|contact| contact.0).collect();
    let mut tx = ctx.db.read(caller).await?;
    let seen = ops::seen_in::<Contact>(&mut tx, caller, sight, ids).await?;
    let mut found: HashMap<_, Vec<_>> = contacts.iter().map(|contact| (*contact, Vec::new())).collect();
    for address in queries::of_contacts(tx.connection(), caller.workspace, &seen).await? {
        found.entry(address.contact_id).or_default().push(address);
    }
    Ok(found)
}

/// Adds an address to a contact. One that somebody has already is a conflict that names them.
pub async fn add(
    ctx: &Ctx,
    caller: &Caller,
    contact: ContactId,
    expected: Option<i32>,
    new: NewAddress,
) -> Result<Contact> {
    caller.require(Contact::WRITE)?;
    let mut fields = FieldErrors::new();
    let address = fields.take("address", parse(new.kind, &new.address));
    let label = fields.take("label", text::clean(new.label.as_deref().unwrap_or_default(), text::SHORT)).flatten();
    fields.into_result()?;
    let address = address.unwrap_or_default();
    let mut tx = match begin(ctx, caller).await? {
        Begun::First(tx) => tx,
        Begun::Again(contact) => return Ok(*contact),
    };
    let before = Before::lock(&mut tx, caller, contact, expected).await?;
    let has_it = |own: &Option<String>| own.as_ref() == Some(&address);
    let own = &before.contact;
    let is_own = match new.kind {
        AddressKind::Email => has_it(&own.email),
        AddressKind::Phone => has_it(&own.phone) || has_it(&own.mobile),
    };
    if is_own || before.addresses.iter().any(|known| known.kind == new.kind && known.address == address) {
        return Err(Error::taken("address", "is this contact's already", Some(json!({ "other": contact }))));
    }
    if before.addresses.len() >= MOST {
        return Err(Error::invalid("address", format!("is one too many: a contact has at most {MOST}")));
    }
    let added = ExtraAddress {
        id: ExtraAddressId::new(),
        contact_id: contact,
        kind: new.kind,
        address,
        label,
        created_at: ctx.clock.now(),
    };
    if let Err(refusal) = queries::insert(tx.connection(), caller.workspace, &added).await {
        drop(tx);
        return Err(taken(ctx, caller, &added, refusal).await);
    }
    let after = before.contact.clone();
    finish(ctx, tx, caller, before, after).await
}

/// Removes a further address.
pub async fn remove(ctx: &Ctx, caller: &Caller, id: ExtraAddressId, expected: Option<i32>) -> Result<Contact> {
    caller.require(Contact::WRITE)?;
    let mut tx = match begin(ctx, caller).await? {
        Begun::First(tx) => tx,
        Begun::Again(contact) => return Ok(*contact),
    };
    let (before, known) = Before::of_address(&mut tx, caller, id, expected).await?;
    queries::delete(tx.connection(), caller.workspace, id.0, known.contact_id.0, &known.address).await?;
    let after = before.contact.clone();
    finish(ctx, tx, caller, before, after).await
}

/// Makes a further address the contact's own e-mail address or phone number; the one before it becomes
/// a further one.
pub async fn make_primary(ctx: &Ctx, caller: &Caller, id: ExtraAddressId, expected: Option<i32>) -> Result<Contact> {
    caller.require(Contact::WRITE)?;
    let mut tx = match begin(ctx, caller).await? {
        Begun::First(tx) => tx,
        Begun::Again(contact) => return Ok(*contact),
    };
    let (before, known) = Before::of_address(&mut tx, caller, id, expected).await?;
    let mut after = before.contact.clone();
    let own = match known.kind {
        AddressKind::Email => &mut after.email,
        AddressKind::Phone => &mut after.phone,
    };
    let former = own.replace(known.address.clone());
    queries::delete(tx.connection(), caller.workspace, id.0, known.contact_id.0, &known.address).await?;
    // before the former one is written beside it: an address is nobody's twice
    after.advance(ctx.clock.now());
    Contact::update_row(tx.connection(), caller.workspace, &after).await?;
    if let Some(address) = former.filter(|former| !before.has(known.kind, former)) {
        let kept = ExtraAddress { id: ExtraAddressId::new(), address, label: None, ..known };
        queries::insert(tx.connection(), caller.workspace, &kept).await?;
    }
    finish(ctx, tx, caller, before, after).await
}

fn parse(kind: AddressKind, address: &str) -> Result<String, String> {
    let field = field(kind).ok_or_else(|| "is of no known sort".to_owned())?;
    match field.parse(Raw::Text(address))? {
        Value::Text(address) => Ok(address),
        _ => Err("is needed".to_owned()),
    }
}

/// The contact's own address of that sort.
fn field(kind: AddressKind) -> Option<&'static Field> {
    Contact::FIELDS.iter().find(|field| field.column == kind.column())
}

#[expect(clippy::large_enum_variant, reason = "held for a moment, once a request")]
enum Begun {
    First(Once),
    /// What the first request was about, as it is now.
    Again(Box<Contact>),
}

async fn begin(ctx: &Ctx, caller: &Caller) -> Result<Begun> {
    match repeat::begin::<Uuid>(ctx, caller).await? {
        Turn::First(mut tx) => {
            hold_in(&mut tx, caller.workspace).await?;
            Ok(Begun::First(tx))
        }
        Turn::Again(id, mut tx) => {
            let found = Contact::lock_row(tx.connection(), caller.workspace, id).await?;
            Ok(Begun::Again(Box::new(found.ok_or(Error::NotFound(Contact::NOUN))?)))
        }
    }
}

/// A contact that is about to change, with its addresses.
struct Before {
    contact: Contact,
    addresses: Vec<ExtraAddress>,
}

impl Before {
    async fn lock(tx: &mut Tx, caller: &Caller, id: ContactId, expected: Option<i32>) -> Result<Self> {
        let contact = ops::lock_in::<Contact>(tx, caller, id.0).await?;
        sight::require_write(caller, &contact)?;
        change::refuse_stale_parts(tx, caller, &contact, expected, &[PART]).await?;
        let addresses = queries::of_contacts(tx.connection(), caller.workspace, &[id.0]).await?;
        Ok(Self { contact, addresses })
    }

    /// By one of them, which is still there once the contact is locked.
    async fn of_address(
        tx: &mut Tx,
        caller: &Caller,
        id: ExtraAddressId,
        expected: Option<i32>,
    ) -> Result<(Self, ExtraAddress)> {
        const NOUN: &str = "Address";
        let known = queries::find(tx.connection(), caller.workspace, id).await?.ok_or(Error::NotFound(NOUN))?;
        let before = Self::lock(tx, caller, known.contact_id, expected).await.map_err(|error| match error {
            Error::NotFound(_) => Error::NotFound(NOUN),
            error => error,
        })?;
        let known = before.addresses.iter().find(|address| address.id == id).cloned();
        Ok((before, known.ok_or(Error::NotFound(NOUN))?))
    }

    fn has(&self, kind: AddressKind, address: &str) -> bool {
        self.addresses.iter().any(|known| known.kind == kind && known.address == address)
    }
}

/// Writes the contact's next version with what has changed beside it and in it.
async fn finish(ctx: &Ctx, mut tx: Once, caller: &Caller, before: Before, mut after: Contact) -> Result<Contact> {
    let id = after.id.0;
    let addresses = queries::of_contacts(tx.connection(), caller.workspace, &[id]).await?;
    let mut difference = Difference::between(&before.contact, &after);
    difference.add_part(PART, to_json(&before.addresses), to_json(&addresses));
    if after.version == before.contact.version {
        after.advance(ctx.clock.now());
        Contact::update_row(tx.connection(), caller.workspace, &after).await?;
    }
    let event = changed(Contact::KIND, ChangeAction::Updated, &[(id, after.version)], &difference.names());
    change::record_in(ctx, &mut tx, caller, &after, difference.before, difference.after).await?;
    ctx.emit(&mut tx, caller, &[event]).await?;
    tx.commit(id).await?;
    Ok(after)
}

/// The refusal of an address that somebody has, with who that is. The refused transaction has ended.
async fn taken(ctx: &Ctx, caller: &Caller, address: &ExtraAddress, refusal: Error) -> Error {
    if !matches!(refusal, Error::Conflict(_)) {
        return refusal;
    }
    let other = async {
        let mut tx = ctx.db.read(caller).await?;
        queries::holder(tx.connection(), caller.workspace, address.contact_id, Some(&address.address)).await
    };
    let other = other.await.inspect_err(|error| tracing::warn!(?error, "who has the address could not be looked up"));
    let other = other.ok().flatten().map(|id| json!({ "other": id }));
    Error::taken("address", "is already used by another contact", other)
}
