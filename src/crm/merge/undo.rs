//! Taking a merge back: as far as everything is still where the merge has put it. What was changed since
//! stays, and is told.

use serde_json::{Map, json};
use uuid::Uuid;

use super::{
    fields,
    model::{RecordMerge, Undone},
    ops::{hold_in, require_mergeable, tell_in},
    queries,
    relink::{Relinking, Returns, Step},
    steps,
};
use crate::{
    auth::Caller,
    base::{Error, Result, ids::MergeId},
    crm::{
        record::{Record, RecordKind, Sight, Value, change::Difference, custom, events::ChangeAction, ops, sight},
        timeline::{self, NewEntry},
    },
    ctx::Ctx,
    db::Tx,
    for_kind,
    team::{
        audit,
        repeat::{self, Turn},
    },
};

const NOUN: &str = "Merge";

/// Makes several records of one again. For who may write and delete all of them.
pub async fn undo(ctx: &Ctx, caller: &Caller, id: MergeId) -> Result<Undone> {
    // its kind says which rights are needed, and never changes
    let mut tx = ctx.db.read(caller).await?;
    let merge = queries::find(tx.connection(), caller.workspace, id).await?.ok_or(Error::NotFound(NOUN))?;
    drop(tx);
    for_kind!(merge.kind, R => Box::pin(undo_of::<R>(ctx, caller, id)).await)
}

async fn undo_of<R: Record>(ctx: &Ctx, caller: &Caller, id: MergeId) -> Result<Undone> {
    require_mergeable(R::KIND)?;
    caller.require(R::WRITE)?;
    caller.require(R::DELETE)?;
    let mut tx = match repeat::begin::<Kept>(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(kept, mut tx) => {
            let merge = queries::find(tx.connection(), caller.workspace, id).await?.ok_or(Error::NotFound(NOUN))?;
            let stayed = R::lock_row(tx.connection(), caller.workspace, merge.record_id).await?;
            sight::seen(stayed, Sight::of_writer::<R>(caller)).map_err(|_| Error::NotFound(NOUN))?;
            return Ok(kept.told(merge));
        }
    };
    hold_in::<R>(&mut tx, caller).await?;
    let (merge, winner, losers) = lock::<R>(ctx, &mut tx, caller, id).await?;
    let mut attempts = losers.clone();
    attempts.push(winner.clone());
    match Box::pin(undo_in(ctx, &mut tx, caller, merge, winner, losers)).await {
        Ok(undone) => {
            tx.commit(Kept::from(&undone)).await?;
            Ok(undone)
        }
        Err(refusal) => {
            drop(tx);
            // whichever of them it is that somebody is in the way of
            let mut refusal = refusal;
            for tried in &attempts {
                refusal = ops::naming_the_other(ctx, caller, tried, refusal).await;
                if matches!(&refusal, Error::Conflict(conflict) if conflict.details.is_some()) {
                    break;
                }
            }
            Err(refusal)
        }
    }
}

/// The merge, the record that stayed and the others, all locked in the order of their ids.
async fn lock<R: Record>(ctx: &Ctx, tx: &mut Tx, caller: &Caller, id: MergeId) -> Result<(RecordMerge, R, Vec<R>)> {
    let known = queries::find(tx.connection(), caller.workspace, id).await?.ok_or(Error::NotFound(NOUN))?;
    let mut ids: Vec<_> = known.losers.iter().copied().chain([known.record_id]).collect();
    ids.sort_unstable();
    let (mut records, now) = (Vec::new(), ctx.clock.now());
    for id in &ids {
        let found = R::lock_row(tx.connection(), caller.workspace, *id).await?;
        // removed for good, which says no more than that it is too late
        if found.is_none() && *id != known.record_id && known.undoable_until().is_none_or(|until| until < now) {
            continue;
        }
        let record = sight::seen(found, Sight::of_writer::<R>(caller)).map_err(|_| Error::NotFound(NOUN))?;
        sight::require_write(caller, &record)?;
        if *id != known.record_id {
            caller.require_for(R::DELETE, record.owner())?;
        }
        records.push(record);
    }
    // as it is now that nobody else can change it
    let merge = queries::find(tx.connection(), caller.workspace, id).await?.ok_or(Error::NotFound(NOUN))?;
    if merge.undone_at.is_some() {
        return Err(Error::conflict("This merge has been undone already"));
    }
    if merge.undoable_until().is_none_or(|until| until < now) {
        return Err(Error::conflict("A merge can be undone for 30 days"));
    }
    let winner = fields::in_order(records.clone(), &[merge.record_id]).pop().ok_or(Error::NotFound(NOUN))?;
    let losers = fields::in_order(records, &merge.losers);
    if winner.meta().deleted_at.is_some() {
        let into = queries::into(tx.connection(), caller.workspace, R::KIND, merge.record_id).await?;
        return Err(Error::conflict(match into {
            Some(_) => "The record was merged into another since; undo that merge first",
            None => "The record was deleted since; restore it first",
        }));
    }
    if losers.iter().any(|loser| loser.meta().deleted_at.is_none()) {
        return Err(Error::conflict("One of the merged records was restored since"));
    }
    Ok((merge, winner, losers))
}

async fn undo_in<R: Record>(
    ctx: &Ctx,
    tx: &mut Tx,
    caller: &Caller,
    merge: RecordMerge,
    winner: R,
    losers: Vec<R>,
) -> Result<Undone> {
    let now = ctx.clock.now();
    let steps = steps::of(R::KIND);
    let mut going = Going { ctx, caller, merge: &merge, parts: Vec::new(), moved: 0, back: 0 };
    for step in steps.iter().rev().filter(|step| step.returns == Returns::Before) {
        going.back(tx, R::KIND, step).await?;
    }
    let definitions = custom::definitions_in(tx, caller.workspace, R::KIND).await?;
    let (mut after, kept_fields) = fields::returned(&winner, &merge.before, &merge.after, &definitions);
    // what it led to may be gone for good by now
    for field in R::FIELDS {
        if let (Some(table), Value::Id(id)) = (field.links_to(), after.get(field))
            && winner.get(field) != Value::Id(id)
            && !queries::is_there(tx.connection(), caller.workspace, table, id).await?
        {
            after.set(field, Value::Null);
        }
    }
    ops::check_whole(&after)?;
    let mut difference = Difference::between(&winner, &after);
    if !difference.is_empty() {
        after.advance(now);
        R::update_row(tx.connection(), caller.workspace, &after).await?;
    }
    for mut loser in losers {
        loser.set_deleted(None);
        ops::finish_deletion(ctx, tx, caller, &mut loser, ChangeAction::Restored).await?;
    }
    for step in steps.iter().rev().filter(|step| step.returns == Returns::After) {
        going.back(tx, R::KIND, step).await?;
    }
    let Going { parts, moved, back, .. } = going;
    for part in parts {
        difference.add_part(part.name, part.before, part.after);
    }
    tell_in(ctx, tx, caller, &winner, after, difference).await?;
    queries::set_undone(tx.connection(), caller.workspace, merge.id, now, caller.user).await?;
    let payload = json!({ "mergeId": merge.id, "recordIds": merge.losers });
    let entry = |record: Uuid| NewEntry { kind: R::KIND, record, what: "merge_undone", payload: payload.clone() };
    timeline::add_in(ctx, tx, caller, &[entry(merge.record_id)]).await?;
    let told = audit::Entry::new("record.merge_undone", R::KIND.as_str(), merge.record_id).with(payload.clone());
    audit::record_in(ctx, tx, caller, told).await?;
    let merge = RecordMerge { undone_at: Some(now), undone_by: Some(caller.user), ..merge };
    Ok(Undone { merge, kept_fields, moved_back: signed(back), kept: signed(moved.saturating_sub(back)) })
}

/// An undoing under way.
struct Going<'a> {
    ctx: &'a Ctx,
    caller: &'a Caller,
    merge: &'a RecordMerge,
    parts: Vec<super::relink::Part>,
    /// Rows that the merge moved, and those that went back.
    moved: usize,
    back: usize,
}

impl Going<'_> {
    async fn back(&mut self, tx: &mut Tx, kind: RecordKind, step: &Step) -> Result<()> {
        let Self { ctx, caller, merge, .. } = *self;
        let moves = queries::moves(tx.connection(), caller.workspace, merge.id, step.name).await?;
        let nothing = Map::new();
        let mut relinking = Relinking {
            ctx,
            tx: &mut *tx,
            caller,
            kind,
            at: merge.merged_at,
            winner: merge.record_id,
            losers: &merge.losers,
            replaced: merge.before.as_object().unwrap_or(&nothing),
        };
        self.moved += moves.len();
        let done = (step.back)(&mut relinking, moves).await?;
        self.back += done.back;
        self.parts.extend(done.part);
        Ok(())
    }
}

/// What a repetition is answered with.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Kept(Vec<String>, i64, i64);

impl From<&Undone> for Kept {
    fn from(undone: &Undone) -> Self {
        Self(undone.kept_fields.clone(), undone.moved_back, undone.kept)
    }
}

impl Kept {
    fn told(self, merge: RecordMerge) -> Undone {
        let Self(kept_fields, moved_back, kept) = self;
        Undone { merge, kept_fields, moved_back, kept }
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
