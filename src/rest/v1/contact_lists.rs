//! `/contact-lists`: lists of contacts, static and dynamic. The answers are bare.
//!
//! Clients send a whole list back with one thing changed, so what only repeats what was read is no
//! change: a static list's empty `criteria`, a list's own `list_type`, its `contact_ids`.

use std::collections::{HashMap, HashSet};

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    describe::words,
    envelope::{BareRefusal, Pagination, RefusalReply, millis},
    records,
    request::{Body, Parameters, PathId, Signed, nullable},
};
use crate::{
    auth::{Caller, Grant, Permission},
    base::{
        Error, Result,
        ids::ContactListId,
        page::{MAX_PAGE, PageArgs, encode},
    },
    crm::{
        Contact, RecordKind,
        criteria::{Criteria, old},
        record::{Record, ops as contacts},
    },
    ctx::Ctx,
    lists::{
        ContactList, ListFilter, ListType, Sharing,
        access::NOUN,
        members::{self, Chosen},
        model::ListPlace,
        ops::{self, ListPatch, NewList},
        segment,
    },
};

const TAG: &str = "Contact lists";

/// Contacts on a page unless the client says.
const LIMIT: i64 = 50;

pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one, update, delete))
        .routes(routes!(contacts_of, add, remove))
        .routes(routes!(refresh))
}

words!(ListTypeWord "ListType" of ListType);

/// A list of contacts.
#[derive(Serialize, ToSchema)]
#[schema(as = ContactList)]
struct ListReply {
    #[schema(value_type = Uuid)]
    id: ContactListId,
    name: String,
    #[schema(required)]
    description: Option<String>,
    #[schema(value_type = ListTypeWord)]
    list_type: &'static str,
    /// Which contacts a dynamic list has; `{}` of a static one.
    #[schema(value_type = Object)]
    criteria: Value,
    /// The members of a static list; of one with more than 10,000 the first so many. Left out where many lists
    /// have more than 100,000 together (ask for the list itself), and for a token that may not read contacts.
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_ids: Option<Vec<Uuid>>,
    /// `#RRGGBB`
    color: String,
    #[schema(required)]
    icon: Option<String>,
    /// Whether it is among your favourites.
    is_favorite: bool,
    /// Whether everybody in the workspace sees it.
    is_shared: bool,
    #[schema(value_type = Uuid)]
    created_by: String,
    /// Exact.
    contact_count: i64,
    /// The time of the count.
    #[schema(format = DateTime)]
    last_updated_count: String,
    tags: Vec<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// In the old form where that says all of it.
fn printed_criteria(kept: &Value) -> Value {
    match Criteria::read(kept) {
        Ok(node) => old::print(RecordKind::Contact, &node),
        Err(_) => kept.clone(),
    }
}

impl ListReply {
    fn new(list: ContactList, contact_ids: Option<Vec<Uuid>>) -> Self {
        Self {
            id: list.id,
            name: list.name,
            description: list.description,
            list_type: list.list_type.as_str(),
            criteria: list.criteria.map_or_else(|| json!({}), |kept| printed_criteria(&kept)),
            contact_ids,
            color: list.color,
            icon: list.icon,
            is_favorite: list.is_favorite,
            is_shared: list.sharing != Sharing::Private,
            created_by: list.created_by.to_string(),
            contact_count: list.member_count,
            last_updated_count: millis(list.counted_at),
            tags: list.tags,
            created_at: millis(list.created_at),
            updated_at: millis(list.updated_at),
        }
    }
}

/// What is absent stays as it is, or in a new list is as usual; null clears.
#[derive(Deserialize, ToSchema)]
#[schema(as = ContactListBody)]
struct ListBody {
    /// Needed for a new list.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// `static` unless given; cannot be changed.
    #[schema(value_type = Option<ListTypeWord>)]
    list_type: Option<String>,
    /// Which contacts a dynamic list has; `{}` matches all. Null is as if it were absent, so that nothing of a
    /// list is lost by a field that a client does not know.
    #[schema(value_type = Option<Object>)]
    criteria: Option<Value>,
    /// All members of a static list; null is as if it were absent. Ignored where it has more than 10,000.
    #[schema(value_type = Option<Vec<Uuid>>)]
    contact_ids: Option<Value>,
    /// `#RRGGBB`
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    color: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    icon: Option<Option<String>>,
    /// Yours alone; anybody may who sees the list.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<bool>)]
    is_favorite: Option<Option<bool>>,
    /// Whether everybody in the workspace sees it.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<bool>)]
    is_shared: Option<Option<bool>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Vec<String>>)]
    tags: Option<Option<Vec<String>>>,
}

impl ListBody {
    fn list_type(&self) -> Result<Option<ListType>> {
        let list_type = self.list_type.as_deref().map(ListType::parse).transpose();
        list_type.map_err(|message| Error::invalid("listType", message))
    }

    /// What it sets of a list of this type. Whether it is shared is said more finely elsewhere, and
    /// kept where it says the same.
    fn patch(self, list_type: ListType, sharing: Sharing) -> Result<ListPatch> {
        let is_empty = self.criteria.as_ref().is_none_or(|given| given.is_null() || *given == json!({}));
        let sharing = match self.is_shared.map(Option::unwrap_or_default) {
            Some(true) if sharing == Sharing::Private => Some(Sharing::View),
            Some(false) => Some(Sharing::Private),
            _ => None,
        };
        Ok(ListPatch {
            name: self.name.map(Option::unwrap_or_default),
            description: self.description,
            criteria: self.criteria.filter(|given| !(given.is_null() || is_empty && list_type == ListType::Static)),
            color: self.color,
            icon: self.icon,
            tags: self.tags.map(Option::unwrap_or_default),
            sharing,
            favorite: self.is_favorite.map(Option::unwrap_or_default),
            contacts: self.contact_ids.filter(|given| !given.is_null()).map(|given| ids(Some(given))).transpose()?,
            ..ListPatch::default()
        })
    }
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ListMembersBody)]
struct MembersBody {
    /// At most 10,000.
    #[schema(value_type = Vec<Uuid>)]
    contact_ids: Option<Value>,
}

/// Contacts of a list.
#[derive(Serialize, ToSchema)]
#[schema(as = ListContacts)]
struct ContactsReply {
    /// As `/contacts` has them.
    #[schema(value_type = Vec<Object>)]
    contacts: Vec<Value>,
    pagination: Pagination,
}

/// Done, and nothing to show.
#[derive(Serialize, ToSchema)]
#[schema(as = Message)]
struct MessageReply {
    message: &'static str,
}

/// What an array of ids means.
fn ids(given: Option<Value>) -> Result<Vec<Uuid>> {
    let wrong = || Error::invalid("contactIds", "must be an array of the ids of contacts");
    let Some(Value::Array(given)) = given else { return Err(wrong()) };
    let id = |one: &Value| one.as_str().and_then(|text| Uuid::try_parse(text).ok()).ok_or_else(wrong);
    given.iter().map(id).collect()
}

/// `true` or `false`.
fn flag(query: &Parameters<BareRefusal>, name: &'static str) -> Result<Option<bool>> {
    match query.get(name)?.map(str::trim) {
        None | Some("") => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Error::invalid(name, "must be true or false")),
    }
}

/// Your lists and those that are shared with you
///
/// Favourites first, then the newest change.
#[utoipa::path(
    get, path = "/contact-lists", tag = TAG, operation_id = "list_contact_lists",
    params(
        ("type" = Option<ListTypeWord>, Query, description = "Only those of this type"),
        ("is_favorite" = Option<bool>, Query, description = "Only your favourites, or only the others"),
        ("search" = Option<String>, Query, description = "A fragment of the name or the description"),
    ),
    responses((status = 200, description = "The lists", body = Vec<ListReply>))
)]
async fn list(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    query: Parameters<BareRefusal>,
) -> Result<Json<Vec<ListReply>>, BareRefusal> {
    let list_type = query.get("type")?.filter(|word| !word.is_empty()).map(ListType::parse);
    let filter = ListFilter {
        list_type: list_type.transpose().map_err(|message| Error::invalid("type", message))?,
        favorite: flag(&query, "is_favorite")?,
        search: query.get("search")?.map(ToOwned::to_owned),
        ..ListFilter::default()
    };
    let mut lists: Vec<ContactList> = Vec::new();
    loop {
        let after = lists.last().map(|last| encode(&ListPlace::from(last)));
        let args = PageArgs { first: i32::try_from(MAX_PAGE).ok(), after, ..PageArgs::default() };
        let page = ops::page(&ctx, &caller, &filter, args).await?;
        lists.extend(page.rows);
        if !page.has_next {
            break;
        }
    }
    Ok(Json(replies(&ctx, &caller, lists).await?))
}

/// One list
#[utoipa::path(
    get, path = "/contact-lists/{id}", tag = TAG, operation_id = "get_contact_list",
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The list", body = ListReply))
)]
async fn one(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    id: PathId,
) -> Result<Json<ListReply>, BareRefusal> {
    let list = ops::get(&ctx, &caller, id.of(NOUN)?).await?;
    Ok(Json(counted(&ctx, &caller, list).await?))
}

/// Make a list
#[utoipa::path(
    post, path = "/contact-lists", tag = TAG, operation_id = "create_contact_list", request_body = ListBody,
    responses((status = 201, description = "The new list", body = ListReply),
        (status = 403, description = "Your role does not allow it", body = RefusalReply))
)]
async fn create(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    Body { content, .. }: Body<ListBody, BareRefusal>,
) -> Result<(StatusCode, Json<ListReply>), BareRefusal> {
    let list_type = content.list_type()?.unwrap_or(ListType::Static);
    let mut patch = content.patch(list_type, Sharing::Private)?;
    if list_type == ListType::Dynamic {
        patch.criteria.get_or_insert_with(|| json!({}));
    }
    let new = NewList { name: patch.name.clone().unwrap_or_default(), list_type: Some(list_type), patch };
    let list = ops::create(&ctx, &caller, new).await?;
    Ok((StatusCode::CREATED, Json(counted(&ctx, &caller, list).await?)))
}

/// Change a list
///
/// `{"is_favorite": true}` alone is the common call, and everybody's who sees the list.
#[utoipa::path(
    put, path = "/contact-lists/{id}", tag = TAG, operation_id = "update_contact_list", request_body = ListBody,
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The list as it is now", body = ListReply),
        (status = 403, description = "It is shared with you to be seen only", body = RefusalReply))
)]
async fn update(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    id: PathId,
    Body { content, .. }: Body<ListBody, BareRefusal>,
) -> Result<Json<ListReply>, BareRefusal> {
    let id = id.of(NOUN)?;
    let present = ops::get(&ctx, &caller, id).await?;
    if content.list_type()?.is_some_and(|given| given != present.list_type) {
        return Err(Error::invalid("listType", "cannot be changed; make a snapshot of a dynamic list").into());
    }
    let mut patch = content.patch(present.list_type, present.sharing)?;
    // what is only said again need not be answerable any more
    patch.criteria =
        patch.criteria.filter(|given| Some(given) != present.criteria.as_ref().map(printed_criteria).as_ref());
    let list = ops::update(&ctx, &caller, id, patch).await?;
    Ok(Json(counted(&ctx, &caller, list).await?))
}

/// Delete a list
///
/// Its contacts stay.
#[utoipa::path(
    delete, path = "/contact-lists/{id}", tag = TAG, operation_id = "delete_contact_list",
    params(
        ("id" = Uuid, Path),
        ("force" = Option<bool>, Query, description = "Also where the criteria of other lists name it"),
    ),
    responses((status = 200, description = "Deleted", body = MessageReply),
        (status = 403, description = "It is not yours, and you are no admin", body = RefusalReply),
        (status = 409, description = "The criteria of other lists name it", body = RefusalReply))
)]
async fn delete(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    id: PathId,
    query: Parameters<BareRefusal>,
) -> Result<Json<MessageReply>, BareRefusal> {
    let force = flag(&query, "force")?.unwrap_or_default();
    ops::delete(&ctx, &caller, id.of(NOUN)?, force).await?;
    Ok(Json(MessageReply { message: "The list is deleted" }))
}

/// The contacts of a list
///
/// The newest contact first.
#[utoipa::path(
    get, path = "/contact-lists/{id}/contacts", tag = TAG, operation_id = "get_list_contacts",
    params(
        ("id" = Uuid, Path),
        ("page" = Option<i64>, Query, description = "Counts from 1", minimum = 1),
        ("limit" = Option<i64>, Query, description = "50 unless given; at most 1000", minimum = 1),
    ),
    responses((status = 200, description = "A page of contacts", body = ContactsReply))
)]
async fn contacts_of(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    id: PathId,
    query: Parameters<BareRefusal>,
) -> Result<Json<ContactsReply>, BareRefusal> {
    let numbers = query.numbers(LIMIT)?;
    let (ids, total) = members::numbered(&ctx, &caller, id.of(NOUN)?, numbers.offset(), numbers.limit).await?;
    let rows = match ids.is_empty() {
        true => Vec::new(),
        false => contacts::by_ids::<Contact>(&ctx, &caller, &ids).await?,
    };
    let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.meta().id, row)).collect();
    let rows: Vec<_> = ids.iter().filter_map(|id| rows.remove(id)).collect();
    let contacts = records::print(&ctx, &caller, &rows).await?;
    Ok(Json(ContactsReply { contacts, pagination: numbers.of(total) }))
}

/// Add contacts to a static list
///
/// Ids that are in it already are no error.
#[utoipa::path(
    post, path = "/contact-lists/{id}/contacts", tag = TAG, operation_id = "add_list_contacts",
    request_body = MembersBody, params(("id" = Uuid, Path)),
    responses((status = 200, description = "The list as it is now", body = ListReply),
        (status = 403, description = "It is shared with you to be seen only", body = RefusalReply))
)]
async fn add(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    id: PathId,
    Body { content, .. }: Body<MembersBody, BareRefusal>,
) -> Result<Json<ListReply>, BareRefusal> {
    let (id, chosen) = (id.of(NOUN)?, Chosen::Contacts(ids(content.contact_ids)?));
    let (list, _) = members::add(&ctx, &caller, id, chosen).await?;
    Ok(Json(reply(&ctx, &caller, list).await?))
}

/// Remove contacts from a static list
#[utoipa::path(
    delete, path = "/contact-lists/{id}/contacts", tag = TAG, operation_id = "remove_list_contacts",
    request_body = MembersBody, params(("id" = Uuid, Path)),
    responses((status = 200, description = "The list as it is now", body = ListReply),
        (status = 403, description = "It is shared with you to be seen only", body = RefusalReply))
)]
async fn remove(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    id: PathId,
    Body { content, .. }: Body<MembersBody, BareRefusal>,
) -> Result<Json<ListReply>, BareRefusal> {
    let (id, chosen) = (id.of(NOUN)?, Chosen::Contacts(ids(content.contact_ids)?));
    let (list, _) = members::remove(&ctx, &caller, id, chosen).await?;
    Ok(Json(reply(&ctx, &caller, list).await?))
}

/// Look for the contacts of a dynamic list anew
#[utoipa::path(
    post, path = "/contact-lists/{id}/refresh", tag = TAG, operation_id = "refresh_contact_list",
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The list with a fresh count", body = ListReply),
        (status = 400, description = "It is a static list", body = RefusalReply))
)]
async fn refresh(
    State(ctx): State<Ctx>,
    Signed { caller, .. }: Signed,
    id: PathId,
) -> Result<Json<ListReply>, BareRefusal> {
    let list = ops::refresh(&ctx, &caller, id.of(NOUN)?).await?;
    Ok(Json(counted(&ctx, &caller, list).await?))
}

/// The same for a list whose criteria are new or looked at anew. Clients know of no members that are still
/// being made: to them the count is that of the criteria.
async fn counted(ctx: &Ctx, caller: &Caller, mut list: ContactList) -> Result<ListReply> {
    list.member_count = segment::expected(ctx, caller, &list).await?.unwrap_or(list.member_count);
    reply(ctx, caller, list).await
}

async fn reply(ctx: &Ctx, caller: &Caller, list: ContactList) -> Result<ListReply> {
    replies(ctx, caller, vec![list]).await?.pop().ok_or(Error::NotFound(NOUN))
}

/// The lists as these routes print them; one more statement for the members of static ones, as far as there
/// is room for them.
async fn replies(ctx: &Ctx, caller: &Caller, lists: Vec<ContactList>) -> Result<Vec<ListReply>> {
    let may_read = caller.grant(Permission::ContactsRead) != Grant::No;
    let most = i64::try_from(ctx.limits.list_ids).map_err(Error::internal)?;
    let mut room = i64::try_from(ctx.limits.lists_ids.max(ctx.limits.list_ids)).map_err(Error::internal)?;
    let (mut of_static, mut left_out) = (Vec::new(), HashSet::new());
    for list in lists.iter().filter(|list| list.list_type == ListType::Static && list.member_count > 0) {
        let shown = list.member_count.min(most);
        if may_read && shown <= room {
            room -= shown;
            of_static.push(list.id);
        } else {
            // none, and not an empty array: whoever sends that back would empty the list
            left_out.insert(list.id);
        }
    }
    let mut ids: HashMap<ContactListId, Vec<Uuid>> = HashMap::new();
    if !of_static.is_empty() {
        for member in members::first(ctx, caller, &of_static, most).await? {
            ids.entry(member.list_id).or_default().push(member.record_id);
        }
    }
    let reply = |list: ContactList| {
        let members = (!left_out.contains(&list.id)).then(|| ids.remove(&list.id).unwrap_or_default());
        ListReply::new(list, members)
    };
    Ok(lists.into_iter().map(reply).collect())
}
