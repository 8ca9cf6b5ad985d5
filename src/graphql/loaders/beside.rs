//! What stands beside records: their timelines and their notes, and further addresses of contacts.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use async_graphql::dataloader::Loader;
use uuid::Uuid;

use super::{OfRecord, Source};
use crate::{
    base::{
        Error,
        ids::{ContactId, NoteId},
        page::{PageArgs, Slice},
    },
    crm::{
        RecordKind,
        contacts::addresses::{self, ExtraAddress},
        notes::{self, Note},
        timeline::{self, Entry},
    },
    for_kind,
};

pub struct Timelines(pub(super) Source);

/// A page of a record's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TimelineOf {
    pub record: OfRecord,
    pub first: Option<i32>,
    pub after: Option<String>,
}

/// Two statements for all records of which the same page is wanted.
impl Loader<TimelineOf> for Timelines {
    type Value = Slice<Entry>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[TimelineOf]) -> Result<HashMap<TimelineOf, Self::Value>, Self::Error> {
        let mut alike: HashMap<_, Vec<Uuid>> = HashMap::new();
        for TimelineOf { record, first, after } in keys {
            alike.entry((record.kind, *first, after)).or_default().push(record.id);
        }
        let Source { ctx, caller, .. } = &self.0;
        let mut found = HashMap::new();
        for ((kind, first, after), ids) in alike {
            let args = PageArgs { first, after: after.clone(), ..PageArgs::default() };
            let pages = for_kind!(kind, R => timeline::pages::<R>(ctx, caller, &ids, args).await?);
            let key = |id| TimelineOf { record: OfRecord { kind, id }, first, after: after.clone() };
            found.extend(pages.into_iter().map(|(id, page)| (key(id), page)));
        }
        Ok(found)
    }
}

impl Loader<OfRecord> for Timelines {
    type Value = i64;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[OfRecord]) -> Result<HashMap<OfRecord, i64>, Self::Error> {
        let Source { ctx, caller, .. } = &self.0;
        let mut found = HashMap::new();
        for (kind, ids) in by_kind(keys) {
            let counts = for_kind!(kind, R => timeline::counts::<R>(ctx, caller, &ids).await?);
            found.extend(counts.into_iter().map(|(id, count)| (OfRecord { kind, id }, count)));
        }
        Ok(found)
    }
}

pub struct Notes(pub(super) Source);

/// A page of a record's notes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NotesOf {
    pub record: OfRecord,
    pub first: Option<i32>,
    pub after: Option<String>,
}

/// A note about a record of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NoteOf {
    pub kind: RecordKind,
    pub id: NoteId,
}

/// Two statements for all records of which the same page is wanted.
impl Loader<NotesOf> for Notes {
    type Value = Slice<Note>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[NotesOf]) -> Result<HashMap<NotesOf, Self::Value>, Self::Error> {
        let mut alike: HashMap<_, Vec<Uuid>> = HashMap::new();
        for NotesOf { record, first, after } in keys {
            alike.entry((record.kind, *first, after)).or_default().push(record.id);
        }
        let Source { ctx, caller, .. } = &self.0;
        let mut found = HashMap::new();
        for ((kind, first, after), ids) in alike {
            let args = PageArgs { first, after: after.clone(), ..PageArgs::default() };
            let pages = for_kind!(kind, R => notes::pages::<R>(ctx, caller, &ids, args).await?);
            let key = |id| NotesOf { record: OfRecord { kind, id }, first, after: after.clone() };
            found.extend(pages.into_iter().map(|(id, page)| (key(id), page)));
        }
        Ok(found)
    }
}

impl Loader<OfRecord> for Notes {
    type Value = i64;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[OfRecord]) -> Result<HashMap<OfRecord, i64>, Self::Error> {
        let Source { ctx, caller, .. } = &self.0;
        let mut found = HashMap::new();
        for (kind, ids) in by_kind(keys) {
            let counts = for_kind!(kind, R => notes::counts::<R>(ctx, caller, &ids).await?);
            found.extend(counts.into_iter().map(|(id, count)| (OfRecord { kind, id }, count)));
        }
        Ok(found)
    }
}

impl Loader<NoteOf> for Notes {
    type Value = Note;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[NoteOf]) -> Result<HashMap<NoteOf, Note>, Self::Error> {
        let mut alike: HashMap<_, Vec<NoteId>> = HashMap::new();
        for NoteOf { kind, id } in keys {
            alike.entry(*kind).or_default().push(*id);
        }
        let Source { ctx, caller, .. } = &self.0;
        let mut found = HashMap::new();
        for (kind, ids) in alike {
            let notes = for_kind!(kind, R => notes::by_ids::<R>(ctx, caller, &ids).await?);
            found.extend(notes.into_iter().map(|note| (NoteOf { kind, id: note.id }, note)));
        }
        Ok(found)
    }
}

pub struct Addresses(pub(super) Source);

/// The further addresses of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressesOf(pub ContactId);

impl Loader<AddressesOf> for Addresses {
    type Value = Vec<ExtraAddress>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[AddressesOf]) -> Result<HashMap<AddressesOf, Self::Value>, Self::Error> {
        let Source { ctx, caller, .. } = &self.0;
        let contacts: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = addresses::of_contacts(ctx, caller, &contacts).await?;
        Ok(found.into_iter().map(|(contact, addresses)| (AddressesOf(contact), addresses)).collect())
    }
}

fn by_kind(keys: &[OfRecord]) -> HashMap<RecordKind, Vec<Uuid>> {
    let mut alike: HashMap<_, Vec<Uuid>> = HashMap::new();
    for OfRecord { kind, id } in keys {
        alike.entry(*kind).or_default().push(*id);
    }
    alike
}
