//! The verb: merge. And what is known of merges.

use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::{
    fields,
    model::{MergeRequest, RecordMerge},
    queries,
    relink::Relinking,
    steps,
};
use crate::{
    auth::Caller,
    base::{Error, FieldErrors, Result, ids::MergeId},
    crm::{
        contacts::addresses,
        record::{
            Record, RecordKind, Sight,
            change::{self, Difference},
            custom,
            events::{ChangeAction, changed},
            ops, sight,
        },
        timeline::{self, NewEntry},
    },
    ctx::Ctx,
    db::{Tx, locks},
    team::{
        audit,
        repeat::{self, Turn},
    },
};

/// Most merges of one record that are listed.
const LISTED: i64 = 500;

/// Merges records of one kind. Whoever does it may write all of them, and delete those that do not stay.
/// Returns the one that stays.
pub async fn merge<R: Record>(ctx: &Ctx, caller: &Caller, request: MergeRequest) -> Result<(R, RecordMerge)> {
    caller.require(R::WRITE)?;
    caller.require(R::DELETE)?;
    check::<R>(ctx, &request)?;
    let mut tx = match repeat::begin::<MergeId>(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, tx) => return repeated(tx, caller, id).await,
    };
    hold_in::<R>(&mut tx, caller).await?;
    let (winner, losers) = lock::<R>(&mut tx, caller, &request).await?;
    queries::hold_alone(tx.connection(), caller.workspace, R::TABLE, &request.losers).await?;
    let merged = fields::merged(&winner, &losers, &request.choices)?;
    ops::may_move(caller, winner.owner(), merged.owner())?;
    ops::check_whole(&merged)?;
    let tried = merged.clone();
    match Box::pin(merge_in(ctx, &mut tx, caller, winner, losers, merged)).await {
        Ok((record, merge)) => {
            tx.commit(merge.id).await?;
            Ok((record, merge))
        }
        Err(refusal) => {
            drop(tx);
            Err(ops::naming_the_other(ctx, caller, &tried, refusal).await)
        }
    }
}

/// Which kinds can be merged, and what is wrong in itself.
fn check<R: Record>(ctx: &Ctx, request: &MergeRequest) -> Result<()> {
    require_mergeable(R::KIND)?;
    let mut fields = FieldErrors::new();
    let most = ctx.limits.records_per_merge;
    if request.losers.is_empty() {
        fields.add("ids", "must name at least one record");
    } else if request.losers.len() >= most {
        fields.add("ids", format!("must be at most {} (limits.records_per_merge)", most.saturating_sub(1)));
    }
    let mut known = HashSet::from([request.winner]);
    if !request.losers.iter().all(|id| known.insert(*id)) {
        fields.add("ids", "must not name a record twice, nor the one that stays");
    }
    if request.expected.iter().any(|(id, _)| !known.contains(id)) {
        fields.add("expectedVersions", "names a record that is not to be merged");
    }
    fields.into_result()
}

pub(super) fn require_mergeable(kind: RecordKind) -> Result<()> {
    match kind {
        RecordKind::Lead | RecordKind::Contact | RecordKind::Account | RecordKind::Deal => Ok(()),
        RecordKind::Product | RecordKind::Task => {
            Err(Error::invalid("kind", "cannot be merged; leads, contacts, accounts and deals can"))
        }
    }
}

/// What is held before any record is locked.
pub(super) async fn hold_in<R: Record>(tx: &mut Tx, caller: &Caller) -> Result<()> {
    // of all kinds: records of any may lead to these by a custom field
    for kind in RecordKind::ALL {
        locks::share_named_in(tx, &custom::lock_name(caller.workspace, *kind)).await?;
    }
    if R::KIND == RecordKind::Contact {
        addresses::hold_in(tx, caller.workspace).await?;
    }
    Ok(())
}

/// The records, locked in the order of their ids: the one that stays, and the others as they were named.
async fn lock<R: Record>(tx: &mut Tx, caller: &Caller, request: &MergeRequest) -> Result<(R, Vec<R>)> {
    let mut ids: Vec<_> = request.losers.iter().copied().chain([request.winner]).collect();
    ids.sort_unstable();
    let mut records = Vec::new();
    for id in ids {
        let record = ops::lock_in::<R>(tx, caller, id).await?;
        sight::require_write(caller, &record)?;
        if id != request.winner {
            caller.require_for(R::DELETE, record.owner())?;
        }
        let expected = request.expected.iter().find(|(of, _)| *of == id).map(|(_, version)| *version);
        change::refuse_changed(tx, caller, &record, expected, "expectedVersions").await?;
        records.push(record);
    }
    let winner = fields::in_order(records.clone(), &[request.winner]).pop().ok_or(Error::NotFound(R::NOUN))?;
    Ok((winner, fields::in_order(records, &request.losers)))
}

async fn merge_in<R: Record>(
    ctx: &Ctx,
    tx: &mut Tx,
    caller: &Caller,
    winner: R,
    losers: Vec<R>,
    mut merged: R,
) -> Result<(R, RecordMerge)> {
    let now = ctx.clock.now();
    let id = winner.meta().id;
    let loser_ids: Vec<_> = losers.iter().map(|loser| loser.meta().id).collect();
    // first, so that the one that stays can have what must be unique
    delete_in(ctx, tx, caller, losers, id).await?;
    let mut difference = Difference::between(&winner, &merged);
    if !difference.is_empty() {
        merged.advance(now);
        R::update_row(tx.connection(), caller.workspace, &merged).await?;
    }
    let merge = RecordMerge {
        id: MergeId::new(),
        kind: R::KIND,
        record_id: id,
        losers: loser_ids.clone(),
        merged_at: now,
        merged_by: caller.user,
        before: Json::Object(difference.before.clone()),
        after: Json::Object(difference.after.clone()),
        undone_at: None,
        undone_by: None,
    };
    queries::insert(tx.connection(), caller.workspace, &merge).await?;
    let replaced = difference.before.clone();
    for step in steps::of(R::KIND) {
        let mut relinking = Relinking {
            ctx,
            tx: &mut *tx,
            caller,
            kind: R::KIND,
            at: now,
            winner: id,
            losers: &loser_ids,
            replaced: &replaced,
        };
        let done = (step.relink)(&mut relinking).await?;
        queries::insert_moves(tx.connection(), caller.workspace, merge.id, step.name, &done.moved).await?;
        if let Some(part) = done.part {
            difference.add_part(part.name, part.before, part.after);
        }
    }
    let record = tell_in(ctx, tx, caller, &winner, merged, difference).await?;
    let payload = json!({ "mergeId": merge.id, "recordIds": loser_ids });
    let entry = NewEntry { kind: R::KIND, record: id, what: "merged", payload: payload.clone() };
    timeline::add_in(ctx, tx, caller, &[entry]).await?;
    audit::record_in(ctx, tx, caller, audit::Entry::new("record.merged", R::KIND.as_str(), id).with(payload)).await?;
    Ok((record, merge))
}

/// Deletes those that do not stay. What is told of it says what they are part of.
async fn delete_in<R: Record>(ctx: &Ctx, tx: &mut Tx, caller: &Caller, losers: Vec<R>, into: Uuid) -> Result<()> {
    let now = ctx.clock.now();
    let mut told = Vec::new();
    for mut loser in losers {
        loser.set_deleted(Some(now));
        loser.advance(now);
        R::update_row(tx.connection(), caller.workspace, &loser).await?;
        let deleted = |deleted: bool| Map::from_iter([("deleted".to_owned(), json!(deleted))]);
        change::record_in(ctx, tx, caller, &loser, deleted(false), deleted(true)).await?;
        told.push((loser.meta().id, loser.meta().version));
    }
    let mut event = changed(R::KIND, ChangeAction::Deleted, &told, &[]);
    event.payload = json!({ "changed": [], "mergedInto": into });
    ctx.emit(tx, caller, &[event]).await
}

/// Writes and tells what has become of the record that stays, if anything has; its row is written already
/// where a field has changed.
pub(super) async fn tell_in<R: Record>(
    ctx: &Ctx,
    tx: &mut Tx,
    caller: &Caller,
    before: &R,
    mut after: R,
    difference: Difference,
) -> Result<R> {
    if difference.is_empty() {
        return Ok(after);
    }
    if after.meta().version == before.meta().version {
        after.advance(ctx.clock.now());
        R::update_row(tx.connection(), caller.workspace, &after).await?;
    }
    let meta = after.meta();
    let event = changed(R::KIND, ChangeAction::Updated, &[(meta.id, meta.version)], &difference.names());
    change::record_in(ctx, tx, caller, &after, difference.before, difference.after).await?;
    ctx.emit(tx, caller, &[event]).await?;
    Ok(after)
}

/// What the first request with the caller's key merged, as it is now.
async fn repeated<R: Record>(mut tx: Tx, caller: &Caller, id: MergeId) -> Result<(R, RecordMerge)> {
    let merge = queries::find(tx.connection(), caller.workspace, id).await?.ok_or(Error::NotFound("Merge"))?;
    let record = R::lock_row(tx.connection(), caller.workspace, merge.record_id).await?;
    // it may be somebody else's by now
    let record = record.filter(|record| Sight::of_writer::<R>(caller).reaches(record.owner()));
    Ok((record.ok_or(Error::NotFound(R::NOUN))?, merge))
}

/// What a record has become part of, where it was merged into another that is live and in the caller's
/// sight.
pub async fn into<R: Record>(ctx: &Ctx, caller: &Caller, record: Uuid) -> Result<Option<R>> {
    let sight = Sight::of::<R>(caller)?;
    let mut tx = ctx.db.read(caller).await?;
    let Some(into) = queries::into(tx.connection(), caller.workspace, R::KIND, record).await? else { return Ok(None) };
    let found = R::rows_by_ids(tx.connection(), caller.workspace, &[into]).await?;
    Ok(found.into_iter().find(|record| sight.reaches(record.owner())))
}

/// The merges that a record came through, the newest first: into it, and of it into another. For who sees
/// the record, or could see it where it is deleted.
pub async fn of_record<R: Record>(ctx: &Ctx, caller: &Caller, record: Uuid) -> Result<Vec<RecordMerge>> {
    let sight = Sight::of::<R>(caller)?;
    let mut tx = ctx.db.read(caller).await?;
    if ops::seen_in::<R>(&mut tx, caller, sight, vec![record]).await?.is_empty() {
        return Err(Error::NotFound(R::NOUN));
    }
    let found = queries::of_record(tx.connection(), caller.workspace, R::KIND, record, LISTED).await?;
    if found.is_empty() {
        // one that was never merged is there, or there is none
        drop(tx);
        ops::get::<R>(ctx, caller, record).await?;
    }
    Ok(found)
}
