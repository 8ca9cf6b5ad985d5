//! What happened to the fields of a record, and who did it: for a record's own history, and for the
//! events that tell of changes. A creation has no history. A deletion and its taking back change no
//! field, and are told by the timeline alone. What was merged into a record has its history told with that of the record.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    FieldType, Record, Sight, custom, ops,
    order::Place,
    queries::history::{self as queries, FieldRow},
};
use crate::{
    auth::{Actor, Caller},
    base::{
        Result,
        page::{PageArgs, Slice},
    },
    ctx::Ctx,
};

/// One field's change.
#[derive(Debug, Clone)]
pub struct FieldChange {
    pub record: Uuid,
    /// Whose change it was: the record's own, or one's that was merged into it.
    pub source: Uuid,
    /// The version after it, of the record that it was made to.
    pub version: i32,
    pub at: DateTime<Utc>,
    pub actor: Actor,
    /// By which way it came: `graphql`, `rest`, `import`, `system`.
    pub origin: String,
    /// The field's API name, or `custom.<key>`.
    pub field: String,
    /// `None` for a custom field, and for a part of the record that is no field.
    pub field_type: Option<FieldType>,
    /// As the history calls it.
    column: String,
    /// As `Value::to_json` writes it; so is `after`.
    pub before: Json,
    pub after: Json,
}

impl FieldChange {
    pub fn place(&self) -> Place {
        Place(self.at, self.source, self.version, self.column.clone())
    }

    /// `None` for a name that is none of the kind's.
    fn read<R: Record>(row: FieldRow) -> Option<Self> {
        let known = R::FIELDS.iter().find(|field| field.column == row.field);
        let (field, field_type) = match known {
            Some(field) => (field.name.to_owned(), Some(field.field_type)),
            None if row.field.starts_with(custom::PREFIX) || R::PARTS.contains(&row.field.as_str()) => {
                (row.field.clone(), None)
            }
            None => return None,
        };
        Some(Self {
            record: row.record,
            source: row.source,
            version: row.version,
            at: row.at,
            actor: Actor::read(row.actor),
            origin: row.origin,
            field,
            field_type,
            column: row.field,
            before: row.before.unwrap_or_default(),
            after: row.after,
        })
    }
}

/// What these changes did, each named by its record and the version after it. One statement,
/// however many they are; in the order of the field table, custom fields behind the others.
pub async fn of_versions<R: Record>(ctx: &Ctx, caller: &Caller, changes: &[(Uuid, i32)]) -> Result<Vec<FieldChange>> {
    let sight = Sight::of::<R>(caller)?;
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = ctx.db.read(caller).await?;
    let seen: HashSet<_> = changes.iter().map(|(record, _)| *record).collect();
    let seen = ops::seen_in::<R>(&mut tx, caller, sight, seen.into_iter().collect()).await?;
    let changes: Vec<_> = changes.iter().copied().filter(|(record, _)| seen.contains(record)).collect();
    let columns = columns::<R>();
    let rows = queries::fields_of_versions(tx.connection(), caller.workspace, R::KIND, &columns, &changes).await?;
    let mut changes: Vec<_> = rows.into_iter().filter_map(FieldChange::read::<R>).collect();
    let place = |change: &FieldChange| R::FIELDS.iter().position(|field| field.column == change.column);
    changes.sort_by_cached_key(|change| (place(change).unwrap_or(usize::MAX), change.field.clone()));
    Ok(changes)
}

/// Which of these changes took a record out of the caller's sight: it was theirs or nobody's until then.
pub async fn taken<R: Record>(ctx: &Ctx, caller: &Caller, changes: &[(Uuid, i32)]) -> Result<Vec<Uuid>> {
    let Sight::Own(user) = Sight::of::<R>(caller)? else { return Ok(Vec::new()) };
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = ctx.db.read(caller).await?;
    queries::taken(tx.connection(), caller.workspace, R::KIND, user, changes).await
}

/// A page of the history of each of these records, the newest first. One statement for all.
pub async fn pages<R: Record>(
    ctx: &Ctx,
    caller: &Caller,
    records: &[Uuid],
    args: PageArgs,
) -> Result<HashMap<Uuid, Slice<FieldChange>>> {
    let sight = Sight::of::<R>(caller)?;
    let page = args.parse::<Place>()?;
    page.require_cursor(Place::is_sound)?;
    let mut tx = ctx.db.read(caller).await?;
    let columns = columns::<R>();
    let seen = ops::seen_in::<R>(&mut tx, caller, sight, records.to_vec()).await?;
    let rows = queries::fields_of_records(tx.connection(), caller.workspace, R::KIND, &columns, &seen, &page).await?;
    let mut found: HashMap<Uuid, Vec<FieldChange>> = records.iter().map(|record| (*record, Vec::new())).collect();
    for change in rows.into_iter().filter_map(FieldChange::read::<R>) {
        found.entry(change.record).or_default().push(change);
    }
    Ok(found.into_iter().map(|(record, changes)| (record, page.slice(changes))).collect())
}

/// How long the histories of these records are, in all.
pub async fn counts<R: Record>(ctx: &Ctx, caller: &Caller, records: &[Uuid]) -> Result<HashMap<Uuid, i64>> {
    let sight = Sight::of::<R>(caller)?;
    let mut tx = ctx.db.read(caller).await?;
    let columns = columns::<R>();
    let seen = ops::seen_in::<R>(&mut tx, caller, sight, records.to_vec()).await?;
    let counted = queries::count_fields(tx.connection(), caller.workspace, R::KIND, &columns, &seen).await?;
    let none = records.iter().map(|record| (*record, 0));
    Ok(none.chain(counted.into_iter().map(|counted| (counted.record, counted.fields))).collect())
}

fn columns<R: Record>() -> Vec<&'static str> {
    R::FIELDS.iter().map(|field| field.column).chain(R::PARTS.iter().copied()).collect()
}
