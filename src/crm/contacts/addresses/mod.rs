//! Further e-mail addresses and phone numbers of contacts. They belong to the contact: each change is
//! a version of it, told and kept as `extraAddresses`. An e-mail address is nobody's twice, neither as
//! a contact's own nor as a further one; phone numbers may be shared.
//!
//! Triggers refuse an address that is taken already. What two do at once is kept apart by a lock: who
//! writes contacts' own addresses shares it, who writes further ones holds it alone, both before they
//! lock a contact.

mod merge;
mod model;
mod ops;
mod queries;

pub(in crate::crm) use merge::{back_in, take_over_in};
pub use model::{AddressKind, ExtraAddress, NewAddress};
pub use ops::{add, make_primary, of_contacts, remove};

use uuid::Uuid;

use super::Contact;
use crate::{
    base::{Result, ids::WorkspaceId},
    db::{Tx, locks},
};

/// In the contact's history and its events.
pub const PART: &str = "extraAddresses";

fn lock_name(workspace: WorkspaceId) -> String {
    format!("addresses of contacts {workspace}")
}

/// For who writes contacts with their own addresses.
pub async fn share_in(tx: &mut Tx, workspace: WorkspaceId) -> Result<()> {
    locks::share_named_in(tx, &lock_name(workspace)).await
}

/// For who writes further ones.
pub(in crate::crm) async fn hold_in(tx: &mut Tx, workspace: WorkspaceId) -> Result<()> {
    locks::hold_named_in(tx, &lock_name(workspace)).await
}

/// Who has one of the contact's e-mail addresses already.
pub(super) async fn holder_in(tx: &mut Tx, workspace: WorkspaceId, contact: &Contact) -> Result<Option<Uuid>> {
    queries::holder(tx.connection(), workspace, contact.id, contact.email.as_deref()).await
}
