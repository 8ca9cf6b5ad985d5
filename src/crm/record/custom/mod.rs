//! The custom fields of a record: what their definitions allow, and how input becomes the values
//! that stand in `custom_fields`. (Making and changing definitions is `crm::fields`.)
//!
//! Who writes values sees the definitions under a lock that they share with other writers, and who
//! changes a definition holds it alone: so no value slips in beside a new definition.

pub mod bag;
mod model;
mod queries;
mod value;

use std::{collections::HashMap, sync::Arc};

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{Field, Record, RecordKind, Sight, Value, queries as records};
use crate::{
    base::{Error, FieldErrors, Result, error::Conflict, ids::WorkspaceId},
    db::{Tx, locks},
};
pub use bag::refuse_large;
use bag::{BagPatch, LinksTo};
pub use model::{CustomField, CustomType};

/// The column of the values, which is no field like the others.
pub const COLUMN: &str = "custom_fields";
/// Its name in the API.
pub const NAME: &str = "customFields";
/// In criteria, in the history and in events a custom field is this and its key.
pub const PREFIX: &str = "custom.";

/// The lock between writers of values and changes of the definitions of a kind.
pub fn lock_name(workspace: WorkspaceId, kind: RecordKind) -> String {
    format!("custom fields {workspace} {kind}")
}

/// The definitions of a kind, in their order. They stay as they are until the transaction ends, for
/// whoever changes one waits. To be called before any record is locked: a change of a definition
/// holds them first and locks records then.
pub async fn definitions_in(tx: &mut Tx, workspace: WorkspaceId, kind: RecordKind) -> Result<Vec<CustomField>> {
    locks::share_named_in(tx, &lock_name(workspace, kind)).await?;
    definitions_now(tx, workspace, kind).await
}

/// The same without the lock: for reading, and for who holds it already.
pub async fn definitions_now(tx: &mut Tx, workspace: WorkspaceId, kind: RecordKind) -> Result<Vec<CustomField>> {
    queries::definitions(tx.connection(), workspace, kind).await
}

/// What was sent for custom fields, and what they may be.
pub(super) struct Sent {
    input: Json,
    definitions: Arc<[CustomField]>,
}

impl Sent {
    /// The same definitions for other input.
    pub(super) fn instead(&self, input: Json) -> Self {
        Self { input, definitions: self.definitions.clone() }
    }

    /// Whether it can be set in a record that there is, apart from what the record holds and what it
    /// would lead to.
    pub(super) fn check(&self) -> Result<()> {
        bag::check(&self.definitions, &self.input).map(drop).map_err(Error::Invalid)
    }
}

/// Reads the definitions where something was sent; before any record is locked.
pub(super) async fn sent_in(
    tx: &mut Tx,
    workspace: WorkspaceId,
    kind: RecordKind,
    input: Option<Json>,
) -> Result<Option<Sent>> {
    let Some(input) = input else { return Ok(None) };
    Ok(Some(Sent { input, definitions: definitions_in(tx, workspace, kind).await?.into() }))
}

/// Whether a record must have the custom fields that are required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// As of one that somebody makes.
    Yes,
    /// As of one that there is already, or that is made of another.
    No,
}

/// Checks what was sent for custom fields, and sets them in the record.
pub(super) async fn set_in<R: Record>(
    tx: &mut Tx,
    workspace: WorkspaceId,
    sent: Option<&Sent>,
    required: Required,
    record: &mut R,
    links: &mut Links,
) -> Result<Option<BagPatch>> {
    let Some(Sent { input, definitions }) = sent else {
        if required == Required::Yes {
            require_none(tx, workspace, R::KIND).await?;
        }
        return Ok(None);
    };
    let checked = match required {
        Required::No => bag::check(definitions, input),
        Required::Yes => bag::check_new(definitions, input),
    };
    let checked = checked.map_err(Error::Invalid)?;
    let old = bag_of(record);
    require_live_links(tx, workspace, &checked, &old, links).await?;
    let new = bag::apply(&old, &checked).map_err(Error::Invalid)?;
    if let Some(field) = field_of::<R>() {
        record.set(field, Value::Json(new));
    }
    Ok(Some(checked))
}

/// Before a deleted record is locked to come back with its values: what was indexed meanwhile must be
/// known.
pub(super) async fn share_in<R: Record>(tx: &mut Tx, workspace: WorkspaceId) -> Result<()> {
    locks::share_named_in(tx, &lock_name(workspace, R::KIND)).await
}

/// The refusal of a value that must be unique, with the custom field's name and, where it is in sight, the id
/// of the record that has the value. Where nobody has it any more, the refusal stays as it is.
pub(super) async fn name_holder<R: Record>(
    tx: &mut Tx,
    workspace: WorkspaceId,
    sight: Sight,
    record: &R,
    refusal: Conflict,
) -> Result<Conflict> {
    let holder = queries::holder(tx.connection(), workspace, R::KIND, record.meta().id, &bag_of(record)).await?;
    let Some((key, other)) = holder else { return Ok(refusal) };
    let mut fields = FieldErrors::new();
    fields.add(named(&key), format!("is already used by another {}", R::KIND));
    let seen = records::seen_ids(tx.connection(), R::TABLE, workspace, sight, &[other]).await?;
    let details = seen.first().map(|other| json!({ "other": other }));
    Ok(Conflict { message: fields.to_string().into(), fields, details })
}

/// A record's values by key.
pub fn bag_of<R: Record>(record: &R) -> Json {
    field_of::<R>().map_or(Json::Null, |field| record.get(field).to_json())
}

/// As errors name a custom field: like its place in the input.
pub fn named(key: &str) -> String {
    format!("{NAME}.{key}")
}

fn field_of<R: Record>() -> Option<&'static Field> {
    R::FIELDS.iter().find(|field| field.column == COLUMN)
}

async fn require_none(tx: &mut Tx, workspace: WorkspaceId, kind: RecordKind) -> Result<()> {
    let mut errors = FieldErrors::new();
    for key in queries::required_keys(tx.connection(), workspace, kind).await? {
        errors.add(named(&key), bag::NEEDED);
    }
    errors.into_result()
}

/// What is new and leads somewhere must lead to a live record, or to an active user.
async fn require_live_links(
    tx: &mut Tx,
    workspace: WorkspaceId,
    patch: &BagPatch,
    old: &Json,
    links: &mut Links,
) -> Result<()> {
    let mut errors = FieldErrors::new();
    for (key, to, id) in patch.links() {
        if old.get(key).and_then(Json::as_str) == Some(id.to_string().as_str()) {
            continue;
        }
        match to {
            _ if links.leads_in(tx, workspace, to, id).await? => {}
            LinksTo::User => errors.add(named(key), "is not an active user of this workspace"),
            LinksTo::Record(kind) => {
                errors.add(named(key), format!("is not {} of this workspace", kind.with_article()));
            }
        }
    }
    errors.into_result()
}

/// Which custom values lead somewhere, as far as a transaction has looked.
#[derive(Debug, Default)]
pub struct Links(HashMap<(LinksTo, Uuid), bool>);

impl Links {
    async fn leads_in(&mut self, tx: &mut Tx, workspace: WorkspaceId, to: LinksTo, id: Uuid) -> Result<bool> {
        if let Some(known) = self.0.get(&(to, id)) {
            return Ok(*known);
        }
        let leads = match to {
            LinksTo::User => records::is_active(tx.connection(), workspace, id).await?,
            LinksTo::Record(kind) => {
                !records::hold_live_ids(tx.connection(), kind.table(), workspace, &[id]).await?.is_empty()
            }
        };
        self.0.insert((to, id), leads);
        Ok(leads)
    }
}

/// How many live records of a kind there are, for the progress of who walks through them.
pub async fn count_in(tx: &mut Tx, workspace: WorkspaceId, kind: RecordKind) -> Result<i64> {
    records::counts::all(tx.connection(), workspace, kind).await
}
