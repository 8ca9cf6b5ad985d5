//! Batches what the fields of a page ask for one by one, so that a page of anything costs a
//! constant number of SQL statements. Made anew for each request, and nothing is kept: what a
//! mutation changed is read as it is then.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_graphql::dataloader::{DataLoader, Loader};
use uuid::Uuid;

use crate::{
    auth::Caller,
    base::{
        Error, Result as Answer,
        ids::{AccountId, ContactId, ImportId, UserId},
        page::{PageArgs, Slice},
    },
    crm::{
        Account, Contact, RecordKind,
        record::{
            Record,
            history::{self, FieldChange},
            ops,
        },
    },
    ctx::Ctx,
    team::{User, users},
    transfer::import::{self as imports, RowError},
};

/// One request's loaders.
pub struct Loaders {
    pub users: DataLoader<Users>,
    pub accounts: DataLoader<Records>,
    pub contacts: DataLoader<Records>,
    /// Records that are asked for by themselves; it need not wait for others of a page.
    pub singles: DataLoader<Records>,
    pub import_errors: DataLoader<ImportErrors>,
    pub histories: DataLoader<Histories>,
    pub history_counts: DataLoader<Histories>,
}

impl Loaders {
    pub fn new(ctx: &Ctx, caller: &Arc<Caller>) -> Self {
        let source = || Source { ctx: ctx.clone(), caller: caller.clone() };
        Self {
            users: DataLoader::new(Users(source()), tokio::spawn),
            accounts: DataLoader::new(Records(source()), tokio::spawn),
            contacts: DataLoader::new(Records(source()), tokio::spawn),
            singles: DataLoader::new(Records(source()), tokio::spawn).delay(Duration::ZERO),
            import_errors: DataLoader::new(ImportErrors(source()), tokio::spawn),
            histories: DataLoader::new(Histories(source()), tokio::spawn),
            history_counts: DataLoader::new(Histories(source()), tokio::spawn),
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
    type Error = Arc<Error>;

    async fn load(&self, ids: &[UserId]) -> Result<HashMap<UserId, User>, Self::Error> {
        let users = users::by_ids(&self.0.ctx, &self.0.caller, ids).await?;
        Ok(users.into_iter().map(|user| (user.id, user)).collect())
    }
}

/// Live records of any kind.
pub struct Records(Source);

impl Records {
    async fn of<R: Record>(&self, ids: Vec<Uuid>) -> Result<Vec<R>, Arc<Error>> {
        Ok(ops::by_ids(&self.0.ctx, &self.0.caller, &ids).await?)
    }
}

impl Loader<AccountId> for Records {
    type Value = Account;
    type Error = Arc<Error>;

    async fn load(&self, ids: &[AccountId]) -> Result<HashMap<AccountId, Account>, Self::Error> {
        let rows = self.of::<Account>(ids.iter().map(|id| id.0).collect()).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}

impl Loader<ContactId> for Records {
    type Value = Contact;
    type Error = Arc<Error>;

    async fn load(&self, ids: &[ContactId]) -> Result<HashMap<ContactId, Contact>, Self::Error> {
        let rows = self.of::<Contact>(ids.iter().map(|id| id.0).collect()).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}

/// The rows of imports that failed.
pub struct ImportErrors(Source);

/// A page of an import's errors.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ErrorsOf {
    pub import: ImportId,
    pub first: Option<i32>,
    pub after: Option<String>,
}

/// One statement for all imports of which the same page is wanted.
impl Loader<ErrorsOf> for ImportErrors {
    type Value = Slice<RowError>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[ErrorsOf]) -> Result<HashMap<ErrorsOf, Self::Value>, Self::Error> {
        let mut alike: HashMap<_, Vec<ImportId>> = HashMap::new();
        for ErrorsOf { import, first, after } in keys {
            alike.entry((*first, after)).or_default().push(*import);
        }
        let mut found = HashMap::new();
        for ((first, after), ids) in alike {
            let args = PageArgs { first, after: after.clone(), ..PageArgs::default() };
            let pages = imports::error_pages(&self.0.ctx, &self.0.caller, &ids, args).await?;
            let key = |import| ErrorsOf { import, first, after: after.clone() };
            found.extend(pages.into_iter().map(|(import, page)| (key(import), page)));
        }
        Ok(found)
    }
}

/// Histories of records of any kind.
pub struct Histories(Source);

/// A record by its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OfRecord {
    pub kind: RecordKind,
    pub id: Uuid,
}

/// A page of a record's history.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct History {
    pub record: OfRecord,
    pub first: Option<i32>,
    pub after: Option<String>,
}

impl Histories {
    async fn pages(&self, kind: RecordKind, ids: &[Uuid], args: PageArgs) -> Answer<HashMap<Uuid, Slice<FieldChange>>> {
        let Source { ctx, caller } = &self.0;
        match kind {
            RecordKind::Contact => history::pages::<Contact>(ctx, caller, ids, args).await,
            RecordKind::Account => history::pages::<Account>(ctx, caller, ids, args).await,
            RecordKind::Lead | RecordKind::Deal | RecordKind::Product | RecordKind::Task => Ok(HashMap::new()),
        }
    }

    async fn counts(&self, kind: RecordKind, ids: &[Uuid]) -> Answer<HashMap<Uuid, i64>> {
        let Source { ctx, caller } = &self.0;
        match kind {
            RecordKind::Contact => history::counts::<Contact>(ctx, caller, ids).await,
            RecordKind::Account => history::counts::<Account>(ctx, caller, ids).await,
            RecordKind::Lead | RecordKind::Deal | RecordKind::Product | RecordKind::Task => Ok(HashMap::new()),
        }
    }
}

/// One statement for all records of which the same page is wanted: within one list that is all.
impl Loader<History> for Histories {
    type Value = Slice<FieldChange>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[History]) -> Result<HashMap<History, Self::Value>, Self::Error> {
        let mut alike: HashMap<_, Vec<Uuid>> = HashMap::new();
        for History { record, first, after } in keys {
            alike.entry((record.kind, *first, after)).or_default().push(record.id);
        }
        let mut found = HashMap::new();
        for ((kind, first, after), ids) in alike {
            let args = PageArgs { first, after: after.clone(), ..PageArgs::default() };
            let pages = self.pages(kind, &ids, args).await?;
            let key = |id| History { record: OfRecord { kind, id }, first, after: after.clone() };
            found.extend(pages.into_iter().map(|(id, page)| (key(id), page)));
        }
        Ok(found)
    }
}

impl Loader<OfRecord> for Histories {
    type Value = i64;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[OfRecord]) -> Result<HashMap<OfRecord, i64>, Self::Error> {
        let mut alike: HashMap<RecordKind, Vec<Uuid>> = HashMap::new();
        for OfRecord { kind, id } in keys {
            alike.entry(*kind).or_default().push(*id);
        }
        let mut found = HashMap::new();
        for (kind, ids) in alike {
            let counts = self.counts(kind, &ids).await?;
            found.extend(counts.into_iter().map(|(id, count)| (OfRecord { kind, id }, count)));
        }
        Ok(found)
    }
}
