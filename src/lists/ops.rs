//! The verbs of lists: create, update, delete, share, refresh, make a snapshot; one list, pages of
//! them. Each change is one transaction with its event.

use std::time::Duration;

use chrono::{DateTime, Datelike, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    access, events,
    freeze::{self, freeze_in},
    jobs::PurgeList,
    kept,
    model::{ContactList, ListFilter, ListPlace, ListType, ListUse, Settings, Share, Sharing, Source},
    queries::{
        beside,
        lists::{self, NewRow},
    },
    room, segment,
    steps::{self, By},
};
use crate::{
    auth::{Caller, Permission},
    base::{
        Error, FieldErrors, Result,
        error::Conflict,
        ids::{ContactListId, ListFolderId},
        page::{PageArgs, Slice},
        text,
    },
    crm::record::{Field, FieldType, Raw, Value},
    ctx::Ctx,
    db::Tx,
    jobs::{Enqueued, enqueue},
    team::{
        audit,
        repeat::{self, Once, Turn},
    },
};

/// Blue, as the earlier server's lists are.
pub const COLOR: &str = "#3B82F6";
/// Longest name of an icon, in characters.
const ICON: usize = 60;
/// Most people and teams that a list is shared with by name.
const SHARES: usize = 200;
/// Longest fragment that is searched for, in characters.
const SEARCH: usize = 200;

const TAGS: Field = Field { name: "tags", column: "tags", rest: "tags", field_type: FieldType::Tags };

/// A list about to be made.
#[derive(Debug, Clone, Default)]
pub struct NewList {
    pub name: String,
    /// Dynamic where there are criteria, else static, unless given.
    pub list_type: Option<ListType>,
    /// What else is set.
    pub patch: ListPatch,
}

/// A change; what is `None` stays as it is, `Some(None)` clears.
#[derive(Debug, Clone, Default)]
pub struct ListPatch {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    /// A dynamic list's.
    pub criteria: Option<Json>,
    pub color: Option<Option<String>>,
    pub icon: Option<Option<String>>,
    pub tags: Option<Vec<String>>,
    pub folder: Option<Option<ListFolderId>>,
    pub sharing: Option<Sharing>,
    pub freeze_at: Option<Option<DateTime<Utc>>>,
    /// The caller's own.
    pub favorite: Option<bool>,
    /// A static list's: all of them. Left out where it has more members than one call may name.
    pub contacts: Option<Vec<Uuid>>,
}

/// One list that the caller sees.
pub async fn get(ctx: &Ctx, caller: &Caller, id: ContactListId) -> Result<ContactList> {
    caller.require(Permission::ListsRead)?;
    let mut tx = ctx.db.read(caller).await?;
    access::visible_in(&mut tx, caller, id).await
}

/// The lists that the caller sees: favourites first, then the newest change.
pub async fn page(ctx: &Ctx, caller: &Caller, filter: &ListFilter, args: PageArgs) -> Result<Slice<ContactList>> {
    caller.require(Permission::ListsRead)?;
    let request = args.parse::<ListPlace>()?;
    // what the database can compare with
    request.require_cursor(|place| (1..=9999).contains(&place.1.year()))?;
    let filter = checked_filter(filter)?;
    let mut tx = ctx.db.read(caller).await?;
    let rows = lists::page(tx.connection(), caller.workspace, caller.user, &filter, &request).await?;
    Ok(request.slice(rows))
}

/// How many [`page`] shows in all.
pub async fn count(ctx: &Ctx, caller: &Caller, filter: &ListFilter) -> Result<i64> {
    caller.require(Permission::ListsRead)?;
    let filter = checked_filter(filter)?;
    let mut tx = ctx.db.read(caller).await?;
    lists::count(tx.connection(), caller.workspace, caller.user, &filter).await
}

fn checked_filter(filter: &ListFilter) -> Result<ListFilter> {
    let search = filter.search.as_deref().map(|search| text::clean(search, SEARCH)).transpose();
    let search = search.map_err(|message| Error::invalid("search", message))?.flatten();
    let tag = filter.tag.as_deref().map(|tag| text::clean(tag, text::SHORT)).transpose();
    let tag = tag.map_err(|message| Error::invalid("tag", message))?.flatten();
    Ok(ListFilter { search: search.map(|search| text::like_anywhere(&search)), tag, ..filter.clone() })
}

pub async fn create(ctx: &Ctx, caller: &Caller, new: NewList) -> Result<ContactList> {
    caller.require(Permission::ListsWrite)?;
    if let Some((id, mut tx)) = repeat::earlier(ctx, caller).await? {
        return access::visible_in(&mut tx, caller, id).await;
    }
    let list_type = new.list_type.unwrap_or(match new.patch.criteria {
        Some(_) => ListType::Dynamic,
        None => ListType::Static,
    });
    let empty = Settings {
        name: String::new(),
        description: None,
        list_type,
        criteria: (list_type == ListType::Dynamic).then(|| json!({})),
        color: COLOR.to_owned(),
        icon: None,
        tags: Vec::new(),
        folder_id: None,
        sharing: Sharing::Private,
        freeze_at: None,
    };
    let patch = ListPatch { name: Some(new.name), ..new.patch };
    let mut settings = patch.apply(ctx, &empty)?;
    if list_type == ListType::Dynamic && patch.criteria.is_none() {
        return Err(Error::invalid("criteria", "are needed for a dynamic list; {} matches every contact"));
    }
    let contacts = checked_contacts(ctx, list_type, patch.contacts.as_deref())?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => return access::visible_in(&mut tx, caller, id).await,
    };
    if let Some(criteria) = &settings.criteria {
        settings.criteria = Some(segment::check(&mut tx, caller, None, criteria).await?);
    }
    let by = By::caller(ctx, caller);
    let id = ContactListId::new();
    insert_in(ctx, &mut tx, caller, id, &settings).await?;
    if settings.sharing != Sharing::Private {
        note_shared_in(ctx, &mut tx, caller, id, settings.sharing, None).await?;
    }
    ctx.emit(&mut tx, caller, &[events::created(id, 0)]).await?;
    if let Some(contacts) = contacts {
        steps::add_in(&mut tx, &by, id, contacts, Source::Manual).await?;
    }
    if patch.favorite == Some(true) {
        lists::set_favorite(tx.connection(), caller.workspace, caller.user, id, true).await?;
    }
    answer(tx, caller, id).await
}

/// Changes a list. One that changes nothing writes nothing; liking it and not liking it any more is
/// everybody's who sees it, sharing it with all its maker's.
pub async fn update(ctx: &Ctx, caller: &Caller, id: ContactListId, patch: ListPatch) -> Result<ContactList> {
    caller.require(Permission::ListsWrite)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => return access::visible_in(&mut tx, caller, id).await,
    };
    let present = access::lock_in(&mut tx, caller, id).await?;
    let by = By::caller(ctx, caller);
    let before = present.settings();
    let mut after = patch.apply(ctx, &before)?;
    if before.sharing != after.sharing {
        access::require_own(caller, &present)?;
    }
    if let (Some(criteria), true) = (&after.criteria, before.criteria != after.criteria) {
        // in the form that is kept, so that what is sent back as it was shown is no change
        after.criteria = Some(segment::check(&mut tx, caller, Some(&present), criteria).await?);
    }
    let mut changed = before.changed(&after);
    if !changed.is_empty() {
        access::require_edit(caller, &present)?;
        lists::update(tx.connection(), caller.workspace, id, &after, by.at).await?;
    }
    if before.sharing != after.sharing {
        note_shared_in(ctx, &mut tx, caller, id, after.sharing, None).await?;
    }
    if before.criteria != after.criteria {
        build_in(ctx, &mut tx, caller, id, present.version + 1).await?;
    }
    let named = patch.contacts.as_deref().filter(|_| names_all(ctx, &present));
    if let Some(contacts) = checked_contacts(ctx, present.list_type, named)?
        && steps::set_in(&mut tx, &by, id, contacts, Source::Manual).await?
    {
        // taken back with the transaction; who sends back what they have read changes nothing
        access::require_edit(caller, &present)?;
        lists::touch(tx.connection(), caller.workspace, id, by.at).await?;
        changed.push("contacts");
    }
    if let Some(favorite) = patch.favorite {
        lists::set_favorite(tx.connection(), caller.workspace, caller.user, id, favorite).await?;
    }
    if !changed.is_empty() {
        ctx.emit(&mut tx, caller, &[events::updated(id, &changed)]).await?;
    }
    answer(tx, caller, id).await
}

/// Whether a client who has read the list has seen all of its members.
fn names_all(ctx: &Ctx, list: &ContactList) -> bool {
    list.list_type == ListType::Static
        && usize::try_from(list.member_count).is_ok_and(|count| count <= ctx.limits.list_ids)
}

/// Decides with whom a list is shared by name, besides what everybody may do with it. Its maker's.
pub async fn share(
    ctx: &Ctx,
    caller: &Caller,
    id: ContactListId,
    level: Option<Sharing>,
    shares: Option<Vec<Share>>,
) -> Result<ContactList> {
    caller.require(Permission::ListsWrite)?;
    if let Some(shares) = &shares {
        if shares.len() > SHARES {
            return Err(Error::invalid("shares", format!("must be at most {SHARES}")));
        }
        if shares.iter().any(|share| share.user_id.is_some() == share.team_id.is_some()) {
            return Err(Error::invalid("shares", "must each name a user or a team"));
        }
    }
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => return access::visible_in(&mut tx, caller, id).await,
    };
    let present = access::lock_in(&mut tx, caller, id).await?;
    access::require_own(caller, &present)?;
    let by = By::caller(ctx, caller);
    if let Some(shares) = &shares {
        beside::replace_shares(tx.connection(), caller.workspace, id, shares).await?;
    }
    let mut after = present.settings();
    after.sharing = level.unwrap_or(after.sharing);
    if after.sharing == present.sharing && shares.is_none() {
        return answer(tx, caller, id).await;
    }
    lists::update(tx.connection(), caller.workspace, id, &after, by.at).await?;
    note_shared_in(ctx, &mut tx, caller, id, after.sharing, shares.map(|shares| shares.len())).await?;
    ctx.emit(&mut tx, caller, &[events::updated(id, &["sharing"])]).await?;
    answer(tx, caller, id).await
}

/// Writes into the audit log with whom a list is shared from now on: what everybody may do, and with how many
/// by name where that was decided, too.
async fn note_shared_in(
    ctx: &Ctx,
    tx: &mut Once,
    caller: &Caller,
    id: ContactListId,
    level: Sharing,
    named: Option<usize>,
) -> Result<()> {
    let details = json!({ "level": level, "named": named });
    let entry = audit::Entry::new("contact_list.shared", "contact_list", id).with(details);
    audit::record_in(ctx, tx, caller, entry).await
}

/// Likes a list, or does not any more: everybody's who sees it.
pub async fn set_favorite(ctx: &Ctx, caller: &Caller, id: ContactListId, favorite: bool) -> Result<ContactList> {
    update(ctx, caller, id, ListPatch { favorite: Some(favorite), ..ListPatch::default() }).await
}

/// Deletes a list; its contacts stay. Refused where other lists' criteria name it, unless forced:
/// then those are broken and keep their last members.
pub async fn delete(ctx: &Ctx, caller: &Caller, id: ContactListId, force: bool) -> Result<()> {
    caller.require(Permission::ListsWrite)?;
    let mut tx = match repeat::begin::<ContactListId>(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(..) => return Ok(()),
    };
    if force {
        // it is going to hold several lists, as those do who move members
        kept::hold_alone_in(&mut tx, caller.workspace).await?;
    }
    let present = access::lock_in(&mut tx, caller, id).await?;
    access::require_own(caller, &present)?;
    let uses = used_by_in(&mut tx, caller, id).await?;
    if !uses.is_empty() && !force {
        return Err(in_use(&uses));
    }
    let now = ctx.clock.now();
    if !uses.is_empty() {
        let users: Vec<_> = uses.iter().map(|one| one.by_id).collect();
        kept::break_in(&mut tx, caller.workspace, now, &users, None, kept::UNSEEN).await?;
    }
    lists::delete(tx.connection(), caller.workspace, id, now).await?;
    let about = Enqueued { workspace: Some(caller.workspace), created_by: Some(caller.user), ..Enqueued::default() };
    enqueue::<Ctx, _>(&mut tx, now, &PurgeList { list: id }, about).await?;
    // who reads the audit log did not see a private list
    let details = match present.sharing {
        Sharing::Private => json!({ "force": force }),
        _ => json!({ "name": present.name, "members": present.member_count, "force": force }),
    };
    let entry = audit::Entry::new("contact_list.deleted", "contact_list", id).with(details);
    audit::record_in(ctx, &mut tx, caller, entry).await?;
    ctx.emit(&mut tx, caller, &[events::deleted(id)]).await?;
    tx.commit(id).await
}

/// Whatever would break without the list. What else comes to name lists is to be looked for here.
pub async fn used_by_in(tx: &mut Tx, caller: &Caller, id: ContactListId) -> Result<Vec<ListUse>> {
    beside::uses(tx.connection(), caller.workspace, caller.user, &[id]).await
}

fn in_use(uses: &[ListUse]) -> Error {
    let seen: Vec<_> = uses.iter().filter(|one| one.is_visible).collect();
    let names: Vec<_> = seen.iter().take(5).map(|one| one.by_name.as_str()).collect();
    let named = match (names.is_empty(), uses.len() - names.len()) {
        (true, _) => "The criteria of lists that you do not see name this one".to_owned(),
        (false, 0) => format!("The criteria of other lists name this one: {}", names.join(", ")),
        (false, more) => format!("The criteria of other lists name this one: {}, and {more} more", names.join(", ")),
    };
    let message = format!("{named}; send force to delete it all the same");
    let used = |one: &&ListUse| json!({ "type": "contact_list", "id": one.by_id, "name": one.by_name });
    let details = json!({ "usedBy": seen.iter().map(used).collect::<Vec<_>>(), "uses": uses.len() });
    Error::Conflict(Conflict { message: message.into(), details: Some(details), ..Conflict::default() })
}

/// Builds a dynamic list's membership anew.
pub async fn refresh(ctx: &Ctx, caller: &Caller, id: ContactListId) -> Result<ContactList> {
    caller.require(Permission::ListsWrite)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => return access::visible_in(&mut tx, caller, id).await,
    };
    let present = access::lock_in(&mut tx, caller, id).await?;
    if present.list_type == ListType::Static {
        return Err(Error::invalid(
            "id",
            "is of a static list, whose members are chosen; only dynamic ones are refreshed",
        ));
    }
    if !segment::is_building_in(&mut tx, caller.workspace, present.build_job_id).await? {
        build_in(ctx, &mut tx, caller, id, present.version + 1).await?;
    }
    lists::note_counted(tx.connection(), caller.workspace, id, ctx.clock.now()).await?;
    answer(tx, caller, id).await
}

/// What becomes of a list of which a snapshot is made.
#[derive(Debug, Clone)]
pub enum Snapshot {
    /// A new static list of this name, the caller's, has the same members.
    Into(String),
    /// It becomes static itself.
    InPlace,
    /// It does so then.
    At(DateTime<Utc>),
}

/// Keeps the members that a list has now, or will have at a time. The list that has them: a new one,
/// or itself.
pub async fn snapshot(ctx: &Ctx, caller: &Caller, id: ContactListId, kind: Snapshot) -> Result<ContactList> {
    caller.require(Permission::ListsWrite)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(id, mut tx) => return access::visible_in(&mut tx, caller, id).await,
    };
    let at = match kind {
        Snapshot::Into(name) => {
            let new = copy_in(ctx, &mut tx, caller, id, name).await?;
            return answer(tx, caller, new).await;
        }
        Snapshot::InPlace => None,
        Snapshot::At(at) => Some(at),
    };
    let present = access::lock_in(&mut tx, caller, id).await?;
    let by = By::caller(ctx, caller);
    access::require_edit(caller, &present)?;
    if present.list_type == ListType::Static {
        return Err(Error::invalid("id", "is of a static list already; name a new one to copy it"));
    }
    match at {
        Some(at) => {
            let patch = ListPatch { freeze_at: Some(Some(at)), ..ListPatch::default() };
            let after = patch.apply(ctx, &present.settings())?;
            lists::update(tx.connection(), caller.workspace, id, &after, by.at).await?;
            ctx.emit(&mut tx, caller, &[events::updated(id, &["freezeAt"])]).await?;
        }
        None => {
            room::require_in(ctx, &mut tx, caller, ListType::Static).await?;
            freeze_in(&mut tx, &by, id).await?;
        }
    }
    answer(tx, caller, id).await
}

/// Makes a static list with the members that another one has now. One that has very many is copied for
/// seconds: it is not locked meanwhile, for that would hold up all who move members.
async fn copy_in(ctx: &Ctx, tx: &mut Once, caller: &Caller, id: ContactListId, name: String) -> Result<ContactListId> {
    let before = access::visible_in(tx, caller, id).await?;
    let settings = Settings {
        list_type: ListType::Static,
        criteria: None,
        sharing: Sharing::Private,
        freeze_at: None,
        ..before.settings()
    };
    let settings = ListPatch { name: Some(name), ..ListPatch::default() }.apply(ctx, &settings)?;
    let new = ContactListId::new();
    insert_in(ctx, tx, caller, new, &settings).await?;
    tx.limit_statements(Duration::from_secs(ctx.limits.request_seconds)).await?;
    let copied = steps::copy_in(tx, &By::caller(ctx, caller), id, new).await?;
    // one that is being built, or was meanwhile, has members of both criteria
    let after = access::visible_in(tx, caller, id).await?;
    let is_built = after.is_built();
    if !is_built || (after.version, after.built_version) != (before.version, before.built_version) {
        return Err(freeze::unbuilt(after.broken.as_deref().filter(|_| !is_built)));
    }
    ctx.emit(tx, caller, &[events::created(new, copied)]).await?;
    Ok(new)
}

async fn insert_in(ctx: &Ctx, tx: &mut Once, caller: &Caller, id: ContactListId, settings: &Settings) -> Result<()> {
    let is_dynamic = settings.list_type == ListType::Dynamic;
    room::require_in(ctx, tx, caller, settings.list_type).await?;
    let row =
        NewRow { id, settings, built_version: i32::from(!is_dynamic), created_by: caller.user, at: ctx.clock.now() };
    lists::insert(tx.connection(), caller.workspace, row).await?;
    if is_dynamic {
        build_in(ctx, tx, caller, id, 1).await?;
    }
    Ok(())
}

async fn build_in(ctx: &Ctx, tx: &mut Once, caller: &Caller, id: ContactListId, version: i32) -> Result<()> {
    let job = segment::enqueue_build(ctx, tx, caller, id, version).await?;
    lists::begin_build(tx.connection(), caller.workspace, id, version, job).await
}

/// Ends the operation with the list as it is now.
async fn answer(mut tx: Once, caller: &Caller, id: ContactListId) -> Result<ContactList> {
    let list = access::visible_in(&mut tx, caller, id).await?;
    tx.commit(id).await?;
    Ok(list)
}

/// The contacts that are to be the members, as many as one call may name.
fn checked_contacts<'a>(ctx: &Ctx, list_type: ListType, contacts: Option<&'a [Uuid]>) -> Result<Option<&'a [Uuid]>> {
    let Some(contacts) = contacts else { return Ok(None) };
    if list_type == ListType::Dynamic && !contacts.is_empty() {
        return Err(Error::invalid(
            "contactIds",
            "cannot be given for a dynamic list: its criteria choose the contacts",
        ));
    }
    let most = ctx.limits.list_ids;
    if contacts.len() > most {
        return Err(Error::invalid("contactIds", format!("must be at most {most} (limits.list_ids)")));
    }
    Ok(Some(contacts).filter(|_| list_type == ListType::Static))
}

impl ListPatch {
    /// The settings with this change, checked; all that is wrong is told at once.
    fn apply(&self, ctx: &Ctx, before: &Settings) -> Result<Settings> {
        let (mut after, mut fields) = (before.clone(), FieldErrors::new());
        if let Some(name) = &self.name {
            after.name = text::required(&mut fields, "name", name).unwrap_or_default();
        }
        if let Some(description) = &self.description {
            after.description = cleaned(&mut fields, "description", description.as_deref(), text::LONG);
        }
        if let Some(color) = &self.color {
            after.color = fields.take("color", checked_color(color.as_deref())).unwrap_or_default();
        }
        if let Some(icon) = &self.icon {
            after.icon = cleaned(&mut fields, "icon", icon.as_deref(), ICON);
        }
        if let Some(tags) = &self.tags {
            after.tags = match fields.take("tags", TAGS.parse(Raw::Json(&json!(tags)))) {
                Some(Value::Texts(tags)) => tags,
                _ => Vec::new(),
            };
        }
        after.folder_id = self.folder.unwrap_or(after.folder_id);
        after.sharing = self.sharing.unwrap_or(after.sharing);
        let is_dynamic = after.list_type == ListType::Dynamic;
        if let Some(criteria) = &self.criteria {
            match is_dynamic {
                true => after.criteria = Some(criteria.clone()),
                false => fields.add("criteria", "belong to a dynamic list; the members of a static one are chosen"),
            }
        }
        if let Some(at) = self.freeze_at {
            match at {
                Some(_) if !is_dynamic => fields.add("freezeAt", "is for a dynamic list"),
                Some(at) if at <= ctx.clock.now() || at.year() > 9999 => fields.add("freezeAt", "must be to come"),
                at => after.freeze_at = at.map(|at| chrono::SubsecRound::trunc_subsecs(at, 6)),
            }
        }
        fields.into_result()?;
        Ok(after)
    }
}

fn cleaned(fields: &mut FieldErrors, field: &'static str, given: Option<&str>, most: usize) -> Option<String> {
    fields.take(field, text::clean(given?, most)).flatten()
}

fn checked_color(color: Option<&str>) -> Result<String, &'static str> {
    let Some(color) = color.map(str::trim) else { return Ok(COLOR.to_owned()) };
    match color.strip_prefix('#') {
        Some(digits) if digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()) => Ok(color.to_owned()),
        _ => Err("must be a colour such as #3B82F6"),
    }
}
