//! Batches what the fields of a page ask for one by one, so that a page of anything costs a
//! constant number of SQL statements. Made anew for each request: nothing is seen twice.

use std::{collections::HashMap, sync::Arc};

use async_graphql::dataloader::{DataLoader, Loader};
use uuid::Uuid;

use super::error::refusal;
use crate::{
    auth::Caller,
    base::ids::{AccountId, ContactId, UserId},
    crm::{
        Account, Contact,
        record::{Record, ops},
    },
    ctx::Ctx,
    team::{User, users},
};

/// One request's loaders.
pub struct Loaders {
    pub users: DataLoader<Users>,
    pub accounts: DataLoader<Records>,
    pub contacts: DataLoader<Records>,
}

impl Loaders {
    pub fn new(ctx: &Ctx, caller: &Arc<Caller>) -> Self {
        let source = || Source { ctx: ctx.clone(), caller: caller.clone() };
        Self {
            users: DataLoader::new(Users(source()), tokio::spawn),
            accounts: DataLoader::new(Records(source()), tokio::spawn),
            contacts: DataLoader::new(Records(source()), tokio::spawn),
        }
    }
}

struct Source {
    ctx: Ctx,
    caller: Arc<Caller>,
}

pub struct Users(Source);

impl Loader<UserId> for Users {
    type Value = User;
    type Error = async_graphql::Error;

    async fn load(&self, ids: &[UserId]) -> Result<HashMap<UserId, User>, Self::Error> {
        let users = users::by_ids(&self.0.ctx, &self.0.caller, ids).await.map_err(refusal)?;
        Ok(users.into_iter().map(|user| (user.id, user)).collect())
    }
}

/// Live records of any kind.
pub struct Records(Source);

impl Records {
    async fn of<R: Record>(&self, ids: Vec<Uuid>) -> Result<Vec<R>, async_graphql::Error> {
        ops::by_ids(&self.0.ctx, &self.0.caller, &ids).await.map_err(refusal)
    }
}

impl Loader<AccountId> for Records {
    type Value = Account;
    type Error = async_graphql::Error;

    async fn load(&self, ids: &[AccountId]) -> Result<HashMap<AccountId, Account>, Self::Error> {
        let rows = self.of::<Account>(ids.iter().map(|id| id.0).collect()).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}

impl Loader<ContactId> for Records {
    type Value = Contact;
    type Error = async_graphql::Error;

    async fn load(&self, ids: &[ContactId]) -> Result<HashMap<ContactId, Contact>, Self::Error> {
        let rows = self.of::<Contact>(ids.iter().map(|id| id.0).collect()).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}
