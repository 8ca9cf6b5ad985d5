//! The verbs of notes. A note has no rights of its own but for whose it is: all else is the record's.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{
    events,
    model::{About, NewNote, Note, NotePatch, Place},
    queries,
};
use crate::{
    auth::{Caller, Role},
    base::{
        Error, Result,
        ids::NoteId,
        page::{PageArgs, Slice},
        text,
    },
    crm::record::{Record, RecordKind, Rules, Sight, ops, sight},
    ctx::Ctx,
    db::Tx,
    for_kind,
    team::{
        audit,
        repeat::{self, Turn},
    },
};

/// Writes a note about a live record.
pub async fn create(ctx: &Ctx, caller: &Caller, new: NewNote) -> Result<Note> {
    for_kind!(new.kind, R => caller.require(R::WRITE).map(drop)?);
    let body = checked(&new.body)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, tx) => return repeated(tx, caller, id).await,
    };
    require_write(&mut tx, caller, new.kind, new.record).await?;
    if !ops::hold_live_in(&mut tx, caller.workspace, new.kind, new.record).await? {
        return Err(Error::NotFound(for_kind!(new.kind, R => <R as Rules>::NOUN)));
    }
    let now = ctx.clock.now();
    let note = Note {
        id: NoteId::new(),
        version: 1,
        about: About::new(new.kind, new.record),
        body,
        is_pinned: new.is_pinned,
        created_by: caller.user,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    };
    queries::insert(tx.connection(), caller.workspace, &note).await?;
    ctx.emit(&mut tx, caller, &[events::created(&note)]).await?;
    tx.commit(note.id).await?;
    Ok(note)
}

/// Changes a note. One that changes nothing writes nothing.
pub async fn update(ctx: &Ctx, caller: &Caller, id: NoteId, expected: Option<i32>, patch: NotePatch) -> Result<Note> {
    let body = patch.body.as_deref().map(checked).transpose()?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, tx) => return repeated(tx, caller, id).await,
    };
    let before = changeable(&mut tx, caller, id, expected).await?;
    let mut note = before.clone();
    note.body = body.unwrap_or(note.body);
    note.is_pinned = patch.is_pinned.unwrap_or(note.is_pinned);
    if note.body == before.body && note.is_pinned == before.is_pinned {
        tx.commit(id).await?;
        return Ok(before);
    }
    note.version += 1;
    note.updated_at = ctx.clock.now();
    queries::update(tx.connection(), caller.workspace, &note).await?;
    ctx.emit(&mut tx, caller, &[events::updated(&note)]).await?;
    tx.commit(id).await?;
    Ok(note)
}

/// Deletes a note softly.
pub async fn delete(ctx: &Ctx, caller: &Caller, id: NoteId, expected: Option<i32>) -> Result<Note> {
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, tx) => return repeated(tx, caller, id).await,
    };
    let mut note = changeable(&mut tx, caller, id, expected).await?;
    note.version += 1;
    note.updated_at = ctx.clock.now();
    note.deleted_at = Some(note.updated_at);
    queries::update(tx.connection(), caller.workspace, &note).await?;
    ctx.emit(&mut tx, caller, &[events::deleted(&note)]).await?;
    let entry = audit::Entry::new("note.deleted", events::KIND, id.0);
    audit::record_in(ctx, &mut tx, caller, entry).await?;
    tx.commit(id).await?;
    Ok(note)
}

/// A page of the notes of each of these records, pinned ones first and then the newest. Two
/// statements for all.
pub async fn pages<R: Record>(
    ctx: &Ctx,
    caller: &Caller,
    records: &[Uuid],
    args: PageArgs,
) -> Result<HashMap<Uuid, Slice<Note>>> {
    let sight = Sight::of::<R>(caller)?;
    let page = args.parse::<Place>()?;
    let mut tx = ctx.db.read(caller).await?;
    let seen = ops::seen_in::<R>(&mut tx, caller, sight, records.to_vec()).await?;
    let found = queries::pages(tx.connection(), caller.workspace, R::KIND, &seen, &page).await?;
    let ids: Vec<_> = found.iter().map(|found| found.id).collect();
    let rows = queries::by_ids(tx.connection(), caller.workspace, &ids).await?;
    let mut rows: HashMap<_, _> = rows.into_iter().map(|note| (note.id, note)).collect();
    let mut pages: HashMap<Uuid, Vec<Note>> = records.iter().map(|record| (*record, Vec::new())).collect();
    for found in found {
        // one that was deleted between the two statements is left out
        if let Some(note) = rows.remove(&found.id) {
            pages.entry(found.record).or_default().push(note);
        }
    }
    Ok(pages.into_iter().map(|(record, notes)| (record, page.slice(notes))).collect())
}

/// How many notes these records have.
pub async fn counts<R: Record>(ctx: &Ctx, caller: &Caller, records: &[Uuid]) -> Result<HashMap<Uuid, i64>> {
    let sight = Sight::of::<R>(caller)?;
    let mut tx = ctx.db.read(caller).await?;
    let seen = ops::seen_in::<R>(&mut tx, caller, sight, records.to_vec()).await?;
    let counted = queries::counts(tx.connection(), caller.workspace, R::KIND, &seen).await?;
    let none = records.iter().map(|record| (*record, 0));
    Ok(none.chain(counted).collect())
}

/// The live ones of these notes about records of a kind, as far as the caller sees those; in no order.
pub async fn by_ids<R: Record>(ctx: &Ctx, caller: &Caller, ids: &[NoteId]) -> Result<Vec<Note>> {
    let sight = Sight::of::<R>(caller)?;
    let mut tx = ctx.db.read(caller).await?;
    let mut notes = queries::by_ids(tx.connection(), caller.workspace, ids).await?;
    let about = |note: &Note| note.about.record().filter(|(kind, _)| *kind == R::KIND).map(|(_, id)| id);
    let records = notes.iter().filter_map(about).collect();
    let seen: HashSet<_> = ops::seen_in::<R>(&mut tx, caller, sight, records).await?.into_iter().collect();
    notes.retain(|note| about(note).is_some_and(|record| seen.contains(&record)));
    Ok(notes)
}

fn checked(body: &str) -> Result<String> {
    let body = text::clean(body, text::LONG).map_err(|message| Error::invalid("body", message))?;
    body.ok_or_else(|| Error::invalid("body", "is needed"))
}

/// Refuses to write about a record that is not there or not for the caller to write.
async fn require_write(tx: &mut Tx, caller: &Caller, kind: RecordKind, id: Uuid) -> Result<()> {
    for_kind!(kind, R => {
        let found = R::rows_by_ids(tx.connection(), caller.workspace, &[id]).await?.into_iter().next();
        let record = sight::seen(found, Sight::of_writer::<R>(caller))?;
        sight::require_write(caller, &record)
    })
}

/// The live note, locked, where the caller may change it: as its author, as a manager or an admin, and
/// only as long as they may write the record.
async fn changeable(tx: &mut Tx, caller: &Caller, id: NoteId, expected: Option<i32>) -> Result<Note> {
    let none = || Error::NotFound("Note");
    let note = queries::lock(tx.connection(), caller.workspace, id).await?;
    let note = note.filter(|note| note.deleted_at.is_none()).ok_or_else(none)?;
    let (kind, record) = note.about.record().ok_or_else(none)?;
    require_write(tx, caller, kind, record).await.map_err(|error| match error {
        Error::NotFound(_) => none(),
        error => error,
    })?;
    if note.created_by != caller.user && !matches!(caller.role, Role::Admin | Role::Manager) {
        return Err(Error::Forbidden("Only who wrote this note, a manager or an admin may change it".into()));
    }
    if expected.is_some_and(|expected| expected != note.version) {
        return Err(Error::conflict("Somebody has changed this note since you read it"));
    }
    Ok(note)
}

/// The note that the first request with the caller's key was about, as it is now; none about a record that
/// they do not see any more.
async fn repeated(mut tx: Tx, caller: &Caller, id: NoteId) -> Result<Note> {
    let none = || Error::NotFound("Note");
    let note = queries::lock(tx.connection(), caller.workspace, id).await?.ok_or_else(none)?;
    let (kind, record) = note.about.record().ok_or_else(none)?;
    for_kind!(kind, R => {
        let found = R::lock_row(tx.connection(), caller.workspace, record).await?;
        sight::seen(found, Sight::of_writer::<R>(caller)).map_err(|_| none())?;
    });
    Ok(note)
}
