//! Records that criteria mean, as somebody asks for them: pages, counts, and which of some that have
//! changed are meant. Whoever asks must be allowed to read all that the criteria read, and counts only
//! what they see.
//!
//! The statements run under the system role and name the workspace (see `criteria::sql`), for no longer
//! than `limits.criteria_millis` each.

mod queries;

use std::{collections::HashSet, time::Duration};

use chrono_tz::Tz;
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    RecordKind,
    criteria::{
        Criteria, Explanation, FieldDescription, Known, MOST_LINKS, Node, RelationDescription, Setting, Visible,
        criteria_fields, criteria_relations, within,
    },
    record::{
        Record, Rules, Sight,
        events::ChangeAction,
        search::{Reach, Search},
        select::{self, At, Order, Page},
    },
};
use crate::{
    auth::{Caller, Grant, Permission},
    base::{
        Error, FieldErrors, Result,
        ids::{UserId, WorkspaceId},
        page::PageArgs,
    },
    ctx::Ctx,
    db::Tx,
    for_kind,
    team::workspace,
};

/// The argument in which criteria come, in errors.
pub const ARGUMENT: &str = "where";
/// Records that a preview shows.
pub const PREVIEWED: i64 = 50;

/// Which records are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// A fragment of what is searched, see [`Search`].
    pub search: Option<String>,
    pub criteria: Option<Node>,
}

/// Criteria that somebody may ask, with all that the answer depends on.
#[derive(Debug, Clone)]
pub struct Asked {
    criteria: Criteria,
    setting: Setting,
}

/// Criteria whose records somebody follows for long.
#[derive(Debug, Clone)]
pub struct Followed {
    asked: Asked,
    /// The same without the rows of custom fields: for records as they were, and because an index may be
    /// dropped meanwhile.
    former: Criteria,
}

/// Checks criteria for this caller; errors name the path within the field that they came in.
pub async fn asked(ctx: &Ctx, caller: &Caller, kind: RecordKind, node: &Node, field: &str) -> Result<Asked> {
    for_kind!(kind, R => caller.require(R::READ))?;
    let mut tx = ctx.db.read(caller).await?;
    let known = Known::load(tx.connection(), caller.workspace).await?;
    let criteria = checked_in(&mut tx, caller, kind, node, &known, field).await?;
    drop(tx);
    require_reads(caller, &criteria)?;
    let setting = setting(ctx, caller).await?;
    Ok(Asked { criteria, setting })
}

/// The same for who listens.
pub async fn followed(ctx: &Ctx, caller: &Caller, kind: RecordKind, node: &Node, field: &str) -> Result<Followed> {
    let asked = asked(ctx, caller, kind, node, field).await?;
    let mut tx = ctx.db.read(caller).await?;
    let known = Known::load(tx.connection(), caller.workspace).await?.unindexed();
    let former = Criteria::check(kind, node, &known).map_err(|errors| Error::Invalid(within(&errors, field)))?;
    Ok(Followed { asked, former })
}

/// Criteria by the fields that there are. Lists that they name must be the caller's to see.
pub async fn checked_in(
    tx: &mut Tx,
    caller: &Caller,
    kind: RecordKind,
    node: &Node,
    known: &Known,
    field: &str,
) -> Result<Criteria> {
    let criteria = Criteria::check(kind, node, known).map_err(|errors| Error::Invalid(within(&errors, field)))?;
    require_lists(tx, caller, &criteria, field).await?;
    Ok(criteria)
}

/// Reads criteria from JSON, in either form.
pub fn read(json: &Json, field: &str) -> Result<Node> {
    Criteria::read(json).map_err(|errors| Error::Invalid(within(&errors, field)))
}

async fn require_lists(tx: &mut Tx, caller: &Caller, criteria: &Criteria, field: &str) -> Result<()> {
    if criteria.lists().is_empty() {
        return Ok(());
    }
    let seen = queries::seen_lists(tx.connection(), caller.workspace, caller.user, criteria.lists()).await?;
    let mut unseen = FieldErrors::new();
    for (path, list) in criteria.node().named_lists() {
        if !seen.contains(&list) {
            unseen.add(format!("{field}.{path}"), format!("names a list that you do not see: {list}"));
        }
    }
    unseen.into_result()
}

/// Refuses who could find out by asking what they may not read.
pub fn require_reads(caller: &Caller, criteria: &Criteria) -> Result<()> {
    for read in &criteria.reads().reads {
        match RecordKind::parse(read.source) {
            Ok(kind) => for_kind!(kind, R => caller.require(R::READ).map(drop))?,
            Err(_) if matches!(read.source, "list" | "list_member") => {
                caller.require(Permission::ListsRead)?;
            }
            Err(_) => {}
        }
    }
    Ok(())
}

/// Now, on the workspace's clocks, as this caller sees things.
async fn setting(ctx: &Ctx, caller: &Caller) -> Result<Setting> {
    let workspace = workspace::get(ctx, caller).await?;
    let zone: Tz = workspace.time_zone.parse().unwrap_or(Tz::UTC);
    let mut setting = Setting::new(ctx.clock.now(), zone, workspace.week_start);
    setting.me = Some(caller.user);
    let own_leads = Permission::LeadsRead.grant(caller.role) != Grant::All;
    setting.visible =
        Visible { leads_of: own_leads.then_some(caller.user), lists_of: Some(caller.user), ..Visible::default() };
    Ok(setting)
}

/// How long a statement of criteria may take.
fn limit(ctx: &Ctx) -> Duration {
    Duration::from_millis(ctx.limits.criteria_millis)
}

/// A transaction for statements of criteria.
async fn begin(ctx: &Ctx, workspace: WorkspaceId) -> Result<Tx> {
    let mut tx = ctx.db.search_in(workspace).await?;
    tx.limit_statements(limit(ctx)).await?;
    Ok(tx)
}

/// What criteria of a kind can ask about, so many links far.
pub async fn fields(ctx: &Ctx, caller: &Caller, kind: RecordKind, links: i32) -> Result<Vec<FieldDescription>> {
    let links = usize::try_from(links).ok().filter(|links| *links <= MOST_LINKS);
    let links = links.ok_or_else(|| Error::invalid("links", format!("must be from 0 to {MOST_LINKS}")))?;
    Ok(criteria_fields(kind, &known(ctx, caller, kind).await?, links))
}

/// What criteria of a kind can ask about related records.
pub async fn relations(ctx: &Ctx, caller: &Caller, kind: RecordKind) -> Result<Vec<RelationDescription>> {
    Ok(criteria_relations(kind, &known(ctx, caller, kind).await?))
}

async fn known(ctx: &Ctx, caller: &Caller, kind: RecordKind) -> Result<Known> {
    for_kind!(kind, R => caller.require(R::READ))?;
    let mut tx = ctx.db.read(caller).await?;
    Known::load(tx.connection(), caller.workspace).await
}

/// A page by cursor.
pub async fn page<R: Record>(
    ctx: &Ctx,
    caller: &Caller,
    filter: &Filter,
    order: Order,
    args: PageArgs,
) -> Result<Page<R>> {
    let search = Search::new(R::KIND, Reach::All, filter.search.as_deref())?;
    let Some(node) = &filter.criteria else {
        return select::page::<R>(ctx, caller, search.as_ref(), order, args).await;
    };
    let sight = Sight::of::<R>(caller)?;
    let request = args.parse::<At>()?;
    request.require_cursor(|at| at.is_of(R::TABLE, order))?;
    let asked = asked(ctx, caller, R::KIND, node, ARGUMENT).await?;
    let mut tx = begin(ctx, caller.workspace).await?;
    let search = queries::sought(tx.connection(), caller.workspace, search).await?;
    let wanted = asked.wanted(sight, search);
    let found = queries::page::<R>(tx.connection(), caller.workspace, &wanted, order, &request).await?;
    Ok(request.slice(select::rows_of::<R, _>(tx.connection(), caller.workspace, found, |at| at.id).await?))
}

/// How many there are in all; exact.
pub async fn count<R: Record>(ctx: &Ctx, caller: &Caller, filter: &Filter) -> Result<i64> {
    let search = Search::new(R::KIND, Reach::All, filter.search.as_deref())?;
    let Some(node) = &filter.criteria else { return select::count::<R>(ctx, caller, search.as_ref()).await };
    let sight = Sight::of::<R>(caller)?;
    let asked = asked(ctx, caller, R::KIND, node, ARGUMENT).await?;
    let mut tx = begin(ctx, caller.workspace).await?;
    let search = queries::sought(tx.connection(), caller.workspace, search).await?;
    queries::count::<R>(tx.connection(), caller.workspace, &asked.wanted(sight, search)).await
}

/// How many records criteria mean, and the newest of them. For a list: as one of the caller's would have them.
pub async fn preview<R: Record>(ctx: &Ctx, caller: &Caller, node: &Node, for_list: bool) -> Result<(i64, Vec<R>)> {
    let sight = Sight::of::<R>(caller)?;
    let mut asked = asked(ctx, caller, R::KIND, node, ARGUMENT).await?;
    if for_list {
        if R::KIND != RecordKind::Contact {
            return Err(Error::invalid("forList", "is for contacts: lists have no other records"));
        }
        asked.setting = asked.setting.kept_by(caller.user);
    }
    let args = PageArgs { first: i32::try_from(PREVIEWED).ok(), ..PageArgs::default() };
    let mut tx = begin(ctx, caller.workspace).await?;
    let (wanted, request) = (asked.wanted(sight, None), args.parse::<At>()?);
    let count = queries::count::<R>(tx.connection(), caller.workspace, &wanted).await?;
    let found = queries::page::<R>(tx.connection(), caller.workspace, &wanted, Order::NEWEST_FIRST, &request).await?;
    let found = select::rows_of::<R, _>(tx.connection(), caller.workspace, found, |at| at.id).await?;
    let records = request.slice(found).rows.into_iter().map(|(_, record)| record);
    Ok((count, records.collect()))
}

/// How many records criteria mean, for whoever may read all of the kind; exact.
pub async fn count_all<R: Record>(ctx: &Ctx, caller: &Caller, node: &Node) -> Result<i64> {
    caller.require_all(R::READ)?;
    let asked = asked(ctx, caller, R::KIND, node, ARGUMENT).await?;
    let mut tx = begin(ctx, caller.workspace).await?;
    asked.criteria.count(tx.connection(), caller.workspace, &asked.setting).await
}

/// The ids of all records that criteria mean, some thousands by one statement.
pub async fn all_ids<R: Record>(ctx: &Ctx, caller: &Caller, node: &Node, chunk: i64) -> Result<Vec<Uuid>> {
    // whoever sees a part of a kind has pages, which know that
    caller.require_all(R::READ)?;
    let asked = asked(ctx, caller, R::KIND, node, ARGUMENT).await?;
    let mut tx = begin(ctx, caller.workspace).await?;
    let mut ids: Vec<Uuid> = Vec::new();
    loop {
        let below = ids.last().copied();
        let some = asked.criteria.ids(tx.connection(), caller.workspace, &asked.setting, below, chunk).await?;
        let is_last = i64::try_from(some.len()).unwrap_or(chunk) < chunk;
        ids.extend(some);
        if is_last {
            return Ok(ids);
        }
    }
}

/// What can be said of criteria that are kept.
#[derive(Debug)]
pub enum Explained {
    /// None of a record that is not there.
    Is(Option<Explanation>),
    /// They name a list that the person whose they are does not see.
    Unseen,
}

/// How many records criteria that are kept mean now, asked for the person whose they are; exact. None
/// where they name a list that this person does not see.
pub async fn count_kept(ctx: &Ctx, caller: &Caller, criteria: &Criteria, asker: UserId) -> Result<Option<i64>> {
    let setting = setting(ctx, caller).await?.kept_by(asker);
    let mut tx = begin(ctx, caller.workspace).await?;
    if !sees_lists(&mut tx, caller.workspace, asker, criteria).await? {
        return Ok(None);
    }
    Ok(Some(criteria.count(tx.connection(), caller.workspace, &setting).await?))
}

/// Why criteria that are kept mean a record, or do not, asked for the person whose they are. Refused to
/// who may not read all that they read: the values are told, and who is in the lists that are named.
pub async fn explain(
    ctx: &Ctx,
    caller: &Caller,
    criteria: &Criteria,
    asker: UserId,
    record: Uuid,
) -> Result<Explained> {
    require_reads(caller, criteria)?;
    let setting = setting(ctx, caller).await?.kept_by(asker);
    let mut tx = begin(ctx, caller.workspace).await?;
    if !sees_lists(&mut tx, caller.workspace, asker, criteria).await? {
        return Ok(Explained::Unseen);
    }
    if !sees_lists(&mut tx, caller.workspace, caller.user, criteria).await? {
        return Err(Error::Forbidden("The criteria ask who is in a list that you do not see".into()));
    }
    let explanation = criteria.explain(tx.connection(), caller.workspace, &setting, record).await?;
    let hidden = |explanation: Explanation| match caller.user == asker {
        true => explanation,
        false => explanation.without_list_counts(),
    };
    Ok(Explained::Is(explanation.map(hidden)))
}

/// Whether somebody sees all lists that criteria name.
async fn sees_lists(tx: &mut Tx, workspace: WorkspaceId, user: UserId, criteria: &Criteria) -> Result<bool> {
    let named = criteria.lists();
    let seen = queries::seen_lists(tx.connection(), workspace, user, named).await?;
    Ok(named.iter().all(|list| seen.contains(list)))
}

/// Which of the records that a change was about are meant now, or were until this change: of an update
/// each comes with its version after it.
///
/// As it was before, a record has its former values; what it is related to, its lists and its history
/// are those of now.
pub async fn concerned(
    ctx: &Ctx,
    caller: &Caller,
    followed: &Followed,
    action: ChangeAction,
    records: &[(Uuid, Option<i32>)],
) -> Result<HashSet<Uuid>> {
    let (workspace, Followed { asked, former }) = (caller.workspace, followed);
    let mut tx = ctx.db.follow_in(workspace, caller.user).await?;
    tx.limit_statements(limit(ctx)).await?;
    // who sees a list may change while somebody listens
    require_lists(&mut tx, caller, &asked.criteria, ARGUMENT).await?;
    let setting = asked.setting.at(ctx.clock.now());
    let ids: Vec<_> = records.iter().map(|(id, _)| *id).collect();
    let found = former.matching(tx.connection(), workspace, &setting, &ids).await?;
    let mut found: HashSet<_> = found.into_iter().collect();
    if matches!(action, ChangeAction::Updated | ChangeAction::Deleted) {
        let rest = records.iter().filter(|(id, _)| !found.contains(id));
        // a deletion changes no field
        let rest: Vec<_> = rest.map(|(id, version)| (*id, version.unwrap_or(i32::MAX))).collect();
        if !rest.is_empty() {
            found.extend(queries::former(tx.connection(), workspace, former, &setting, &rest).await?);
        }
    }
    Ok(found)
}

impl Asked {
    pub fn criteria(&self) -> &Criteria {
        &self.criteria
    }

    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    fn wanted(&self, sight: Sight, search: Option<queries::Sought>) -> queries::Wanted<'_> {
        queries::Wanted { criteria: &self.criteria, setting: &self.setting, sight, search }
    }
}
