//! The verbs of all records: create, update, delete, restore, get. Each is one transaction with
//! its history and its event.

use std::collections::{BTreeMap, HashSet};

use serde_json::json;
use uuid::Uuid;

use super::{
    Field, FieldType, Looked, Raw, Record, RecordKind, Sight, Value,
    change::{self, Difference, Patch},
    custom::{self, Required},
    deletion,
    events::{self, ChangeAction},
    order::Numbered,
    queries, sight,
};
use crate::{
    auth::{Caller, Grant, Permission},
    base::{
        Error, FieldErrors, Result,
        ids::{UserId, WorkspaceId},
    },
    ctx::Ctx,
    db::Tx,
    team::{
        audit,
        repeat::{self, Turn},
    },
};

/// Raw input by field, as a face collects it.
pub type Input<'a> = Vec<(&'static Field, Raw<'a>)>;

/// Creates a record. Without an owner in the input it has none, unless the kind's face says so.
pub async fn create<R: Record>(ctx: &Ctx, caller: &Caller, input: Input<'_>) -> Result<R> {
    create_with::<R>(ctx, caller, &[], input).await
}

/// Creates a record of which these fields, by name, must not be empty.
pub async fn create_with<R: Record>(
    ctx: &Ctx,
    caller: &Caller,
    required: &[&'static str],
    input: Input<'_>,
) -> Result<R> {
    caller.require(R::WRITE)?;
    let patch = Patch::check_complete(required, input).map_err(Error::Invalid)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, tx) => return repeated(tx, caller, id).await,
    };
    match create_in(ctx, &mut tx, caller, blank::<R>(ctx, caller), patch, Required::Yes).await {
        Ok(record) => {
            tx.commit(record.meta().id).await?;
            Ok(record)
        }
        Err(refused) => {
            drop(tx);
            Err(refused.naming_the_other(ctx, caller).await)
        }
    }
}

/// A record of the caller's making, with nothing in it yet.
pub fn blank<R: Record>(ctx: &Ctx, caller: &Caller) -> R {
    R::empty(Uuid::now_v7(), caller.user, ctx.clock.now())
}

/// Creates this record with the patch upon it, in the transaction of whatever brings it about. What
/// stands in it already was checked elsewhere, and an owner in it was not chosen by the caller.
pub async fn create_in<R: Record>(
    ctx: &Ctx,
    tx: &mut Tx,
    caller: &Caller,
    mut record: R,
    mut patch: Patch,
    required: Required,
) -> Result<R, Refused<R>> {
    caller.require(R::WRITE)?;
    patch.apply(&mut record);
    record.complete();
    check_whole(&record)?;
    may_assign(caller, &patch, None, record.owner())?;
    let sent = custom::sent_in(tx, caller.workspace, R::KIND, patch.custom_input()).await?;
    R::hold(tx, caller.workspace, None).await?;
    let mut looked = Looked::<R>::default();
    let set = custom::set_in(tx, caller.workspace, sent.as_ref(), required, &mut record, &mut looked.links).await?;
    patch.note_custom(set);
    R::prepare(ctx, tx, caller, None, &mut record, &patch, &mut looked.kind).await?;
    sight::require_write(caller, &record)?;
    require_live_links(tx, caller, None, &record).await?;
    let written = R::insert_row(tx.connection(), caller.workspace, &record).await;
    written.map_err(|error| Refused::tried(&record, error))?;
    let event = events::changed(R::KIND, ChangeAction::Created, &[(record.meta().id, record.meta().version)], &[]);
    ctx.emit(tx, caller, &[event]).await?;
    Ok(record)
}

/// Changes a record's fields. An update that changes nothing writes nothing. With an expected
/// version it is refused where one of the fields has changed since.
pub async fn update<R: Record>(
    ctx: &Ctx,
    caller: &Caller,
    id: Uuid,
    expected: Option<i32>,
    input: Input<'_>,
) -> Result<R> {
    caller.require(R::WRITE)?;
    let patch = Patch::check(input).map_err(Error::Invalid)?;
    may_give(caller, &patch)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, tx) => return repeated(tx, caller, id).await,
    };
    match update_in::<R>(ctx, &mut tx, caller, id, expected, patch).await {
        Ok(record) => {
            tx.commit(id).await?;
            Ok(record)
        }
        Err(refused) => {
            drop(tx);
            Err(refused.naming_the_other(ctx, caller).await)
        }
    }
}

/// The same in the transaction of whatever brings it about.
pub async fn update_in<R: Record>(
    ctx: &Ctx,
    tx: &mut Tx,
    caller: &Caller,
    id: Uuid,
    expected: Option<i32>,
    mut patch: Patch,
) -> Result<R, Refused<R>> {
    caller.require(R::WRITE)?;
    may_give(caller, &patch)?;
    let sent = custom::sent_in(tx, caller.workspace, R::KIND, patch.custom_input()).await?;
    R::hold(tx, caller.workspace, Some(&patch)).await?;
    let before = lock_in::<R>(tx, caller, id).await?;
    let mut looked = Looked::default();
    let mut after = changed_in(ctx, tx, caller, &before, expected, (&mut patch, sent.as_ref()), &mut looked).await?;
    let difference = Difference::between(&before, &after);
    if difference.is_empty() {
        return Ok(before);
    }
    require_live_links(tx, caller, Some(&before), &after).await?;
    after.advance(ctx.clock.now());
    let written = R::update_row(tx.connection(), caller.workspace, &after).await;
    written.map_err(|error| Refused::tried(&after, error))?;
    let version = after.meta().version;
    let event = events::changed(R::KIND, ChangeAction::Updated, &[(id, version)], &difference.names());
    change::record_in(ctx, tx, caller, &after, difference.before, difference.after).await?;
    ctx.emit(tx, caller, &[event]).await?;
    Ok(after)
}

/// What a locked record is with the patch upon it, by all rules but those about what it leads to. The
/// caller may give records away, as far as the patch alone tells.
pub(super) async fn changed_in<R: Record>(
    ctx: &Ctx,
    tx: &mut Tx,
    caller: &Caller,
    before: &R,
    expected: Option<i32>,
    (patch, sent): (&mut Patch, Option<&custom::Sent>),
    looked: &mut Looked<R>,
) -> Result<R> {
    sight::require_write(caller, before)?;
    let mut after = before.clone();
    patch.apply(&mut after);
    let set = custom::set_in(tx, caller.workspace, sent, Required::No, &mut after, &mut looked.links).await?;
    patch.note_custom(set);
    change::refuse_stale(tx, caller, before, expected, patch).await?;
    after.complete();
    check_whole(&after)?;
    may_assign(caller, patch, before.owner(), after.owner())?;
    R::prepare(ctx, tx, caller, Some(before), &mut after, patch, &mut looked.kind).await?;
    Ok(after)
}

/// A live record that the caller sees, locked until the transaction ends.
pub async fn lock_in<R: Record>(tx: &mut Tx, caller: &Caller, id: Uuid) -> Result<R> {
    live::<R>(R::lock_row(tx.connection(), caller.workspace, id).await?, caller)
}

/// A refused change, with the record as the database would not have it.
#[derive(Debug)]
pub struct Refused<R> {
    error: Error,
    tried: Option<Box<R>>,
}

impl<R: Record> Refused<R> {
    fn tried(record: &R, error: Error) -> Self {
        Self { error, tried: Some(Box::new(record.clone())) }
    }

    /// The refusal, which names the record that is in the way. The refused transaction must have
    /// ended.
    pub async fn naming_the_other(self, ctx: &Ctx, caller: &Caller) -> Error {
        match self.tried {
            Some(record) => naming_the_other(ctx, caller, &*record, self.error).await,
            None => self.error,
        }
    }
}

impl<R> From<Error> for Refused<R> {
    fn from(error: Error) -> Self {
        Self { error, tried: None }
    }
}

impl<R> From<Refused<R>> for Error {
    fn from(refused: Refused<R>) -> Self {
        refused.error
    }
}

/// Whether records may be given to this user.
pub async fn may_own(tx: &mut Tx, workspace: WorkspaceId, user: UserId) -> Result<bool> {
    queries::is_active(tx.connection(), workspace, user.0).await
}

/// Deletes a record softly: it can be restored.
pub async fn delete<R: Record>(ctx: &Ctx, caller: &Caller, id: Uuid, expected: Option<i32>) -> Result<R> {
    caller.require(R::DELETE)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, tx) => return repeated(tx, caller, id).await,
    };
    let mut record = lock_in::<R>(&mut tx, caller, id).await?;
    caller.require_for(R::DELETE, record.owner())?;
    change::refuse_other_version(&record, expected)?;
    let now = ctx.clock.now();
    record.set_deleted(Some(now));
    finish_deletion(ctx, &mut tx, caller, &mut record, ChangeAction::Deleted).await?;
    let entry = audit::Entry::new("record.deleted", R::KIND.as_str(), id);
    audit::record_in(ctx, &mut tx, caller, entry).await?;
    tx.commit(record.meta().id).await?;
    Ok(record)
}

/// Takes a deletion back, as long as deleted records are kept. Refused where a live record has taken a value
/// that must be unique.
pub async fn restore<R: Record>(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<R> {
    caller.require(R::DELETE)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, tx) => return repeated(tx, caller, id).await,
    };
    custom::share_in::<R>(&mut tx, caller.workspace).await?;
    R::hold(&mut tx, caller.workspace, None).await?;
    let found = R::lock_row(tx.connection(), caller.workspace, id).await?;
    let mut record = sight::seen(found, Sight::of_writer::<R>(caller))?;
    caller.require_for(R::DELETE, record.owner())?;
    if record.meta().deleted_at.is_none() {
        tx.commit(id).await?;
        return Ok(record);
    }
    deletion::require_kept(ctx, &record)?;
    if !queries::deleted::merged(tx.connection(), caller.workspace, R::KIND, &[id]).await?.is_empty() {
        return Err(deletion::merged());
    }
    record.set_deleted(None);
    if let Err(error) = finish_deletion(ctx, &mut tx, caller, &mut record, ChangeAction::Restored).await {
        drop(tx);
        return Err(naming_the_other(ctx, caller, &record, error).await);
    }
    let entry = audit::Entry::new("record.restored", R::KIND.as_str(), id);
    audit::record_in(ctx, &mut tx, caller, entry).await?;
    tx.commit(id).await?;
    Ok(record)
}

/// One live record, or `NotFound`.
pub async fn get<R: Record>(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<R> {
    let found = by_ids::<R>(ctx, caller, &[id]).await?;
    found.into_iter().next().ok_or(Error::NotFound(R::NOUN))
}

/// The live ones of these records, in no order; what does not exist is left out.
pub async fn by_ids<R: Record>(ctx: &Ctx, caller: &Caller, ids: &[Uuid]) -> Result<Vec<R>> {
    let sight = Sight::of::<R>(caller)?;
    let mut tx = ctx.db.read(caller).await?;
    let mut rows = R::rows_by_ids(tx.connection(), caller.workspace, ids).await?;
    rows.retain(|record| sight.reaches(record.owner()));
    Ok(rows)
}

/// Which of these records the caller sees, deleted ones too, in no order.
pub async fn seen<R: Record>(ctx: &Ctx, caller: &Caller, ids: Vec<Uuid>) -> Result<Vec<Uuid>> {
    let sight = Sight::of::<R>(caller)?;
    if sight == Sight::All {
        return Ok(ids);
    }
    let mut tx = ctx.db.read(caller).await?;
    seen_in::<R>(&mut tx, caller, sight, ids).await
}

/// The same in a transaction.
pub async fn seen_in<R: Record>(tx: &mut Tx, caller: &Caller, sight: Sight, ids: Vec<Uuid>) -> Result<Vec<Uuid>> {
    match sight {
        Sight::All => Ok(ids),
        Sight::Own(_) => queries::seen_ids(tx.connection(), R::TABLE, caller.workspace, sight, &ids).await,
    }
}

/// Which of the records that this field links to are live. Needs no right to read those: it only
/// tells whether a link that the caller sees leads somewhere.
pub async fn live_links(ctx: &Ctx, caller: &Caller, field: &Field, ids: &[Uuid]) -> Result<HashSet<Uuid>> {
    let Some(table) = field.links_to() else { return Ok(HashSet::new()) };
    let mut tx = ctx.db.read(caller).await?;
    let live = queries::live_ids(tx.connection(), table, caller.workspace, ids).await?;
    Ok(live.into_iter().collect())
}

/// Whether a record is live, which it stays until the transaction ends as far as merges go: see
/// [`queries::hold_live_ids`].
pub(in crate::crm) async fn hold_live_in(
    tx: &mut Tx,
    workspace: WorkspaceId,
    kind: RecordKind,
    id: Uuid,
) -> Result<bool> {
    Ok(!queries::hold_live_ids(tx.connection(), kind.table(), workspace, &[id]).await?.is_empty())
}

async fn require_live_links<R: Record>(tx: &mut Tx, caller: &Caller, before: Option<&R>, after: &R) -> Result<()> {
    let refused = dead_links(tx, caller.workspace, &[(before, after)]).await?;
    refused.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
}

/// A new link must lead to a live record, and a new owner be active; the database only knows that
/// there is such a row. Tells of each of these changes that is refused, by its place, the first
/// reason. One statement for each field that leads somewhere else in one of them.
pub(super) async fn dead_links<R: Record>(
    tx: &mut Tx,
    workspace: WorkspaceId,
    changes: &[(Option<&R>, &R)],
) -> Result<BTreeMap<usize, Error>> {
    let mut refused = BTreeMap::new();
    for field in R::FIELDS {
        let table = field.links_to();
        let is_user = matches!(field.field_type, FieldType::User);
        if table.is_none() && !is_user {
            continue;
        }
        let mut led_to: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
        for (place, (before, after)) in changes.iter().enumerate() {
            let Value::Id(id) = after.get(field) else { continue };
            if before.is_none_or(|before| before.get(field) != Value::Id(id)) {
                led_to.entry(id).or_default().push(place);
            }
        }
        if led_to.is_empty() {
            continue;
        }
        let ids: Vec<_> = led_to.keys().copied().collect();
        let live = match table {
            Some(table) => queries::hold_live_ids(tx.connection(), table, workspace, &ids).await?,
            None => queries::active_ids(tx.connection(), workspace, &ids).await?,
        };
        for place in led_to.into_iter().filter(|(id, _)| !live.contains(id)).flat_map(|(_, places)| places) {
            refused.entry(place).or_insert_with(|| {
                let kind = field.linked_kind().map(RecordKind::with_article);
                let what = kind.unwrap_or_else(|| "an active user".to_owned());
                Error::invalid(field.name, format!("is not {what} of this workspace"))
            });
        }
    }
    Ok(refused)
}

pub(in crate::crm) async fn finish_deletion<R: Record>(
    ctx: &Ctx,
    tx: &mut Tx,
    caller: &Caller,
    record: &mut R,
    action: ChangeAction,
) -> Result<()> {
    record.advance(ctx.clock.now());
    R::update_row(tx.connection(), caller.workspace, record).await?;
    let Difference { before, after, .. } = Difference::of_deletion(action == ChangeAction::Deleted);
    change::record_in(ctx, tx, caller, record, before, after).await?;
    let meta = record.meta();
    ctx.emit(tx, caller, &[events::changed(R::KIND, action, &[(meta.id, meta.version)], &[])]).await
}

/// The refusal, with the id of the record that has the value already in its details. Needs a
/// transaction of its own, for the refused one can read no more.
pub(in crate::crm) async fn naming_the_other<R: Record>(
    ctx: &Ctx,
    caller: &Caller,
    record: &R,
    refusal: Error,
) -> Error {
    let Error::Conflict(mut conflict) = refusal else { return refusal };
    if conflict.fields.iter().any(|(name, _)| name == custom::NAME) {
        let named = async {
            let mut tx = ctx.db.read(caller).await?;
            let sight = Sight::of_writer::<R>(caller);
            custom::name_holder(&mut tx, caller.workspace, sight, record, conflict.clone()).await
        };
        let named = named.await.inspect_err(|error| tracing::warn!(?error, "who has the value could not be looked up"));
        return Error::Conflict(named.unwrap_or(conflict));
    }
    let taken = R::FIELDS.iter().find(|field| conflict.fields.iter().any(|(name, _)| name == field.name));
    let other = async {
        let mut tx = ctx.db.read(caller).await?;
        let taken = taken.map(|field| (field, record.get(field))).filter(|(_, value)| !value.is_null());
        let Some((field, value)) = taken else { return record.in_the_way(&mut tx, caller.workspace).await };
        let same = Numbered { page: 1, limit: 1, filters: vec![(field, value)], ..Numbered::default() };
        let ids =
            queries::numbered_ids(tx.connection(), R::TABLE, caller.workspace, Sight::of_writer::<R>(caller), &same)
                .await?;
        match ids.first() {
            Some(id) => Ok(Some(*id)),
            None => record.in_the_way(&mut tx, caller.workspace).await,
        }
    };
    match other.await {
        Ok(other) => conflict.details = other.map(|id| json!({ "other": id })),
        Err(error) => tracing::warn!(?error, "the record that is in the way could not be looked up"),
    }
    Error::Conflict(conflict)
}

/// The record that the first request with the caller's key was about, as it is now; none that they do not
/// see any more.
async fn repeated<R: Record>(mut tx: Tx, caller: &Caller, id: Uuid) -> Result<R> {
    let found = R::lock_row(tx.connection(), caller.workspace, id).await?;
    sight::seen(found, Sight::of_writer::<R>(caller))
}

/// A live record that the caller sees.
fn live<R: Record>(found: Option<R>, caller: &Caller) -> Result<R> {
    let found = sight::seen(found, Sight::of_writer::<R>(caller))?;
    if found.meta().deleted_at.is_none() { Ok(found) } else { Err(Error::NotFound(R::NOUN)) }
}

/// The kind's own rules, on the whole record.
pub fn check_whole<R: Record>(record: &R) -> Result<()> {
    let mut fields = FieldErrors::new();
    record.check_whole(&mut fields);
    fields.into_result()
}

/// Refuses to give a record to somebody else, whosever it is now.
pub(super) fn may_give(caller: &Caller, patch: &Patch) -> Result<()> {
    match patch.value("owner_id") {
        Some(Value::Id(owner)) if *owner != caller.user.0 => caller.require(Permission::RecordsAssign).map(drop),
        _ => Ok(()),
    }
}

/// Taking an unowned record, or letting go of one's own, needs no more than writing; giving one to
/// somebody else, or taking it from them, does.
fn may_assign(caller: &Caller, patch: &Patch, before: Option<UserId>, after: Option<UserId>) -> Result<()> {
    if patch.sets("owner_id") { may_move(caller, before, after) } else { Ok(()) }
}

/// The same of an owner that comes about in any other way.
pub(in crate::crm) fn may_move(caller: &Caller, before: Option<UserId>, after: Option<UserId>) -> Result<()> {
    if before == after || caller.grant(Permission::RecordsAssign) == Grant::All {
        return Ok(());
    }
    let own = |user: Option<_>| user.is_none_or(|user| user == caller.user);
    if own(before) && own(after) {
        return Ok(());
    }
    caller.require(Permission::RecordsAssign).map(drop)
}
