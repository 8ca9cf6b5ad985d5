//! Lists of contacts: queries and mutations. (Their live changes are in `list_changes`.)

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{
    context::{Repeatable, both, once},
    errors::{Nullable, found, nullable, parse_id},
    objects::{
        criteria::RecordCriteria,
        list::{ContactListConnection, ContactListObject, ListFolderObject},
    },
};
use crate::{
    base::{
        Error, Result,
        ids::{ContactListId, ListFolderId, UserId},
        page::{self as cursors, PageArgs},
    },
    crm::matching::ARGUMENT,
    id_input,
    lists::{
        ListFilter, ListType, Sharing, folders,
        members::{self, Chosen, Moved},
        model::{ListPlace, Outcome, Share},
        ops::{self, ListPatch, NewList, Snapshot},
    },
};

/// Queries about lists.
#[derive(Default)]
pub struct ListQuery;

#[Object(name = "ListQuery")]
impl ListQuery {
    /// The lists that you see: favourites first, then the newest change.
    async fn contact_lists(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] after: Option<String>,
        #[graphql(name = "type", desc = "Only those of this type.")] list_type: Option<ListType>,
        #[graphql(desc = "Only your favourites, or only the others.")] favorite: Option<bool>,
        #[graphql(desc = "A fragment of the name or the description.")] search: Option<String>,
        #[graphql(desc = "Only those in this folder.")] folder_id: Option<ID>,
        #[graphql(desc = "Only those with this tag, in whatever case.")] tag: Option<String>,
    ) -> async_graphql::Result<ContactListConnection> {
        let (ctx, caller) = both(context)?;
        let folder = folder_id.map(|id| parse_id::<ListFolderId>("folderId", &id)).transpose()?;
        let filter = ListFilter { list_type, favorite, search, folder, tag };
        let slice = ops::page(ctx, caller, &filter, PageArgs { first, after, ..PageArgs::default() }).await?;
        let edge = |list| (cursors::encode(&ListPlace::from(&list)), ContactListObject(list));
        Ok(ContactListConnection::new(slice, filter, edge))
    }

    /// One list; null where there is none, or none for you.
    async fn contact_list(&self, context: &Context<'_>, id: ID) -> Nullable<ContactListObject> {
        nullable(async {
            let (ctx, caller) = both(context)?;
            let Ok(id) = id.parse::<ContactListId>() else { return Ok(None) };
            Ok(found(ops::get(ctx, caller, id).await)?.map(ContactListObject))
        })
        .await
    }

    /// The workspace's folders of lists, by name.
    async fn list_folders(&self, context: &Context<'_>) -> async_graphql::Result<Vec<ListFolderObject>> {
        let (ctx, caller) = both(context)?;
        Ok(folders::all(ctx, caller).await?.into_iter().map(ListFolderObject::from).collect())
    }
}

#[derive(InputObject)]
#[graphql(name = "CreateContactListInput")]
pub struct CreateContactListInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    name: String,
    description: Option<String>,
    /// Dynamic where there are criteria, else static, unless given.
    list_type: Option<ListType>,
    /// A dynamic list needs them; a static one has none.
    criteria: Option<RecordCriteria>,
    /// `#RRGGBB`; blue unless given.
    color: Option<String>,
    icon: Option<String>,
    #[graphql(default)]
    tags: Vec<String>,
    folder_id: Option<ID>,
    #[graphql(default_with = "Sharing::Private")]
    sharing: Sharing,
    /// The members of a static list, at most `limits.list_ids` (10,000) of them; what is no contact is left out.
    #[graphql(default)]
    contact_ids: Vec<ID>,
    /// When a dynamic list becomes a static one.
    freeze_at: Option<DateTime<Utc>>,
}

/// Absent fields stay as they are, nulls clear.
#[derive(InputObject)]
#[graphql(name = "UpdateContactListInput")]
pub struct UpdateContactListInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    name: Option<String>,
    description: MaybeUndefined<String>,
    /// A dynamic list's.
    criteria: Option<RecordCriteria>,
    /// `#RRGGBB`
    color: MaybeUndefined<String>,
    icon: MaybeUndefined<String>,
    tags: Option<Vec<String>>,
    folder_id: MaybeUndefined<ID>,
    /// When a dynamic list becomes a static one.
    freeze_at: MaybeUndefined<DateTime<Utc>>,
}

#[derive(InputObject)]
#[graphql(name = "DeleteContactListInput")]
pub struct DeleteContactListInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    /// Deletes it also where the criteria of other lists name it, which are broken then.
    #[graphql(default)]
    force: bool,
}

/// Contacts by their ids, those of another list, or those that criteria mean: one of the three.
#[derive(InputObject)]
#[graphql(name = "ListMembersInput")]
pub struct ListMembersInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    /// The list that changes; a static one.
    id: ID,
    /// At most `limits.list_ids` (10,000).
    contact_ids: Option<Vec<ID>>,
    /// All members of this list instead.
    from_list_id: Option<ID>,
    /// All contacts that these criteria mean instead, as they do now.
    #[graphql(name = "where")]
    criteria: Option<RecordCriteria>,
}

#[derive(InputObject)]
#[graphql(name = "SnapshotContactListInput")]
pub struct SnapshotContactListInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    /// The name of a new static list that gets the same members. Without it the list becomes static
    /// itself.
    name: Option<String>,
    /// When it does so; at once unless given.
    at: Option<DateTime<Utc>>,
}

#[derive(InputObject)]
#[graphql(name = "SetListFavoriteInput")]
pub struct SetListFavoriteInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    favorite: bool,
}

/// What one person or one team may do with a list.
#[derive(InputObject)]
#[graphql(name = "ListShareInput")]
pub struct ListShareInput {
    /// Either this,
    user_id: Option<ID>,
    /// or this.
    team_id: Option<ID>,
    #[graphql(default)]
    can_edit: bool,
}

#[derive(InputObject)]
#[graphql(name = "ShareContactListInput")]
pub struct ShareContactListInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    /// What everybody in the workspace may do with it; stays as it is unless given.
    level: Option<Sharing>,
    /// In the place of all that there are; they stay unless given.
    shares: Option<Vec<ListShareInput>>,
}

#[derive(InputObject)]
#[graphql(name = "CreateListFolderInput")]
pub struct CreateListFolderInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    /// Unique in the workspace.
    name: String,
}

#[derive(InputObject)]
#[graphql(name = "RenameListFolderInput")]
pub struct RenameListFolderInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    name: String,
}

id_input!(RefreshContactListInput "RefreshContactListInput");
id_input!(DeleteListFolderInput "DeleteListFolderInput");

#[derive(SimpleObject)]
#[graphql(name = "ContactListPayload")]
pub struct ContactListPayload {
    contact_list: ContactListObject,
}

#[derive(SimpleObject)]
#[graphql(name = "DeleteContactListPayload")]
pub struct DeleteContactListPayload {
    deleted_id: ID,
}

/// What became of one contact.
#[derive(SimpleObject)]
#[graphql(name = "ListMemberResult")]
pub struct ListMemberResult {
    contact_id: ID,
    outcome: Outcome,
}

#[derive(SimpleObject)]
#[graphql(name = "ListMembersPayload")]
pub struct ListMembersPayload {
    contact_list: ContactListObject,
    /// Of each contact that was named, in that order; of another list's or by criteria, of the first 10,000 of
    /// them. Empty in the answer to a request that was sent again.
    results: Vec<ListMemberResult>,
    /// How many were added, or removed.
    changed_count: i64,
    /// How many were members already, or none.
    already_count: i64,
    /// How many do not exist.
    missing_count: i64,
}

#[derive(SimpleObject)]
#[graphql(name = "ListFolderPayload")]
pub struct ListFolderPayload {
    folder: ListFolderObject,
}

#[derive(SimpleObject)]
#[graphql(name = "DeleteListFolderPayload")]
pub struct DeleteListFolderPayload {
    deleted_id: ID,
}

/// Mutations of lists.
#[derive(Default)]
pub struct ListMutation;

#[Object(name = "ListMutation")]
impl ListMutation {
    /// Makes a list of yours.
    async fn create_contact_list(
        &self,
        context: &Context<'_>,
        input: CreateContactListInput,
    ) -> async_graphql::Result<ContactListPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let folder = input.folder_id.map(|id| parse_id::<ListFolderId>("folderId", &id)).transpose()?;
        let patch = ListPatch {
            description: input.description.map(Some),
            criteria: kept(input.criteria)?,
            color: input.color.map(Some),
            icon: input.icon.map(Some),
            tags: Some(input.tags),
            folder: folder.map(Some),
            sharing: Some(input.sharing),
            freeze_at: input.freeze_at.map(Some),
            contacts: Some(contact_ids(&input.contact_ids)?),
            ..ListPatch::default()
        };
        let new = NewList { name: input.name, list_type: input.list_type, patch };
        Ok(payload(ops::create(ctx, &caller, new).await?))
    }

    async fn update_contact_list(
        &self,
        context: &Context<'_>,
        input: UpdateContactListInput,
    ) -> async_graphql::Result<ContactListPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let folder = match input.folder_id {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(id) => Some(Some(parse_id::<ListFolderId>("folderId", &id)?)),
        };
        let patch = ListPatch {
            name: input.name,
            description: given(input.description),
            criteria: kept(input.criteria)?,
            color: given(input.color),
            icon: given(input.icon),
            tags: input.tags,
            folder,
            freeze_at: given(input.freeze_at),
            ..ListPatch::default()
        };
        Ok(payload(ops::update(ctx, &caller, parse_id("id", &input.id)?, patch).await?))
    }

    /// Deletes a list; its contacts stay. A `CONFLICT` where the criteria of other lists name it.
    async fn delete_contact_list(
        &self,
        context: &Context<'_>,
        input: DeleteContactListInput,
    ) -> async_graphql::Result<DeleteContactListPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        ops::delete(ctx, &caller, parse_id("id", &input.id)?, input.force).await?;
        Ok(DeleteContactListPayload { deleted_id: input.id })
    }

    /// Adds contacts to a static list.
    async fn add_contacts_to_list(
        &self,
        context: &Context<'_>,
        input: ListMembersInput,
    ) -> async_graphql::Result<ListMembersPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let (id, chosen) = input.chosen()?;
        Ok(moved(members::add(ctx, &caller, id, chosen).await?))
    }

    /// Removes contacts from a static list.
    async fn remove_contacts_from_list(
        &self,
        context: &Context<'_>,
        input: ListMembersInput,
    ) -> async_graphql::Result<ListMembersPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let (id, chosen) = input.chosen()?;
        Ok(moved(members::remove(ctx, &caller, id, chosen).await?))
    }

    /// Builds a dynamic list's membership anew.
    async fn refresh_contact_list(
        &self,
        context: &Context<'_>,
        input: RefreshContactListInput,
    ) -> async_graphql::Result<ContactListPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        Ok(payload(ops::refresh(ctx, &caller, parse_id("id", &input.id)?).await?))
    }

    /// Keeps the members that a list has: in a new static list, or by making it static, now or later.
    async fn snapshot_contact_list(
        &self,
        context: &Context<'_>,
        input: SnapshotContactListInput,
    ) -> async_graphql::Result<ContactListPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let kind = match (input.name, input.at) {
            (Some(_), Some(_)) => return Err(Error::invalid("at", "goes without a name").into()),
            (Some(name), None) => Snapshot::Into(name),
            (None, Some(at)) => Snapshot::At(at),
            (None, None) => Snapshot::InPlace,
        };
        Ok(payload(ops::snapshot(ctx, &caller, parse_id("id", &input.id)?, kind).await?))
    }

    /// Puts a list among your favourites, or takes it out.
    async fn set_list_favorite(
        &self,
        context: &Context<'_>,
        input: SetListFavoriteInput,
    ) -> async_graphql::Result<ContactListPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        Ok(payload(ops::set_favorite(ctx, &caller, parse_id("id", &input.id)?, input.favorite).await?))
    }

    /// Decides who sees a list; for its maker and, where they see it, admins.
    async fn share_contact_list(
        &self,
        context: &Context<'_>,
        input: ShareContactListInput,
    ) -> async_graphql::Result<ContactListPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: ContactListId = parse_id("id", &input.id)?;
        let share = |share: &ListShareInput| {
            let user_id = share.user_id.as_ref().map(|id| parse_id::<UserId>("shares", id)).transpose()?;
            let team_id = share.team_id.as_ref().map(|id| parse_id::<Uuid>("shares", id)).transpose()?;
            Ok(Share { list_id: id, user_id, team_id, can_edit: share.can_edit })
        };
        let shares = input.shares.as_ref().map(|shares| shares.iter().map(share).collect::<Result<_>>()).transpose()?;
        Ok(payload(ops::share(ctx, &caller, id, input.level, shares).await?))
    }

    async fn create_list_folder(
        &self,
        context: &Context<'_>,
        input: CreateListFolderInput,
    ) -> async_graphql::Result<ListFolderPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        Ok(ListFolderPayload { folder: folders::create(ctx, &caller, &input.name).await?.into() })
    }

    async fn rename_list_folder(
        &self,
        context: &Context<'_>,
        input: RenameListFolderInput,
    ) -> async_graphql::Result<ListFolderPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id = parse_id("id", &input.id)?;
        Ok(ListFolderPayload { folder: folders::rename(ctx, &caller, id, &input.name).await?.into() })
    }

    /// Deletes a folder; its lists stay, in none.
    async fn delete_list_folder(
        &self,
        context: &Context<'_>,
        input: DeleteListFolderInput,
    ) -> async_graphql::Result<DeleteListFolderPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        folders::delete(ctx, &caller, parse_id("id", &input.id)?).await?;
        Ok(DeleteListFolderPayload { deleted_id: input.id })
    }
}

impl ListMembersInput {
    fn chosen(self) -> Result<(ContactListId, Chosen)> {
        let id = parse_id("id", &self.id)?;
        match (self.contact_ids, self.from_list_id, self.criteria) {
            (Some(ids), None, None) => Ok((id, Chosen::Contacts(contact_ids(&ids)?))),
            (None, Some(list), None) => Ok((id, Chosen::MembersOf(parse_id("fromListId", &list)?))),
            (None, None, Some(criteria)) => Ok((id, Chosen::Matching(criteria.node(ARGUMENT)?))),
            _ => Err(Error::invalid("contactIds", "or fromListId or where is needed, and one of them")),
        }
    }
}

/// As it is kept.
fn kept(criteria: Option<RecordCriteria>) -> Result<Option<Value>> {
    Ok(criteria.map(|criteria| criteria.node("criteria")).transpose()?.map(|node| node.to_json()))
}

fn contact_ids(ids: &[ID]) -> Result<Vec<Uuid>> {
    ids.iter().map(|id| parse_id("contactIds", id)).collect()
}

fn given<T>(value: MaybeUndefined<T>) -> Option<Option<T>> {
    match value {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

fn payload(list: crate::lists::ContactList) -> ContactListPayload {
    ContactListPayload { contact_list: ContactListObject(list) }
}

fn moved((list, moved): (crate::lists::ContactList, Moved)) -> ListMembersPayload {
    let result = |(contact, outcome): (Uuid, Outcome)| ListMemberResult { contact_id: contact.into(), outcome };
    ListMembersPayload {
        contact_list: ContactListObject(list),
        results: moved.outcomes.into_iter().map(result).collect(),
        changed_count: moved.moved,
        already_count: moved.already,
        missing_count: moved.missing,
    }
}
