//! Defining, changing, ordering and deleting custom fields. Each holds the definitions of the kind
//! alone, so nobody writes a value meanwhile that the change does not know of.

use std::{collections::HashSet, time::Duration};

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    CustomField, CustomType, definitions_now,
    events::{FieldAction, changed},
    jobs::{FillCustomField, RemoveCustomField},
    key, queries,
};
use crate::{
    auth::{Caller, Permission},
    base::{
        Error, FieldErrors, Result,
        error::Conflict,
        ids::{CustomFieldId, JobId},
        text,
    },
    crm::{
        criteria::{Criteria, Known},
        record::{RecordKind, custom::lock_name},
    },
    ctx::Ctx,
    db::{Tx, locks},
    jobs::{Enqueued, Job, enqueue, open},
    team::{
        audit,
        repeat::{self, Turn},
    },
};

/// Most choices of a field, and characters of a choice.
const MOST_CHOICES: usize = 500;
const CHOICE_LENGTH: usize = 100;
/// Most characters of a description.
const DESCRIPTION: usize = 2_000;
/// Most different values that are looked through when a key becomes a field.
const MOST_HELD: usize = 5_000;
/// Of those that do not fit, so many are told.
const EXAMPLES: usize = 5;
/// Looking through all records of a kind may take longer than what requests do as a rule.
const LOOKING_THROUGH: Duration = Duration::from_secs(25);

/// A field about to be defined.
#[derive(Debug, Clone)]
pub struct NewField {
    pub kind: RecordKind,
    /// Made of the label where it is `None`.
    pub key: Option<String>,
    pub label: String,
    pub description: Option<String>,
    pub field_type: CustomType,
    pub choices: Vec<String>,
    pub record_kind: Option<RecordKind>,
    pub is_required: bool,
    pub is_unique: bool,
    pub is_indexed: bool,
}

/// What is to be different; `None` stays. Key, kind and type never change.
#[derive(Debug, Clone, Default)]
pub struct FieldPatch {
    pub label: Option<String>,
    /// An empty one goes.
    pub description: Option<String>,
    pub choices: Option<Vec<String>>,
    pub is_required: Option<bool>,
    pub is_unique: Option<bool>,
    pub is_indexed: Option<bool>,
    /// Removes choices even where records have them.
    pub force: bool,
}

/// A field after a change.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub field: CustomField,
    /// Makes the index what the definition says, where that is not so already.
    pub job: Option<JobId>,
}

/// The custom fields of a kind, in their order. For everybody: who may write records must know them.
pub async fn list(ctx: &Ctx, caller: &Caller, kind: RecordKind) -> Result<Vec<CustomField>> {
    let mut tx = ctx.db.read(caller).await?;
    definitions_now(&mut tx, caller.workspace, kind).await
}

/// Defines a field. Values that records have under its key already must fit it, in the form in
/// which it would keep them.
pub async fn create(ctx: &Ctx, caller: &Caller, new: NewField) -> Result<Outcome> {
    caller.require(Permission::FieldsManage)?;
    let now = ctx.clock.now();
    let mut fields = FieldErrors::new();
    let given_key = new.key.as_deref().filter(|key| !key.trim().is_empty());
    let given_key = given_key.and_then(|given| fields.take("key", key::check(given)));
    let label = text::required(&mut fields, "label", &new.label);
    let mut field = CustomField {
        id: CustomFieldId::new(),
        kind: new.kind,
        key: String::new(),
        label: label.unwrap_or_default(),
        description: described(&mut fields, new.description.as_deref()),
        field_type: new.field_type,
        choices: cleaned_choices(&mut fields, new.choices),
        record_kind: new.record_kind,
        is_required: new.is_required,
        is_unique: new.is_unique,
        is_indexed: new.is_indexed,
        position: 0,
        created_by: caller.user,
        created_at: now,
        updated_at: now,
    };
    check_whole(&mut fields, &field);
    fields.into_result()?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again((id, job), mut tx) => return again(&mut tx, caller, id, job).await,
    };
    let known = alone_in(&mut tx, caller, field.kind).await?;
    if known.len() >= ctx.limits.custom_fields_per_kind {
        let most = ctx.limits.custom_fields_per_kind;
        return Err(Error::conflict(format!(
            "There are {most} custom fields of this kind already (limits.custom_fields_per_kind); delete one first"
        )));
    }
    let is_used = |key: &str| known.iter().any(|field| field.key == key);
    let leaving: Vec<RemoveCustomField> = open(&mut tx, caller.workspace).await?;
    let is_leaving = |key: &str| leaving.iter().any(|field| field.kind == new.kind && field.key == key);
    field.key = given_key.unwrap_or_else(|| key::from_label(&field.label, |key| is_used(key) || is_leaving(key)));
    field.position = known.last().map_or(0, |last| last.position) + 1;
    if is_used(&field.key) {
        return Err(Error::taken("key", "is already used by another custom field of this kind", None));
    }
    // else the new field would have some of the old one's values, and lose them again
    if is_leaving(&field.key) {
        let message = "was another field's, whose values are still being removed; try again when that is done";
        return Err(Error::taken("key", message, None));
    }
    let is_held = require_fitting(&mut tx, caller, &field).await?;
    queries::insert(tx.connection(), caller.workspace, &field).await?;
    let job = if is_held { filled_in(ctx, &mut tx, caller, &field, field.is_unique).await? } else { None };
    finish_in(
        ctx,
        &mut tx,
        caller,
        FieldAction::Created,
        &field,
        json!({ "label": field.label, "type": field.field_type }),
    )
    .await?;
    tx.commit((field.id, job)).await?;
    Ok(Outcome { field, job })
}

/// Changes a definition. What changes nothing writes nothing.
pub async fn update(ctx: &Ctx, caller: &Caller, id: CustomFieldId, patch: FieldPatch) -> Result<Outcome> {
    caller.require(Permission::FieldsManage)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again((id, job), mut tx) => return again(&mut tx, caller, id, job).await,
    };
    let before = locked(&mut tx, caller, id).await?;
    let mut fields = FieldErrors::new();
    let mut after = before.clone();
    if let Some(label) = &patch.label {
        after.label = text::required(&mut fields, "label", label).unwrap_or_default();
    }
    if patch.description.is_some() {
        after.description = described(&mut fields, patch.description.as_deref());
    }
    if let Some(choices) = patch.choices {
        after.choices = cleaned_choices(&mut fields, choices);
    }
    after.is_required = patch.is_required.unwrap_or(before.is_required);
    after.is_unique = patch.is_unique.unwrap_or(before.is_unique);
    after.is_indexed = patch.is_indexed.unwrap_or(before.is_indexed);
    check_whole(&mut fields, &after);
    fields.into_result()?;
    if after == before {
        tx.commit((id, None::<JobId>)).await?;
        return Ok(Outcome { field: before, job: None });
    }
    if !patch.force {
        require_unchosen(&mut tx, caller, &before, &after).await?;
        require_unasked(&mut tx, caller, &before, &after).await?;
    }
    let becomes_unique = after.is_unique && !before.is_unique;
    if becomes_unique {
        require_unique(&mut tx, caller, &after).await?;
    }
    after.updated_at = ctx.clock.now();
    queries::update(tx.connection(), caller.workspace, &after).await?;
    let changes_rows = becomes_unique || after.has_rows() != before.has_rows();
    let job = if changes_rows { filled_in(ctx, &mut tx, caller, &after, becomes_unique).await? } else { None };
    finish_in(ctx, &mut tx, caller, FieldAction::Updated, &after, differences(&before, &after)).await?;
    tx.commit((id, job)).await?;
    Ok(Outcome { field: after, job })
}

/// Deletes a field and, by the job that is returned, its values in all records. Refused where lists
/// name it in their criteria, unless forced.
pub async fn delete(ctx: &Ctx, caller: &Caller, id: CustomFieldId, force: bool) -> Result<Option<JobId>> {
    caller.require(Permission::FieldsManage)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(job, _) => return Ok(job),
    };
    let field = locked(&mut tx, caller, id).await?;
    let lists = lists_naming(&mut tx, caller, &field).await?;
    if !force && !lists.is_empty() {
        return Err(in_use(&lists, "the field", "delete it"));
    }
    queries::delete(tx.connection(), caller.workspace, id).await?;
    let job = RemoveCustomField { kind: field.kind, field: id, key: field.key.clone() };
    let job = enqueued_in(ctx, &mut tx, caller, &job).await?;
    let lists: Vec<_> = lists.iter().map(|list| list.id).collect();
    let details = json!({ "kind": field.kind, "key": field.key, "lists": lists });
    finish_in(ctx, &mut tx, caller, FieldAction::Deleted, &field, details).await?;
    tx.commit(job).await?;
    Ok(job)
}

/// Puts the fields of a kind into this order; those that are not named follow in their present one.
pub async fn reorder(ctx: &Ctx, caller: &Caller, kind: RecordKind, ids: &[CustomFieldId]) -> Result<Vec<CustomField>> {
    caller.require(Permission::FieldsManage)?;
    if ids.iter().collect::<HashSet<_>>().len() != ids.len() {
        return Err(Error::invalid("ids", "must name each field once"));
    }
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again((), mut tx) => return definitions_now(&mut tx, caller.workspace, kind).await,
    };
    let known = alone_in(&mut tx, caller, kind).await?;
    if ids.iter().any(|id| known.iter().all(|field| field.id != *id)) {
        return Err(Error::NotFound("Custom field"));
    }
    let rest = known.iter().map(|field| field.id).filter(|id| !ids.contains(id));
    let order: Vec<_> = ids.iter().copied().chain(rest).collect();
    queries::set_positions(tx.connection(), caller.workspace, &order).await?;
    let ordered = definitions_now(&mut tx, caller.workspace, kind).await?;
    let moved = ordered.iter().filter(|field| !known.contains(field));
    let events: Vec<_> = moved.map(|field| changed(FieldAction::Updated, field)).collect();
    ctx.emit(&mut tx, caller, &events).await?;
    tx.commit(()).await?;
    Ok(ordered)
}

/// Holds the definitions of a kind until the transaction ends, and reads them.
async fn alone_in(tx: &mut Tx, caller: &Caller, kind: RecordKind) -> Result<Vec<CustomField>> {
    locks::hold_named_in(tx, &lock_name(caller.workspace, kind)).await?;
    definitions_now(tx, caller.workspace, kind).await
}

/// The same by one of the definitions, which is returned.
async fn locked(tx: &mut Tx, caller: &Caller, id: CustomFieldId) -> Result<CustomField> {
    let gone = || Error::NotFound("Custom field");
    let found = queries::find(tx.connection(), caller.workspace, id).await?.ok_or_else(gone)?;
    let known = alone_in(tx, caller, found.kind).await?;
    known.into_iter().find(|field| field.id == id).ok_or_else(gone)
}

async fn again(tx: &mut Tx, caller: &Caller, id: CustomFieldId, job: Option<JobId>) -> Result<Outcome> {
    let field = queries::find(tx.connection(), caller.workspace, id).await?;
    Ok(Outcome { field: field.ok_or(Error::NotFound("Custom field"))?, job })
}

fn described(fields: &mut FieldErrors, description: Option<&str>) -> Option<String> {
    fields.take("description", text::clean(description.unwrap_or_default(), DESCRIPTION)).flatten()
}

fn cleaned_choices(fields: &mut FieldErrors, choices: Vec<String>) -> Vec<String> {
    let mut cleaned = Vec::with_capacity(choices.len().min(MOST_CHOICES));
    let mut known = HashSet::new();
    for choice in &choices {
        match text::clean(choice, CHOICE_LENGTH) {
            Err(message) => fields.add("choices", format!("has one that {message}")),
            Ok(None) => fields.add("choices", "has an empty one"),
            Ok(Some(choice)) if !known.insert(choice.to_lowercase()) => {
                fields.add("choices", format!("has {choice} twice"));
            }
            Ok(Some(choice)) => cleaned.push(choice),
        }
    }
    if cleaned.len() > MOST_CHOICES {
        fields.add("choices", format!("must be at most {MOST_CHOICES}"));
    }
    cleaned
}

/// Rules over more than one part of a definition.
fn check_whole(errors: &mut FieldErrors, field: &CustomField) {
    match (field.field_type.has_choices(), field.choices.is_empty()) {
        (true, true) => errors.add("choices", "are needed"),
        (false, false) => errors.add("choices", "are for fields of the types CHOICE and MULTI_CHOICE"),
        _ => {}
    }
    match (field.field_type, field.record_kind) {
        (CustomType::Record, None) => errors.add("recordKind", "is needed"),
        (CustomType::Record, Some(_)) | (_, None) => {}
        (_, Some(_)) => errors.add("recordKind", "is for fields of the type RECORD"),
    }
    if field.is_indexed && !field.field_type.can_be_indexed() {
        errors.add("isIndexed", "is not for fields that hold several choices");
    }
    if field.is_unique && !field.field_type.can_be_unique() {
        errors.add("isUnique", "is not for fields of this type");
    }
}

/// Whether records have values under the key already; refused where one does not fit.
async fn require_fitting(tx: &mut Tx, caller: &Caller, field: &CustomField) -> Result<bool> {
    tx.limit_statements(LOOKING_THROUGH).await?;
    let most = MOST_HELD as i64 + 1;
    let held = queries::held_values(tx.connection(), caller.workspace, field.kind, &field.key, most).await?;
    if held.is_empty() {
        return Ok(false);
    }
    if held.len() > MOST_HELD {
        let message = format!("is used by records with more than {MOST_HELD} different values; take another key");
        return Err(unfit(message, Vec::new()));
    }
    let fits =
        |value: &Option<Json>| value.as_ref().is_some_and(|value| field.parse(value).is_ok_and(|kept| kept == *value));
    let wrong: Vec<_> = held.iter().filter(|value| !fits(value)).collect();
    if !wrong.is_empty() {
        let count = wrong.len();
        let message = format!("is used by records with values that do not fit the type ({count} of {})", held.len());
        return Err(unfit(message, wrong.into_iter().flatten().take(EXAMPLES).cloned().collect()));
    }
    if field.is_unique {
        require_unique(tx, caller, field).await?;
    }
    Ok(true)
}

fn unfit(message: String, examples: Vec<Json>) -> Error {
    let mut fields = FieldErrors::new();
    fields.add("key", message);
    Error::Conflict(Conflict {
        message: fields.to_string().into(),
        fields,
        details: Some(json!({ "examples": examples })),
    })
}

async fn require_unique(tx: &mut Tx, caller: &Caller, field: &CustomField) -> Result<()> {
    tx.limit_statements(LOOKING_THROUGH).await?;
    let several = queries::collisions(tx.connection(), caller.workspace, field.kind, &field.key).await?;
    if several == 0 {
        return Ok(());
    }
    let mut fields = FieldErrors::new();
    let values = if several == 1 { "1 value is" } else { &format!("{several} values are") };
    fields.add("isUnique", format!("cannot be: {values} in more than one record"));
    Err(Error::Conflict(Conflict {
        message: fields.to_string().into(),
        fields,
        details: Some(json!({ "collisions": several })),
    }))
}

/// Refuses to take choices away that records have.
async fn require_unchosen(tx: &mut Tx, caller: &Caller, before: &CustomField, after: &CustomField) -> Result<()> {
    let removed = before.choices.iter().filter(|choice| !after.choices.contains(choice));
    let removed: Vec<_> = removed.map(String::as_str).collect();
    if removed.is_empty() {
        return Ok(());
    }
    tx.limit_statements(LOOKING_THROUGH).await?;
    let records = queries::choosing(tx.connection(), caller.workspace, before, &removed).await?;
    if records == 0 {
        return Ok(());
    }
    let mut fields = FieldErrors::new();
    fields.add("choices", format!("lack what {records} records have; send force to remove it all the same"));
    Err(Error::Conflict(Conflict {
        message: fields.to_string().into(),
        fields,
        details: Some(json!({ "removed": removed, "records": records })),
    }))
}

/// Refuses to take choices away that criteria of lists name: those lists could not be answered any more.
async fn require_unasked(tx: &mut Tx, caller: &Caller, before: &CustomField, after: &CustomField) -> Result<()> {
    if before.choices.iter().all(|choice| after.choices.contains(choice)) {
        return Ok(());
    }
    let mut lists = lists_naming(tx, caller, before).await?;
    let known = Known::load(tx.connection(), caller.workspace).await?;
    let left = known.with_choices(before.id.0, &after.choices);
    let can_be_asked = |list: &queries::ListUse, known: &Known| {
        Criteria::read(&list.criteria).is_ok_and(|node| Criteria::check(RecordKind::Contact, &node, known).is_ok())
    };
    // what is broken already gets no worse
    lists.retain(|list| can_be_asked(list, &known) && !can_be_asked(list, &left));
    if lists.is_empty() { Ok(()) } else { Err(in_use(&lists, "a choice that goes", "remove it")) }
}

/// Makes the rows of the field what its definition says. Where values must be unique from now on, at
/// once: a later row could collide with one that was written meanwhile. Else by a job.
async fn filled_in(
    ctx: &Ctx,
    tx: &mut Tx,
    caller: &Caller,
    field: &CustomField,
    at_once: bool,
) -> Result<Option<JobId>> {
    if at_once {
        tx.limit_statements(LOOKING_THROUGH).await?;
        queries::fill(tx.connection(), caller.workspace, field, Uuid::nil(), None).await?;
        queries::set_filling(tx.connection(), caller.workspace, field.id, None).await?;
        return Ok(None);
    }
    let job = enqueued_in(ctx, tx, caller, &FillCustomField { kind: field.kind, field: field.id }).await?;
    queries::set_filling(tx.connection(), caller.workspace, field.id, job).await?;
    Ok(job)
}

async fn enqueued_in<J: Job<Ctx>>(ctx: &Ctx, tx: &mut Tx, caller: &Caller, job: &J) -> Result<Option<JobId>> {
    let about = Enqueued { workspace: Some(caller.workspace), created_by: Some(caller.user), ..Enqueued::default() };
    enqueue::<Ctx, J>(tx, ctx.clock.now(), job, about).await
}

/// The audit entry and the event of a change.
async fn finish_in(
    ctx: &Ctx,
    tx: &mut Tx,
    caller: &Caller,
    action: FieldAction,
    field: &CustomField,
    details: Json,
) -> Result<()> {
    let entry = audit::Entry::new(action.name(), "custom_field", field.id).with(details);
    audit::record_in(ctx, tx, caller, entry).await?;
    ctx.emit(tx, caller, &[changed(action, field)]).await
}

/// For the audit log: the parts that are different, before and after.
fn differences(before: &CustomField, after: &CustomField) -> Json {
    let part = |name: &str, old: Json, new: Json| (old != new).then(|| (name.to_owned(), json!([old, new])));
    let parts = [
        part("label", json!(before.label), json!(after.label)),
        part("description", json!(before.description), json!(after.description)),
        part("choices", json!(before.choices), json!(after.choices)),
        part("isRequired", json!(before.is_required), json!(after.is_required)),
        part("isUnique", json!(before.is_unique), json!(after.is_unique)),
        part("isIndexed", json!(before.is_indexed), json!(after.is_indexed)),
    ];
    Json::Object(parts.into_iter().flatten().collect())
}

/// Lists whose criteria ask this very field, not another kind's of the same key.
async fn lists_naming(tx: &mut Tx, caller: &Caller, field: &CustomField) -> Result<Vec<queries::ListUse>> {
    let mut lists = queries::lists_naming(tx.connection(), caller.workspace, caller.user, &field.key).await?;
    if lists.is_empty() {
        return Ok(lists);
    }
    let known = Known::load(tx.connection(), caller.workspace).await?;
    let name = format!("custom.{}", field.key);
    lists.retain(|list| {
        let checked =
            Criteria::read(&list.criteria).and_then(|node| Criteria::check(RecordKind::Contact, &node, &known));
        // criteria that are broken by something else may mean it
        checked.map_or(true, |criteria| criteria.reads().names(field.kind, &name))
    });
    Ok(lists)
}

/// Names the lists that the caller sees, and counts the others.
fn in_use(lists: &[queries::ListUse], what: &str, forced: &str) -> Error {
    let seen: Vec<_> = lists.iter().filter(|list| list.is_visible).collect();
    let mut names: Vec<_> = seen.iter().take(5).map(|list| list.name.clone()).collect();
    let more = lists.len() - names.len();
    match (names.is_empty(), more) {
        (_, 0) => {}
        (true, _) => names.push(format!("{more} that you do not see")),
        (false, _) => names.push(format!("and {more} more")),
    }
    let used: Vec<_> =
        seen.iter().map(|list| json!({ "type": "contact_list", "id": list.id, "name": list.name })).collect();
    Error::Conflict(Conflict {
        message: format!(
            "The criteria of these lists name {what}: {}; send force to {forced} all the same",
            names.join(", ")
        )
        .into(),
        details: Some(json!({ "usedBy": used, "uses": lists.len() })),
        ..Conflict::default()
    })
}
