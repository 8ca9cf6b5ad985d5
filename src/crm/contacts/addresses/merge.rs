//! What becomes of addresses when contacts become one: the others' own and further ones are further ones
//! of the contact that stays.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    model::{AddressKind, ExtraAddress, to_json},
    queries,
};
use crate::{
    base::{
        Error, Result,
        ids::{ContactId, ExtraAddressId, WorkspaceId},
    },
    crm::{contacts::Contact, record::Record},
    db::Tx,
};

/// How an address came to the contact that stays.
#[derive(Debug, Serialize, Deserialize)]
struct Came {
    address: String,
    /// Whose further one it was; none for one that was a contact's own.
    from: Option<Uuid>,
}

/// The further addresses before and after it, and which rows came, with how.
pub(in crate::crm) struct Taken {
    pub before: Json,
    pub after: Json,
    pub moved: Vec<(Uuid, Json)>,
}

/// Gives a contact the addresses of others, which are deleted already, and its own ones that the merge
/// replaced (`replaced`, by column).
pub(in crate::crm) async fn take_over_in(
    tx: &mut Tx,
    workspace: WorkspaceId,
    at: DateTime<Utc>,
    winner: Uuid,
    losers: &[Uuid],
    replaced: &Map<String, Json>,
) -> Result<Taken> {
    let before = queries::of_contacts(tx.connection(), workspace, &[winner]).await?;
    let mut known: HashSet<_> = before.iter().map(|address| (address.kind, address.address.clone())).collect();
    let own = contact_in(tx, workspace, winner).await?;
    known.extend(own_addresses(&own));
    let mut moved = Vec::new();
    let mut made = Vec::new();
    for (column, kind) in [("email", AddressKind::Email), ("phone", AddressKind::Phone), ("mobile", AddressKind::Phone)]
    {
        if let Some(address) = replaced.get(column).and_then(Json::as_str) {
            made.push((kind, address.to_owned()));
        }
    }
    for loser in losers {
        made.extend(own_addresses(&contact_in(tx, workspace, *loser).await?));
    }
    for (kind, address) in made {
        if !known.insert((kind, address.clone())) {
            continue;
        }
        let id = ExtraAddressId::new();
        let came = Came { address: address.clone(), from: None };
        let new = ExtraAddress { id, contact_id: ContactId(winner), kind, address, label: None, created_at: at };
        queries::insert(tx.connection(), workspace, &new).await?;
        moved.push((id.0, serde_json::to_value(came).map_err(Error::internal)?));
    }
    for further in queries::of_contacts(tx.connection(), workspace, losers).await? {
        // what is there already stays where it is, and returns with its contact
        if !known.insert((further.kind, further.address.clone())) {
            continue;
        }
        let from = further.contact_id.0;
        queries::give(tx.connection(), workspace, (further.id.0, &further.address), from, winner).await?;
        let came = Came { address: further.address, from: Some(from) };
        moved.push((further.id.0, serde_json::to_value(came).map_err(Error::internal)?));
    }
    let after = queries::of_contacts(tx.connection(), workspace, &[winner]).await?;
    Ok(Taken { before: to_json(&before), after: to_json(&after), moved })
}

/// Takes that back, as far as the addresses are still where they were put; what is left with the contact
/// that stayed, and how many went.
pub(in crate::crm) async fn back_in(
    tx: &mut Tx,
    workspace: WorkspaceId,
    winner: Uuid,
    moved: Vec<(Uuid, Json)>,
) -> Result<(Taken, usize)> {
    let before = queries::of_contacts(tx.connection(), workspace, &[winner]).await?;
    let mut back = 0;
    for (id, data) in moved {
        let Came { address, from } = serde_json::from_value(data).map_err(Error::internal)?;
        let went = match from {
            None => queries::delete(tx.connection(), workspace, id, winner, &address).await?,
            Some(from) => queries::give(tx.connection(), workspace, (id, &address), winner, from).await?,
        };
        back += usize::from(went);
    }
    let after = queries::of_contacts(tx.connection(), workspace, &[winner]).await?;
    Ok((Taken { before: to_json(&before), after: to_json(&after), moved: Vec::new() }, back))
}

async fn contact_in(tx: &mut Tx, workspace: WorkspaceId, id: Uuid) -> Result<Contact> {
    Contact::lock_row(tx.connection(), workspace, id).await?.ok_or(Error::NotFound("Contact"))
}

fn own_addresses(contact: &Contact) -> Vec<(AddressKind, String)> {
    let own = [
        (AddressKind::Email, &contact.email),
        (AddressKind::Phone, &contact.phone),
        (AddressKind::Phone, &contact.mobile),
    ];
    own.into_iter().filter_map(|(kind, address)| Some((kind, address.clone()?))).collect()
}
