//! The lists that criteria name, whatever the criteria are for.

use uuid::Uuid;

use super::access;
use crate::{
    auth::{Caller, Permission},
    base::{Error, Result, ids::ContactListId},
    crm::bulk::ListSight,
    db::Tx,
};

/// Refuses criteria that name a list which the caller does not see.
pub struct NamedLists;

impl ListSight for NamedLists {
    async fn require(&self, tx: &mut Tx, caller: &Caller, lists: &[Uuid]) -> Result<()> {
        for named in lists {
            caller.require(Permission::ListsRead)?;
            match access::visible_in(tx, caller, ContactListId(*named)).await {
                Err(Error::NotFound(_)) => {
                    return Err(Error::invalid("where", format!("names a list that you do not see: {named}")));
                }
                seen => seen.map(drop)?,
            }
        }
        Ok(())
    }
}
