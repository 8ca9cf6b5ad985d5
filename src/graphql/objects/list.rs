//! Lists of contacts as the API shows them.

use async_graphql::{Context, Enum, ID, InputObject, Json, Object, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{contact::ContactObject, scalars::json, user::UserObject};
use crate::{
    base::{
        Error,
        ids::{ContactId, ContactListId},
        page::{self as cursors, Slice},
    },
    connection,
    crm::{
        Contact,
        record::{
            Record,
            select::{At, Order, Sort},
        },
    },
    graphql::{
        context::{both, caller},
        errors::{Nullable, nullable},
        jobs::JobProgress,
        leaves::{Leaves, Row},
        loaders::{
            BuildOf, ListFolderOf, ListLog, ListMembers, ListSizes, Loaders, LogLength, OfList, SharesOf, UsesOf,
        },
        order::OrderDirection,
        page::PageInfo,
    },
    lists::{
        ContactList, ENTERED_AT, ListFilter, ListType, Sharing, Source, access,
        model::ListFolder,
        model::{LogEntry, Member, Share},
        ops,
    },
};

#[derive(Clone)]
pub struct ContactListObject(pub ContactList);

/// A list of contacts.
#[Object(name = "ContactList")]
impl ContactListObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    async fn list_type(&self) -> ListType {
        self.0.list_type
    }

    /// Which contacts a dynamic list has; null for a static one.
    async fn criteria(&self) -> Option<Json<Value>> {
        self.0.criteria.as_ref().map(json)
    }

    /// Why the criteria cannot be answered any more, in words: the list keeps its last members.
    async fn broken(&self) -> Option<&str> {
        self.0.broken.as_deref()
    }

    /// `#RRGGBB`
    async fn color(&self) -> &str {
        &self.0.color
    }

    async fn icon(&self) -> Option<&str> {
        self.0.icon.as_deref()
    }

    async fn tags(&self) -> &[String] {
        &self.0.tags
    }

    async fn folder(&self, context: &Context<'_>) -> Nullable<ListFolderObject> {
        nullable(async {
            let Some(id) = self.0.folder_id else { return Ok(None) };
            Ok(context.data::<Loaders>()?.lists.load_one(ListFolderOf(id)).await?.map(ListFolderObject::from))
        })
        .await
    }

    /// Whether it is among your favourites.
    async fn is_favorite(&self) -> bool {
        self.0.is_favorite
    }

    /// Whether everybody in the workspace sees it.
    async fn is_shared(&self) -> bool {
        self.0.sharing != Sharing::Private
    }

    async fn sharing(&self, context: &Context<'_>) -> async_graphql::Result<ListSharing> {
        let shares = context.data::<Loaders>()?.lists.load_one(SharesOf(self.0.id)).await?;
        let shares = shares.unwrap_or_default().into_iter().map(ListShareObject).collect();
        Ok(ListSharing { level: self.0.sharing, shares })
    }

    /// Whether you may change it and its members.
    async fn can_edit(&self, context: &Context<'_>) -> async_graphql::Result<bool> {
        Ok(access::may_edit(caller(context)?, &self.0))
    }

    /// Whether you may delete it, and decide who else sees it.
    async fn can_manage(&self, context: &Context<'_>) -> async_graphql::Result<bool> {
        Ok(access::may_manage(caller(context)?, &self.0))
    }

    /// Exact.
    async fn contact_count(&self) -> i64 {
        self.0.member_count
    }

    /// When the count was last moved or looked at.
    async fn counted_at(&self) -> DateTime<Utc> {
        self.0.counted_at
    }

    /// How far the building of a dynamic list from its criteria has come; null where none is under way: then
    /// its members are those that match, or `broken` says why not.
    async fn building(&self, context: &Context<'_>) -> Nullable<JobProgress> {
        nullable(async {
            let Some(job) = self.0.build_job_id else { return Ok(None) };
            let found = context.data::<Loaders>()?.lists.load_one(BuildOf(job)).await?;
            Ok(found.as_ref().map(JobProgress::of))
        })
        .await
    }

    /// When a dynamic list becomes a static one.
    async fn freeze_at(&self) -> Option<DateTime<Utc>> {
        self.0.freeze_at
    }

    async fn created_by(&self, context: &Context<'_>) -> Nullable<UserObject> {
        nullable(async {
            Ok(context.data::<Loaders>()?.users.load_one(self.0.created_by).await?.map(UserObject::beside))
        })
        .await
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// Its members; those that entered last come first unless told otherwise.
    async fn contacts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        after: Option<String>,
        #[graphql(desc = "One order; ties are broken by age.")] order_by: Option<Vec<ListMemberOrder>>,
    ) -> async_graphql::Result<ListMemberConnection> {
        let loaders = context.data::<Loaders>()?;
        let order = match order_by.as_deref() {
            None | Some([]) => Order { field: Some(ENTERED_AT), descending: true },
            Some([order]) => order.order(),
            Some(_) => return Err(Error::invalid("orderBy", "takes one order").into()),
        };
        let page = loaders.lists.load_one(ListMembers(OfList { list: self.0.id, first, after }, order)).await?;
        let page = page.ok_or_else(lost)?;
        let ids = page.rows.iter().map(|(_, member)| ContactId(member.record_id));
        let contacts = loaders.contacts.load_many(ids).await?;
        let edge = |(at, member): (At, Member)| {
            // one that was deleted a moment ago is about to leave the list
            let contact = contacts.get(&ContactId(member.record_id))?.clone();
            Some(ListMemberEdge { cursor: cursors::encode(&at), member, node: ContactObject(contact) })
        };
        let Slice { rows, has_next, has_previous } = page;
        let ends = [rows.first(), rows.last()].map(|end| end.map(|(at, _)| cursors::encode(at)));
        let edges = rows.into_iter().filter_map(edge).collect();
        Ok(ListMemberConnection { edges, ends, has_next, has_previous, count: self.0.member_count })
    }

    /// Who entered it and left it, the newest first.
    async fn entries_and_exits(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<MembershipEventConnection> {
        let asked = ListLog(OfList { list: self.0.id, first, after });
        let page = context.data::<Loaders>()?.lists.load_one(asked).await?.ok_or_else(lost)?;
        let edge = |entry: LogEntry| (cursors::encode(&entry.id), MembershipEventObject(entry));
        Ok(MembershipEventConnection::new(page, self.0.id, edge))
    }

    /// Its size at the end of each hour in which it changed; before them the one at the beginning.
    async fn size_history(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 366 days.")] range: DateRange,
    ) -> async_graphql::Result<Vec<SizePointObject>> {
        let asked = ListSizes { list: self.0.id, from: range.from, to: range.to };
        let points = context.data::<Loaders>()?.lists.load_one(asked).await?.unwrap_or_default();
        Ok(points.into_iter().map(|point| SizePointObject { at: point.hour, size: point.size }).collect())
    }

    /// Whatever has criteria that name it, and would break without it.
    async fn used_by(&self, context: &Context<'_>) -> async_graphql::Result<Vec<ListUseObject>> {
        let uses = context.data::<Loaders>()?.lists.load_one(UsesOf(self.0.id)).await?.unwrap_or_default();
        let shown = |one: crate::lists::model::ListUse| match one.is_visible {
            true => ListUseObject { list_id: Some(one.by_id.into()), name: Some(one.by_name) },
            false => ListUseObject { list_id: None, name: None },
        };
        Ok(uses.into_iter().map(shown).collect())
    }
}

fn lost() -> Error {
    Error::NotFound(access::NOUN)
}

impl Leaves for ContactListObject {}

connection!(ContactListConnection ContactListEdge of ContactListObject, "ContactListConnection" "ContactListEdge", count(filter: ListFilter, context) {
    let (ctx, caller) = both(context)?;
    ops::count(ctx, caller, filter).await?
});

/// What the members of a list can be sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "ListMemberOrderField")]
pub enum ListMemberOrderField {
    /// When they entered the list.
    EnteredAt,
    CreatedAt,
    UpdatedAt,
    LastName,
    Email,
    Country,
}

#[derive(InputObject)]
#[graphql(name = "ListMemberOrder")]
pub struct ListMemberOrder {
    field: ListMemberOrderField,
    #[graphql(default_with = "OrderDirection::Asc")]
    direction: OrderDirection,
}

impl ListMemberOrder {
    fn order(&self) -> Order {
        let by = |name: &str| Contact::FIELDS.iter().find(|field| field.name == name).map(Sort::by);
        let field = match self.field {
            ListMemberOrderField::EnteredAt => Some(ENTERED_AT),
            // ids grow with time
            ListMemberOrderField::CreatedAt => None,
            ListMemberOrderField::UpdatedAt => Some(Sort::UPDATED_AT),
            ListMemberOrderField::LastName => by("lastName"),
            ListMemberOrderField::Email => by("email"),
            ListMemberOrderField::Country => by("country"),
        };
        Order { field, descending: self.direction.descending() }
    }
}

/// A page of a list's members.
pub struct ListMemberConnection {
    edges: Vec<ListMemberEdge>,
    /// The cursors of its first and last row, shown or not.
    ends: [Option<String>; 2],
    has_next: bool,
    has_previous: bool,
    count: i64,
}

/// One member of a list.
pub struct ListMemberEdge {
    cursor: String,
    member: Member,
    node: ContactObject,
}

#[Object(name = "ListMemberEdge")]
impl ListMemberEdge {
    /// Pass as `after` to page from here.
    async fn cursor(&self) -> &str {
        &self.cursor
    }

    async fn node(&self) -> Row<'_, ContactObject> {
        Row(&self.node)
    }

    async fn entered_at(&self) -> DateTime<Utc> {
        self.member.entered_at
    }

    /// How it came in.
    async fn source(&self) -> Source {
        self.member.source
    }
}

#[Object(name = "ListMemberConnection")]
impl ListMemberConnection {
    async fn edges(&self) -> &[ListMemberEdge] {
        &self.edges
    }

    /// The contacts without what the list knows of them.
    async fn nodes(&self) -> Vec<Row<'_, ContactObject>> {
        self.edges.iter().map(|edge| Row(&edge.node)).collect()
    }

    async fn page_info(&self) -> PageInfo {
        let [start_cursor, end_cursor] = self.ends.clone();
        PageInfo { has_next_page: self.has_next, has_previous_page: self.has_previous, start_cursor, end_cursor }
    }

    /// How many members there are in all.
    async fn total_count(&self) -> i64 {
        self.count
    }
}

#[derive(Clone)]
pub struct MembershipEventObject(LogEntry);

/// That a contact entered a list, or left it.
#[Object(name = "MembershipEvent")]
impl MembershipEventObject {
    async fn occurred_at(&self) -> DateTime<Utc> {
        self.0.at
    }

    /// Whether it entered; else it left.
    async fn entered(&self) -> bool {
        self.0.entered
    }

    /// By what.
    async fn source(&self) -> Source {
        self.0.source
    }

    async fn contact_id(&self) -> ID {
        self.0.record_id.into()
    }

    /// Null where it was deleted.
    async fn contact(&self, context: &Context<'_>) -> Nullable<ContactObject> {
        nullable(async {
            let id = ContactId(self.0.record_id);
            Ok(context.data::<Loaders>()?.contacts.load_one(id).await?.map(ContactObject))
        })
        .await
    }
}

impl Leaves for MembershipEventObject {}

connection!(MembershipEventConnection MembershipEventEdge of MembershipEventObject, "MembershipEventConnection" "MembershipEventEdge", count(list: ContactListId, context) {
    context.data::<Loaders>()?.lists.load_one(LogLength(*list)).await?.unwrap_or_default()
});

/// A stretch of time: from its beginning on, up to before its end.
#[derive(InputObject)]
#[graphql(name = "DateRange")]
pub struct DateRange {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

/// A size at a time.
#[derive(SimpleObject)]
#[graphql(name = "SizePoint")]
pub struct SizePointObject {
    /// The hour at whose end it was so.
    at: DateTime<Utc>,
    size: i64,
}

/// A list whose criteria name another.
#[derive(SimpleObject)]
#[graphql(name = "ListUse")]
pub struct ListUseObject {
    /// Null where you do not see the list.
    list_id: Option<ID>,
    /// Null where you do not see the list.
    name: Option<String>,
}

/// Who sees a list besides its maker.
#[derive(SimpleObject)]
#[graphql(name = "ListSharing")]
pub struct ListSharing {
    /// What everybody in the workspace may do with it.
    level: Sharing,
    /// What further people and teams may.
    shares: Vec<ListShareObject>,
}

#[derive(Clone)]
pub struct ListShareObject(Share);

/// What one person or the members of one team may do with a list.
#[Object(name = "ListShare")]
impl ListShareObject {
    async fn user_id(&self) -> Option<ID> {
        self.0.user_id.map(Into::into)
    }

    async fn user(&self, context: &Context<'_>) -> Nullable<UserObject> {
        nullable(async {
            let Some(id) = self.0.user_id else { return Ok(None) };
            Ok(context.data::<Loaders>()?.users.load_one(id).await?.map(UserObject::beside))
        })
        .await
    }

    async fn team_id(&self) -> Option<ID> {
        self.0.team_id.map(Into::into)
    }

    /// Change it, not only see it.
    async fn can_edit(&self) -> bool {
        self.0.can_edit
    }
}

/// A folder of lists.
#[derive(Clone, SimpleObject)]
#[graphql(name = "ListFolder")]
pub struct ListFolderObject {
    id: ID,
    name: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<ListFolder> for ListFolderObject {
    fn from(folder: ListFolder) -> Self {
        let ListFolder { id, name, created_at, updated_at } = folder;
        Self { id: id.into(), name, created_at, updated_at }
    }
}
