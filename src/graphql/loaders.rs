//! Batches what the fields of a page ask for one by one, so that a page of anything costs a
//! constant number of SQL statements. Made anew for each request, and nothing is kept: what a
//! mutation changed is read as it is then.
//!
//! A subscription sends its items one by one, so there is nothing to batch. Its loaders are told
//! which records come next; what is asked of the first of them is loaded for all, and kept until the
//! next are told of.

mod beside;

use std::{
    collections::{HashMap, HashSet},
    hash::{Hash, Hasher},
    marker::PhantomData,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_graphql::dataloader::{DataLoader, HashMapCache, Loader};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    auth::Caller,
    base::{
        Error, Result as Answer,
        ids::{
            AccountId, ContactId, ContactListId, DealId, ImportId, JobId, LeadId, ListFolderId, PipelineId, ProductId,
            StageId, TaskId, TeamId, UserId,
        },
        page::{PageArgs, Slice},
    },
    crm::{
        Account, Contact, Deal, Lead, Product, RecordKind, Task,
        deals::{
            LineItem, StageTotal, line_items,
            stage_history::{self, StageTime},
            totals,
        },
        leads::{Conversion, convert},
        pipelines::{self, Stage},
        record::{
            Record,
            history::{self, FieldChange},
            ops,
            select::{self, At, Order, Related},
        },
    },
    ctx::Ctx,
    for_kind,
    jobs::JobSummary,
    lists::{
        ContactList, folders,
        model::{ListFolder, ListUse, LogEntry, Member, Share, SizePoint},
        views,
    },
    team::{Team, User, teams, users},
    transfer::import::{self as imports, RowError},
};

pub use beside::{Addresses, AddressesOf, NoteOf, Notes, NotesOf, TimelineOf, Timelines};

/// One request's loaders; clones are the same.
#[derive(Clone)]
pub struct Loaders(Arc<Inner>);

pub struct Inner {
    pub users: DataLoader<Users, HashMapCache>,
    /// Records that others lead to.
    pub linked: DataLoader<Records, HashMapCache>,
    /// What leads to records.
    pub related: DataLoader<RelatedPages>,
    pub related_counts: DataLoader<RelatedPages>,
    pub stages: DataLoader<Stages, HashMapCache>,
    pub stage_totals: DataLoader<OfDeals>,
    pub stage_times: DataLoader<OfDeals>,
    pub line_items: DataLoader<OfDeals>,
    /// Who is in a team, and in which teams somebody is.
    pub memberships: DataLoader<Memberships>,
    /// Records that are asked for by themselves; it need not wait for others of a page.
    pub singles: DataLoader<Records>,
    /// Contacts that stand beside something else.
    pub contacts: DataLoader<Records>,
    /// What stands beside lists, and the lists of contacts.
    pub lists: DataLoader<Lists>,
    pub import_errors: DataLoader<ImportErrors>,
    pub histories: DataLoader<Histories, HashMapCache>,
    pub history_counts: DataLoader<Histories, HashMapCache>,
    pub timelines: DataLoader<Timelines>,
    pub timeline_counts: DataLoader<Timelines>,
    /// Notes by themselves, by the page, and how many there are.
    pub notes: DataLoader<Notes>,
    pub note_pages: DataLoader<Notes>,
    pub note_counts: DataLoader<Notes>,
    /// What leads became, and which became what.
    pub conversions: DataLoader<Conversions>,
    /// Further addresses of contacts.
    pub addresses: DataLoader<Addresses>,
    ahead: Arc<Mutex<Ahead>>,
}

/// A record that comes next, and what it leads to.
#[derive(Debug, Clone, Copy)]
pub struct Coming {
    pub record: OfRecord,
    /// Its owner and its maker.
    pub people: [Option<UserId>; 2],
    pub account: Option<AccountId>,
}

/// What the records that come next may be asked for.
#[derive(Default)]
struct Ahead {
    users: HashSet<UserId>,
    accounts: HashSet<AccountId>,
    records: HashSet<OfRecord>,
}

impl Loaders {
    /// For a query or mutation: nothing is kept, for a mutation may change it.
    pub fn new(ctx: &Ctx, caller: &Arc<Caller>) -> Self {
        let loaders = Self::keeping(ctx, caller);
        loaders.users.enable_all_cache(false);
        loaders.linked.enable_all_cache(false);
        loaders.stages.enable_all_cache(false);
        loaders.histories.enable_all_cache(false);
        loaders.history_counts.enable_all_cache(false);
        loaders
    }

    /// For a subscription.
    pub fn keeping(ctx: &Ctx, caller: &Arc<Caller>) -> Self {
        let ahead = Arc::<Mutex<Ahead>>::default();
        let source = || Source { ctx: ctx.clone(), caller: caller.clone(), ahead: ahead.clone() };
        let cache = HashMapCache::default;
        Self(Arc::new(Inner {
            users: DataLoader::with_cache(Users(source()), tokio::spawn, cache()),
            linked: DataLoader::with_cache(Records(source()), tokio::spawn, cache()),
            related: DataLoader::new(RelatedPages(source()), tokio::spawn),
            related_counts: DataLoader::new(RelatedPages(source()), tokio::spawn),
            stages: DataLoader::with_cache(Stages(source()), tokio::spawn, cache()),
            stage_totals: DataLoader::new(OfDeals(source()), tokio::spawn),
            stage_times: DataLoader::new(OfDeals(source()), tokio::spawn),
            line_items: DataLoader::new(OfDeals(source()), tokio::spawn),
            memberships: DataLoader::new(Memberships(source()), tokio::spawn),
            singles: DataLoader::new(Records(source()), tokio::spawn).delay(Duration::ZERO),
            contacts: DataLoader::new(Records(source()), tokio::spawn),
            lists: DataLoader::new(Lists(source()), tokio::spawn),
            import_errors: DataLoader::new(ImportErrors(source()), tokio::spawn),
            histories: DataLoader::with_cache(Histories(source()), tokio::spawn, cache()),
            history_counts: DataLoader::with_cache(Histories(source()), tokio::spawn, cache()),
            timelines: DataLoader::new(Timelines(source()), tokio::spawn),
            timeline_counts: DataLoader::new(Timelines(source()), tokio::spawn),
            notes: DataLoader::new(Notes(source()), tokio::spawn),
            note_pages: DataLoader::new(Notes(source()), tokio::spawn),
            note_counts: DataLoader::new(Notes(source()), tokio::spawn),
            conversions: DataLoader::new(Conversions(source()), tokio::spawn),
            addresses: DataLoader::new(Addresses(source()), tokio::spawn),
            ahead,
        }))
    }

    /// Forgets what is kept: these records come next.
    pub fn look_ahead(&self, records: impl Iterator<Item = Coming>) {
        self.users.clear::<UserId>();
        self.linked.clear::<AccountId>();
        self.linked.clear::<ContactId>();
        self.linked.clear::<LeadId>();
        self.linked.clear::<DealId>();
        self.stages.clear::<StageId>();
        self.stages.clear::<PipelineId>();
        self.histories.clear::<History>();
        self.history_counts.clear::<OfRecord>();
        let mut ahead = Ahead::default();
        for Coming { record, people, account } in records {
            ahead.users.extend(people.into_iter().flatten());
            ahead.accounts.extend(account);
            ahead.records.insert(record);
        }
        *lock(&self.ahead) = ahead;
    }
}

impl Deref for Loaders {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

struct Source {
    ctx: Ctx,
    caller: Arc<Caller>,
    ahead: Arc<Mutex<Ahead>>,
}

impl Source {
    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        lock(&self.ahead)
    }
}

fn lock(ahead: &Mutex<Ahead>) -> MutexGuard<'_, Ahead> {
    ahead.lock().unwrap_or_else(PoisonError::into_inner)
}

/// These keys and those ahead. The latter are taken only once: what is not found is not kept, and
/// must not be looked for with all the others again.
fn with_ahead<K: Copy + Eq + Hash>(keys: &[K], ahead: &mut HashSet<K>) -> Vec<K> {
    let mut all = std::mem::take(ahead);
    all.extend(keys);
    all.into_iter().collect()
}

pub struct Users(Source);

impl Loader<UserId> for Users {
    type Value = User;
    type Error = Arc<Error>;

    async fn load(&self, ids: &[UserId]) -> Result<HashMap<UserId, User>, Self::Error> {
        let ids = with_ahead(ids, &mut self.0.ahead().users);
        let users = users::by_ids(&self.0.ctx, &self.0.caller, &ids).await?;
        Ok(users.into_iter().map(|user| (user.id, user)).collect())
    }
}

/// Memberships in teams, from either side. Whoever has none is not found.
pub struct Memberships(Source);

impl Loader<TeamId> for Memberships {
    type Value = Vec<UserId>;
    type Error = Arc<Error>;

    async fn load(&self, ids: &[TeamId]) -> Result<HashMap<TeamId, Vec<UserId>>, Self::Error> {
        Ok(teams::members_of(&self.0.ctx, &self.0.caller, ids).await?)
    }
}

impl Loader<UserId> for Memberships {
    type Value = Vec<Team>;
    type Error = Arc<Error>;

    async fn load(&self, ids: &[UserId]) -> Result<HashMap<UserId, Vec<Team>>, Self::Error> {
        Ok(teams::of_users(&self.0.ctx, &self.0.caller, ids).await?)
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
        let ids = with_ahead(ids, &mut self.0.ahead().accounts);
        let is_ahead = !self.0.ahead().records.is_empty();
        let rows = self.of::<Account>(ids.iter().map(|id| id.0).collect()).await?;
        if is_ahead {
            self.0.ahead().users.extend(rows.iter().filter_map(|account| account.owner_id));
        }
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}

/// The same for the other kinds, of which no page looks ahead. What is not for the caller to see is
/// not there for them.
macro_rules! record_loaders {
    ($($id:ident: $record:ident;)+) => {$(
        impl Loader<$id> for Records {
            type Value = $record;
            type Error = Arc<Error>;

            async fn load(&self, ids: &[$id]) -> Result<HashMap<$id, $record>, Self::Error> {
                let rows = self.of::<$record>(ids.iter().map(|id| id.0).collect()).await?;
                Ok(rows.into_iter().map(|row| (row.id, row)).collect())
            }
        }
    )+};
}

record_loaders! {
    LeadId: Lead;
    ContactId: Contact;
    DealId: Deal;
    ProductId: Product;
    TaskId: Task;
}

/// What leads to records.
pub struct RelatedPages(Source);

/// A page of the records of a kind that lead to another.
pub struct PageOf<R>(PageKey, PhantomData<fn() -> R>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PageKey {
    related: Related,
    first: Option<i32>,
    after: Option<String>,
}

impl<R> PageOf<R> {
    pub fn new(related: Related, first: Option<i32>, after: Option<String>) -> Self {
        Self(PageKey { related, first, after }, PhantomData)
    }
}

// by hand: derived they would ask the same of the kind

impl<R> Clone for PageOf<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<R> PartialEq for PageOf<R> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<R> Eq for PageOf<R> {}

impl<R> Hash for PageOf<R> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// Two statements for all records of which the same page is wanted.
impl<R: Record> Loader<PageOf<R>> for RelatedPages {
    type Value = select::Page<R>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[PageOf<R>]) -> Result<HashMap<PageOf<R>, Self::Value>, Self::Error> {
        let mut alike: HashMap<_, Vec<&PageOf<R>>> = HashMap::new();
        for key in keys {
            let Related { column, filter, .. } = key.0.related;
            alike.entry((column, filter, key.0.first, &key.0.after)).or_default().push(key);
        }
        let mut found = HashMap::new();
        for ((column, filter, first, after), keys) in alike {
            let args = PageArgs { first, after: after.clone(), ..PageArgs::default() };
            let to: Vec<_> = keys.iter().map(|key| key.0.related.to).collect();
            let Source { ctx, caller, .. } = &self.0;
            let mut pages = select::related_pages::<R>(ctx, caller, column, filter, &to, args).await?;
            let with_page = |key: &PageOf<R>| Some((key.clone(), pages.remove(&key.0.related.to)?));
            found.extend(keys.into_iter().filter_map(with_page));
        }
        Ok(found)
    }
}

impl Loader<Related> for RelatedPages {
    type Value = i64;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[Related]) -> Result<HashMap<Related, i64>, Self::Error> {
        let mut alike: HashMap<_, Vec<Uuid>> = HashMap::new();
        for Related { kind, column, to, filter } in keys {
            alike.entry((*kind, *column, *filter)).or_default().push(*to);
        }
        let Source { ctx, caller, .. } = &self.0;
        let mut found = HashMap::new();
        for ((kind, column, filter), to) in alike {
            let counts = for_kind!(kind, R => select::related_counts::<R>(ctx, caller, column, filter, &to).await?);
            found.extend(counts.into_iter().map(|(to, count)| (Related { kind, column, to, filter }, count)));
        }
        Ok(found)
    }
}

/// The stages of the workspace's pipelines: few, so all are read at once.
pub struct Stages(Source);

impl Loader<StageId> for Stages {
    type Value = Stage;
    type Error = Arc<Error>;

    async fn load(&self, _: &[StageId]) -> Result<HashMap<StageId, Stage>, Self::Error> {
        let stages = pipelines::stages(&self.0.ctx, &self.0.caller).await?;
        Ok(stages.into_iter().map(|stage| (stage.id, stage)).collect())
    }
}

/// Conversions of leads, from either end.
pub struct Conversions(Source);

impl Loader<LeadId> for Conversions {
    type Value = Conversion;
    type Error = Arc<Error>;

    async fn load(&self, leads: &[LeadId]) -> Result<HashMap<LeadId, Conversion>, Self::Error> {
        Ok(convert::of_leads(&self.0.ctx, &self.0.caller, leads).await?)
    }
}

/// The lead that became a record; two statements for all records of a kind.
impl Loader<OfRecord> for Conversions {
    type Value = Lead;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[OfRecord]) -> Result<HashMap<OfRecord, Lead>, Self::Error> {
        let mut alike: HashMap<RecordKind, Vec<Uuid>> = HashMap::new();
        for OfRecord { kind, id } in keys {
            alike.entry(*kind).or_default().push(*id);
        }
        let mut found = HashMap::new();
        for (kind, ids) in alike {
            let leads = convert::sources(&self.0.ctx, &self.0.caller, kind, &ids).await?;
            found.extend(leads.into_iter().map(|(id, lead)| (OfRecord { kind, id }, lead)));
        }
        Ok(found)
    }
}

/// Those of each pipeline, in order.
impl Loader<PipelineId> for Stages {
    type Value = Vec<Stage>;
    type Error = Arc<Error>;

    async fn load(&self, _: &[PipelineId]) -> Result<HashMap<PipelineId, Vec<Stage>>, Self::Error> {
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        for stage in pipelines::stages(&self.0.ctx, &self.0.caller).await? {
            found.entry(stage.pipeline_id).or_default().push(stage);
        }
        Ok(found)
    }
}

/// What deals have beside their fields.
pub struct OfDeals(Source);

/// What the deals on a stage come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TotalsOf(pub StageId);

impl Loader<TotalsOf> for OfDeals {
    type Value = Vec<StageTotal>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[TotalsOf]) -> Result<HashMap<TotalsOf, Self::Value>, Self::Error> {
        let stages: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = totals::of_stages(&self.0.ctx, &self.0.caller, &stages).await?;
        Ok(found.into_iter().map(|(stage, totals)| (TotalsOf(stage), totals)).collect())
    }
}

/// How long a deal stood where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StageTimesOf(pub DealId);

impl Loader<StageTimesOf> for OfDeals {
    type Value = Vec<StageTime>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[StageTimesOf]) -> Result<HashMap<StageTimesOf, Self::Value>, Self::Error> {
        let deals: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = stage_history::of_deals(&self.0.ctx, &self.0.caller, &deals).await?;
        Ok(found.into_iter().map(|(deal, times)| (StageTimesOf(deal), times)).collect())
    }
}

/// What a deal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LineItemsOf(pub DealId);

impl Loader<LineItemsOf> for OfDeals {
    type Value = Vec<LineItem>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[LineItemsOf]) -> Result<HashMap<LineItemsOf, Self::Value>, Self::Error> {
        let deals: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = line_items::of_deals(&self.0.ctx, &self.0.caller, &deals).await?;
        Ok(found.into_iter().map(|(deal, items)| (LineItemsOf(deal), items)).collect())
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
    /// These and, if they are among those ahead, those. All have a history, so none is looked for
    /// again.
    fn with_ahead(&self, kind: RecordKind, ids: &[Uuid]) -> Vec<Uuid> {
        let ahead = self.0.ahead();
        if !ids.iter().any(|id| ahead.records.contains(&OfRecord { kind, id: *id })) {
            return ids.to_vec();
        }
        let mut all: HashSet<Uuid> = ahead.records.iter().filter(|one| one.kind == kind).map(|one| one.id).collect();
        all.extend(ids);
        all.into_iter().collect()
    }

    async fn pages(&self, kind: RecordKind, ids: &[Uuid], args: PageArgs) -> Answer<HashMap<Uuid, Slice<FieldChange>>> {
        let Source { ctx, caller, .. } = &self.0;
        for_kind!(kind, R => history::pages::<R>(ctx, caller, ids, args).await)
    }

    async fn counts(&self, kind: RecordKind, ids: &[Uuid]) -> Answer<HashMap<Uuid, i64>> {
        let Source { ctx, caller, .. } = &self.0;
        for_kind!(kind, R => history::counts::<R>(ctx, caller, ids).await)
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
        for ((kind, ..), ids) in &mut alike {
            *ids = self.with_ahead(*kind, ids);
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
            let ids = self.with_ahead(kind, &ids);
            let counts = self.counts(kind, &ids).await?;
            found.extend(counts.into_iter().map(|(id, count)| (OfRecord { kind, id }, count)));
        }
        Ok(found)
    }
}

/// What stands beside lists.
pub struct Lists(Source);

/// A page of something that a list has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OfList {
    pub list: ContactListId,
    pub first: Option<i32>,
    pub after: Option<String>,
}

impl OfList {
    /// The lists of which the same page is wanted: one statement for all.
    fn alike<'a>(keys: impl IntoIterator<Item = &'a Self>) -> Vec<(PageArgs, Vec<ContactListId>)> {
        let mut alike: HashMap<_, Vec<ContactListId>> = HashMap::new();
        for Self { list, first, after } in keys {
            alike.entry((*first, after.clone())).or_default().push(*list);
        }
        let args = |((first, after), lists)| (PageArgs { first, after, ..PageArgs::default() }, lists);
        alike.into_iter().map(args).collect()
    }

    fn key(list: ContactListId, args: &PageArgs) -> Self {
        Self { list, first: args.first, after: args.after.clone() }
    }
}

/// A page of a list's members, in an order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListMembers(pub OfList, pub Order);

impl Loader<ListMembers> for Lists {
    type Value = Slice<(At, Member)>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[ListMembers]) -> Result<HashMap<ListMembers, Self::Value>, Self::Error> {
        let mut by_order: HashMap<Order, Vec<&OfList>> = HashMap::new();
        for ListMembers(of, order) in keys {
            by_order.entry(*order).or_default().push(of);
        }
        let mut found = HashMap::new();
        for (order, keys) in by_order {
            for (args, lists) in OfList::alike(keys) {
                let pages = views::members(&self.0.ctx, &self.0.caller, &lists, order, args.clone()).await?;
                let key = |list| ListMembers(OfList::key(list, &args), order);
                found.extend(pages.into_iter().map(|(list, page)| (key(list), page)));
            }
        }
        Ok(found)
    }
}

/// A page of who entered and left a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListLog(pub OfList);

impl Loader<ListLog> for Lists {
    type Value = Slice<LogEntry>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[ListLog]) -> Result<HashMap<ListLog, Self::Value>, Self::Error> {
        let mut found = HashMap::new();
        for (args, lists) in OfList::alike(keys.iter().map(|key| &key.0)) {
            let pages = views::log(&self.0.ctx, &self.0.caller, &lists, args.clone()).await?;
            found.extend(pages.into_iter().map(|(list, page)| (ListLog(OfList::key(list, &args)), page)));
        }
        Ok(found)
    }
}

/// The sizes of a list in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListSizes {
    pub list: ContactListId,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Loader<ListSizes> for Lists {
    type Value = Vec<SizePoint>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[ListSizes]) -> Result<HashMap<ListSizes, Self::Value>, Self::Error> {
        let mut alike: HashMap<_, Vec<ContactListId>> = HashMap::new();
        for ListSizes { list, from, to } in keys {
            alike.entry((*from, *to)).or_default().push(*list);
        }
        let mut found = HashMap::new();
        for ((from, to), lists) in alike {
            let sizes = views::sizes(&self.0.ctx, &self.0.caller, &lists, (from, to)).await?;
            found.extend(sizes.into_iter().map(|(list, points)| (ListSizes { list, from, to }, points)));
        }
        Ok(found)
    }
}

/// Keys that are an id each, and what is found for all of them at once.
macro_rules! beside_lists {
    ($($(#[$doc:meta])* $key:ident($id:ty) -> $value:ty: $find:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $key(pub $id);

        impl Loader<$key> for Lists {
            type Value = $value;
            type Error = Arc<Error>;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, Self::Value>, Self::Error> {
                let ids: Vec<$id> = keys.iter().map(|key| key.0).collect();
                let found = $find(&self.0.ctx, &self.0.caller, &ids).await?;
                Ok(found.into_iter().map(|(id, value)| ($key(id.into()), value)).collect())
            }
        }
    )+};
}

beside_lists! {
    /// How long a list's log is.
    LogLength(ContactListId) -> i64: views::log_counts;
    /// Whose criteria name a list.
    UsesOf(ContactListId) -> Vec<ListUse>: views::uses;
    /// With whom a list is shared by name.
    SharesOf(ContactListId) -> Vec<Share>: views::shares;
    /// The lists of a contact.
    OfContact(ContactId) -> Vec<ContactList>: lists_of;
    /// A folder.
    ListFolderOf(ListFolderId) -> ListFolder: folders_of;
    /// What builds a list.
    BuildOf(JobId) -> JobSummary: views::builds;
}

async fn lists_of(ctx: &Ctx, caller: &Caller, contacts: &[ContactId]) -> Answer<HashMap<Uuid, Vec<ContactList>>> {
    let contacts: Vec<_> = contacts.iter().map(|contact| contact.0).collect();
    views::of_contacts(ctx, caller, &contacts).await
}

async fn folders_of(ctx: &Ctx, caller: &Caller, ids: &[ListFolderId]) -> Answer<HashMap<ListFolderId, ListFolder>> {
    let found = folders::by_ids(ctx, caller, ids).await?;
    Ok(found.into_iter().map(|folder| (folder.id, folder)).collect())
}
