//! Changing many records of a kind in one transaction, by the same rules as one: each record is held
//! against them by itself, and what passes is written by one statement, with its history by a second
//! and one event for all. A record that is refused takes no other with it.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::{
    Field, Looked, Patch, Raw, Record, Sight, Value,
    change::Difference,
    custom, deletion,
    events::{ChangeAction, changed},
    field::MOST_TAGS,
    ops,
    queries::{bulk as queries, deleted},
    sight,
};
use crate::{
    auth::{Caller, Permission},
    base::{
        Error, Result,
        ids::{JobId, UserId},
    },
    ctx::Ctx,
    db::Tx,
};

/// What is to be done to each of many records.
#[derive(Debug, Clone)]
pub enum Work {
    Update(Values),
    Delete,
    Restore,
    /// From one owner to another, or to nobody; records that are somebody else's by now stay theirs.
    Reassign {
        from: UserId,
        to: Option<UserId>,
    },
    /// Puts back what this bulk change found, where nobody has changed the record since.
    PutBack(JobId),
}

/// Values for many records, and tags that each gets or loses besides those it has.
#[derive(Debug, Clone, Default)]
pub struct Values {
    pub patch: Patch,
    pub add_tags: Vec<String>,
    pub remove_tags: Vec<String>,
}

impl Values {
    /// From values by the fields' names in the API, and tags.
    pub fn check<R: Record>(values: &Map<String, Json>, add_tags: &[String], remove_tags: &[String]) -> Result<Self> {
        let mut input = Vec::new();
        for (name, value) in values {
            let field = R::FIELDS.iter().find(|field| field.name == *name);
            let unknown = || Error::invalid(name.clone(), format!("is no field of {}", R::KIND.with_article()));
            input.push((field.ok_or_else(unknown)?, Raw::Json(value)));
        }
        let patch = Patch::check(input).map_err(Error::Invalid)?;
        let (add_tags, remove_tags) = (tags::<R>("addTags", add_tags)?, tags::<R>("removeTags", remove_tags)?);
        let moves_tags = !(add_tags.is_empty() && remove_tags.is_empty());
        if patch.sets("tags") && moves_tags {
            return Err(Error::invalid("tags", "cannot be given together with tags to add or to remove"));
        }
        if patch.is_empty() && !moves_tags {
            return Err(Error::invalid("patch", "must set something, or tags must be added or removed"));
        }
        Ok(Self { patch, add_tags, remove_tags })
    }

    /// What of it can be checked against the definitions of custom fields before any record is.
    pub async fn check_in<R: Record>(&self, tx: &mut Tx, caller: &Caller) -> Result<()> {
        ops::may_give(caller, &self.patch)?;
        let sent = custom::sent_in(tx, caller.workspace, R::KIND, self.patch.custom_input()).await?;
        sent.map_or(Ok(()), |sent| sent.check())
    }

    /// The patch for this record.
    fn for_record<R: Record>(&self, record: &R) -> Result<Patch> {
        let mut patch = self.patch.clone();
        if self.add_tags.is_empty() && self.remove_tags.is_empty() {
            return Ok(patch);
        }
        let Some(field) = field::<R>("tags") else { return Ok(patch) };
        let Value::Texts(mut tags) = record.get(field) else { return Ok(patch) };
        tags.retain(|tag| !self.remove_tags.contains(tag));
        for tag in &self.add_tags {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
        if tags.len() > MOST_TAGS {
            return Err(Error::invalid("tags", format!("would be more than {MOST_TAGS}")));
        }
        patch.put(field, Value::Texts(tags));
        Ok(patch)
    }
}

fn tags<R: Record>(name: &'static str, given: &[String]) -> Result<Vec<String>> {
    let Some(field) = field::<R>("tags") else { return Ok(Vec::new()) };
    match field.parse(Raw::Json(&json!(given))).map_err(|message| Error::invalid(name, message))? {
        Value::Texts(tags) => Ok(tags),
        _ => Ok(Vec::new()),
    }
}

fn field<R: Record>(column: &str) -> Option<&'static Field> {
    R::FIELDS.iter().find(|field| field.column == column)
}

/// Why a record was left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub record: Uuid,
    /// As errors of the API have it.
    pub code: &'static str,
    pub field: Option<String>,
    pub message: String,
    /// It was changed since by somebody else, which is theirs to do.
    pub is_skipped: bool,
}

impl Failure {
    fn new(record: Uuid, error: &Error) -> Self {
        let field = error.fields().and_then(|fields| fields.iter().next()).map(|(field, _)| field.to_owned());
        Self { record, code: error.code(), field, message: error.to_string(), is_skipped: false }
    }
}

/// What became of many records.
#[derive(Debug, Default)]
pub struct Applied {
    pub changed: i64,
    /// They were as they should be.
    pub unchanged: i64,
    pub failures: Vec<Failure>,
}

/// Refuses who may not do this to all records of the kind.
pub fn require<R: Record>(caller: &Caller, work: &Work) -> Result<()> {
    caller.require_all(Permission::RecordsBulk)?;
    match work {
        Work::Update(values) => {
            caller.require(R::WRITE)?;
            ops::may_give(caller, &values.patch)
        }
        // each record asks for what putting it back needs
        Work::PutBack(_) => Ok(()),
        Work::Delete | Work::Restore => caller.require(R::DELETE).map(drop),
        Work::Reassign { .. } => {
            caller.require(R::WRITE)?;
            caller.require(Permission::RecordsAssign).map(drop)
        }
    }
}

/// Does the work to these records; `batch` is the job that does it, by which its changes are found.
pub async fn apply_in<R: Record>(
    ctx: &Ctx,
    tx: &mut Tx,
    caller: &Caller,
    batch: JobId,
    ids: &[Uuid],
    work: &Work,
) -> Result<Applied> {
    require::<R>(caller, work)?;
    // before any record is locked, as all who write custom values do
    let input = match work {
        Work::Update(values) => values.patch.custom_input(),
        _ => Some(Json::Null),
    };
    let sent = custom::sent_in(tx, caller.workspace, R::KIND, input).await?;
    let patch = match work {
        Work::Update(values) => Some(&values.patch),
        _ => None,
    };
    R::hold(tx, caller.workspace, patch).await?;
    let records = R::lock_rows(tx.connection(), caller.workspace, ids).await?;
    let done = match work {
        Work::PutBack(of) => queries::done_to(tx.connection(), caller.workspace, *of, R::KIND, ids).await?,
        _ => Vec::new(),
    };
    let done = done.into_iter().map(|done| (done.id, done)).collect();
    let merged = match work {
        Work::Restore => deleted::merged(tx.connection(), caller.workspace, R::KIND, ids).await?,
        _ => Vec::new(),
    };
    let plan = Plan { ctx, caller, work, sent, done, merged: merged.into_iter().collect() };
    let (mut applied, mut changes, mut looked) = (Applied::default(), Vec::new(), Looked::default());
    let there: BTreeSet<_> = records.iter().map(|record| record.meta().id).collect();
    for missing in ids.iter().filter(|id| !there.contains(id)) {
        applied.failures.push(Failure::new(*missing, &Error::NotFound(R::NOUN)));
    }
    for before in records {
        let id = before.meta().id;
        match Box::pin(plan.planned(tx, before, &mut looked)).await {
            Ok(Planned::Change(change)) => changes.push(*change),
            Ok(Planned::Nothing) => applied.unchanged += 1,
            Ok(Planned::Overtaken) => applied.failures.push(overtaken(id)),
            Err(error) if is_refusal(&error) => applied.failures.push(Failure::new(id, &error)),
            Err(error) => return Err(error),
        }
    }
    let written = write_in(tx, caller, changes, &mut applied.failures).await?;
    applied.changed = written.len() as i64;
    tell_in(ctx, tx, caller, batch, &written).await?;
    Ok(applied)
}

fn overtaken(record: Uuid) -> Failure {
    let error = Error::conflict("Somebody has changed this record since, so it stays as it is");
    Failure { is_skipped: true, ..Failure::new(record, &error) }
}

/// Whether it is about this record, and another may be changed all the same.
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Invalid(_) | Error::Conflict(_) | Error::NotFound(_) | Error::Forbidden(_))
}

/// A record as it was and as it is to be, with its next version.
struct Change<R> {
    before: R,
    after: R,
    difference: Difference,
    action: ChangeAction,
}

enum Planned<R> {
    Change(Box<Change<R>>),
    Nothing,
    Overtaken,
}

/// What the records of a batch are planned with.
struct Plan<'a> {
    ctx: &'a Ctx,
    caller: &'a Caller,
    work: &'a Work,
    sent: Option<custom::Sent>,
    done: HashMap<Uuid, queries::Done>,
    /// Of those that are to be restored: what a merge made a part of another.
    merged: BTreeSet<Uuid>,
}

impl Plan<'_> {
    async fn planned<R: Record>(&self, tx: &mut Tx, before: R, looked: &mut Looked<R>) -> Result<Planned<R>> {
        let before = sight::seen(Some(before), Sight::of_writer::<R>(self.caller))?;
        match self.work {
            Work::Delete => self.deleted(before, true),
            Work::Restore => self.deleted(before, false),
            Work::Update(values) => {
                let before = live(before)?;
                let patch = values.for_record(&before)?;
                self.patched(tx, before, (patch, self.sent.as_ref()), looked).await
            }
            Work::Reassign { from, to } => {
                let before = live(before)?;
                let Some(field) = field::<R>("owner_id").filter(|_| before.owner() == Some(*from)) else {
                    return Ok(Planned::Nothing);
                };
                let owner = to.map_or(Value::Null, |to| Value::Id(to.0));
                self.patched(tx, before, (Patch::exactly(vec![(field, owner)]), None), looked).await
            }
            Work::PutBack(_) => Box::pin(self.put_back(tx, before, looked)).await,
        }
    }

    async fn patched<R: Record>(
        &self,
        tx: &mut Tx,
        before: R,
        (mut patch, sent): (Patch, Option<&custom::Sent>),
        looked: &mut Looked<R>,
    ) -> Result<Planned<R>> {
        let after = ops::changed_in(self.ctx, tx, self.caller, &before, None, (&mut patch, sent), looked).await?;
        let difference = Difference::between(&before, &after);
        if difference.is_empty() {
            return Ok(Planned::Nothing);
        }
        Ok(self.change(before, after, difference, ChangeAction::Updated))
    }

    fn deleted<R: Record>(&self, before: R, is_deleted: bool) -> Result<Planned<R>> {
        self.caller.require_for(R::DELETE, before.owner())?;
        if before.meta().deleted_at.is_some() == is_deleted {
            return Ok(Planned::Nothing);
        }
        deletion::require_kept(self.ctx, &before)?;
        if self.merged.contains(&before.meta().id) {
            return Err(deletion::merged());
        }
        let mut after = before.clone();
        after.set_deleted(is_deleted.then(|| self.ctx.clock.now()));
        let action = if is_deleted { ChangeAction::Deleted } else { ChangeAction::Restored };
        Ok(self.change(before, after, Difference::of_deletion(is_deleted), action))
    }

    /// Every field is said, those that the change left alone as they are now: so the kind's rules fill
    /// in nothing of their own.
    async fn put_back<R: Record>(&self, tx: &mut Tx, before: R, looked: &mut Looked<R>) -> Result<Planned<R>> {
        let meta = before.meta();
        let Some(done) = self.done.get(&meta.id).filter(|done| done.version == meta.version) else {
            return Ok(Planned::Overtaken);
        };
        let Json::Object(old) = &done.before else { return Ok(Planned::Nothing) };
        if let Some(was_deleted) = old.get("deleted").and_then(Json::as_bool) {
            return self.deleted(before, was_deleted);
        }
        let before = live(before)?;
        let (mut values, mut bag) = (Vec::new(), Map::new());
        for field in R::FIELDS.iter().filter(|field| field.column != custom::COLUMN) {
            let value = match old.get(field.column) {
                Some(value) => field.parse(Raw::Json(value)).map_err(|message| Error::invalid(field.name, message))?,
                None => before.get(field),
            };
            values.push((field, value));
        }
        for (name, value) in old {
            if let Some(key) = name.strip_prefix(custom::PREFIX) {
                bag.insert(key.to_owned(), value.clone());
            }
        }
        let sent = self.sent.as_ref().filter(|_| !bag.is_empty()).map(|sent| sent.instead(Json::Object(bag)));
        self.patched(tx, before, (Patch::exactly(values), sent.as_ref()), looked).await
    }

    fn change<R: Record>(&self, before: R, mut after: R, difference: Difference, action: ChangeAction) -> Planned<R> {
        after.advance(self.ctx.clock.now());
        Planned::Change(Box::new(Change { before, after, difference, action }))
    }
}

fn live<R: Record>(record: R) -> Result<R> {
    if record.meta().deleted_at.is_none() { Ok(record) } else { Err(Error::NotFound(R::NOUN)) }
}

/// Writes the rows; those that the database takes. It refuses a statement as a whole, so what was
/// refused is tried again in halves, until the records stand alone that it would not have.
async fn write_in<R: Record>(
    tx: &mut Tx,
    caller: &Caller,
    changes: Vec<Change<R>>,
    failures: &mut Vec<Failure>,
) -> Result<Vec<Change<R>>> {
    let pairs: Vec<_> = changes.iter().map(|change| (Some(&change.before), &change.after)).collect();
    let dead = ops::dead_links(tx, caller.workspace, &pairs).await?;
    let (mut written, mut open) = (Vec::new(), Vec::new());
    for (place, change) in changes.into_iter().enumerate() {
        match dead.get(&place) {
            Some(error) => failures.push(Failure::new(change.after.meta().id, error)),
            None => open.push(change),
        }
    }
    let mut waiting = vec![open];
    while let Some(mut some) = waiting.pop() {
        let [first, ..] = some.as_slice() else { continue };
        let first = first.after.meta().id;
        tx.set_savepoint().await?;
        match update_in(tx, caller, &some).await {
            Ok(()) => {
                tx.release_savepoint().await?;
                written.append(&mut some);
            }
            Err(error) if is_refusal(&error) => {
                tx.return_to_savepoint().await?;
                if some.len() > 1 {
                    let rest = some.split_off(some.len() / 2);
                    waiting.extend([rest, some]);
                    continue;
                }
                let error = named(tx, caller, &some, error).await?;
                failures.push(Failure::new(first, &error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

/// The refusal of one record, with the custom field that is at odds.
async fn named<R: Record>(tx: &mut Tx, caller: &Caller, refused: &[Change<R>], error: Error) -> Result<Error> {
    match (error, refused) {
        (Error::Conflict(conflict), [change]) if conflict.fields.iter().any(|(name, _)| name == custom::NAME) => {
            let sight = Sight::of_writer::<R>(caller);
            Ok(Error::Conflict(custom::name_holder(tx, caller.workspace, sight, &change.after, conflict).await?))
        }
        (error, _) => Ok(error),
    }
}

async fn update_in<R: Record>(tx: &mut Tx, caller: &Caller, changes: &[Change<R>]) -> Result<()> {
    let changed: BTreeSet<_> = changes.iter().flat_map(|change| change.difference.columns()).collect();
    let fields: Vec<_> = R::FIELDS.iter().filter(|field| changed.contains(field.column)).collect();
    let is_deletion = changed.contains("deleted");
    let mut columns: Vec<_> = fields.iter().map(|field| field.column).collect();
    columns.extend(is_deletion.then_some("deleted_at"));
    let mut rows = Vec::with_capacity(changes.len());
    for (at, change) in changes.iter().enumerate() {
        let meta = change.after.meta();
        let mut row = Map::new();
        row.insert("id".to_owned(), json!(meta.id));
        row.insert("version".to_owned(), json!(meta.version));
        row.insert("updated_at".to_owned(), Value::Time(meta.updated_at).to_json());
        if is_deletion {
            row.insert("deleted_at".to_owned(), meta.deleted_at.map_or(Json::Null, |at| Value::Time(at).to_json()));
        }
        for field in &fields {
            row.insert(field.column.to_owned(), change.after.get(field).to_json());
        }
        for (column, value) in change.after.unlisted() {
            row.insert(column.to_owned(), value.to_json());
            if at == 0 {
                columns.push(column);
            }
        }
        rows.push(Json::Object(row));
    }
    queries::update_rows(tx.connection(), caller.workspace, R::TABLE, &columns, Json::Array(rows)).await
}

/// The history of what was written, and an event for each thing that happened.
async fn tell_in<R: Record>(
    ctx: &Ctx,
    tx: &mut Tx,
    caller: &Caller,
    batch: JobId,
    written: &[Change<R>],
) -> Result<()> {
    if written.is_empty() {
        return Ok(());
    }
    let rows = written.iter().map(|change| {
        let meta = change.after.meta();
        let Difference { before, after, .. } = &change.difference;
        json!({ "id": meta.id, "version": meta.version, "before": before, "after": after })
    });
    let actor = caller.actor();
    let common = queries::Common { kind: R::KIND, at: ctx.clock.now(), actor: &actor, origin: caller.via, batch };
    queries::insert_changes(tx.connection(), caller.workspace, common, rows.collect()).await?;
    let mut events = Vec::new();
    for action in [ChangeAction::Updated, ChangeAction::Deleted, ChangeAction::Restored] {
        let those = || written.iter().filter(|change| change.action == action);
        let mut versions: Vec<_> =
            those().map(|change| change.after.meta()).map(|meta| (meta.id, meta.version)).collect();
        if versions.is_empty() {
            continue;
        }
        versions.sort_unstable();
        let names: BTreeSet<_> = those().flat_map(|change| change.difference.names()).collect();
        let names: Vec<_> = names.into_iter().collect();
        events.push(changed(R::KIND, action, &versions, &names));
    }
    ctx.emit(tx, caller, &events).await
}
