//! The nouns of lists.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Array, BigInt, Bool, Int4, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    base::ids::{ContactListId, JobId, ListFolderId, UserId},
    crm::record::select::Sort,
    db::schema::{contact_lists, list_folders},
    text_enum,
};

/// By when they entered.
pub const ENTERED_AT: Sort = Sort { column: "entered_at", sql_type: "timestamptz" };

text_enum! {
    /// How a list comes by its members.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "ListType")]
    pub enum ListType {
        /// They are chosen.
        Static = "static",
        /// Criteria choose them.
        Dynamic = "dynamic",
    }
}

text_enum! {
    /// What everybody in the workspace may do with a list.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "ListSharingLevel")]
    pub enum Sharing {
        /// Nothing: nobody but its maker and those whom it is shared with sees it.
        Private = "private",
        View = "view",
        Edit = "edit",
    }
}

text_enum! {
    /// How a contact came into a list, or left it.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "ListMemberSource")]
    pub enum Source {
        Manual = "manual",
        /// By criteria that were given once.
        Criteria = "criteria",
        /// With the members of another list.
        List = "list",
        Import = "import",
        /// By the criteria of a dynamic list.
        CriteriaMatch = "criteria_match",
        Merge = "merge",
        /// The contact was deleted.
        Deleted = "deleted",
        /// The contact's deletion was taken back.
        Restored = "restored",
    }
}

text_enum! {
    /// What became of one contact that was to be added or removed.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "ListMemberOutcome")]
    pub enum Outcome {
        Added = "added",
        Removed = "removed",
        /// It was a member already, or was none.
        Already = "already",
        /// There is no such contact.
        Missing = "missing",
    }
}

/// A list as its reader sees it.
#[derive(Debug, Clone, QueryableByName)]
pub struct ContactList {
    #[diesel(sql_type = SqlUuid)]
    pub id: ContactListId,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub description: Option<String>,
    #[diesel(sql_type = Text)]
    pub list_type: ListType,
    /// A dynamic list's.
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub criteria: Option<Json>,
    /// `#RRGGBB`
    #[diesel(sql_type = Text)]
    pub color: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub icon: Option<String>,
    #[diesel(sql_type = Array<Text>)]
    pub tags: Vec<String>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub folder_id: Option<ListFolderId>,
    #[diesel(sql_type = Text)]
    pub sharing: Sharing,
    #[diesel(sql_type = SqlUuid)]
    pub created_by: UserId,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub updated_at: DateTime<Utc>,
    /// Exact.
    #[diesel(sql_type = BigInt)]
    pub member_count: i64,
    #[diesel(sql_type = Timestamptz)]
    pub counted_at: DateTime<Utc>,
    /// One more with each change of the criteria; the members are those of `built_version`.
    #[diesel(sql_type = Int4)]
    pub version: i32,
    #[diesel(sql_type = Int4)]
    pub built_version: i32,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub build_job_id: Option<JobId>,
    /// Why the criteria cannot be answered any more, in words.
    #[diesel(sql_type = Nullable<Text>)]
    pub broken: Option<String>,
    /// When it becomes static.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub freeze_at: Option<DateTime<Utc>>,
    /// The reader's.
    #[diesel(sql_type = Bool)]
    pub is_favorite: bool,
    /// Whether its sharing lets the reader change it; admins may besides.
    #[diesel(sql_type = Bool)]
    pub may_edit: bool,
}

impl ContactList {
    /// Whether its members are those of its criteria, and not of former ones or some of them only.
    pub fn is_built(&self) -> bool {
        self.list_type == ListType::Static || self.version == self.built_version
    }

    /// What can be set of it.
    pub fn settings(&self) -> Settings {
        Settings {
            name: self.name.clone(),
            description: self.description.clone(),
            list_type: self.list_type,
            criteria: self.criteria.clone(),
            color: self.color.clone(),
            icon: self.icon.clone(),
            tags: self.tags.clone(),
            folder_id: self.folder_id,
            sharing: self.sharing,
            freeze_at: self.freeze_at,
        }
    }
}

/// What can be set of a list, checked.
#[derive(Debug, Clone, PartialEq, Insertable, AsChangeset)]
#[diesel(table_name = contact_lists, treat_none_as_null = true)]
pub struct Settings {
    pub name: String,
    pub description: Option<String>,
    pub list_type: ListType,
    pub criteria: Option<Json>,
    pub color: String,
    pub icon: Option<String>,
    pub tags: Vec<String>,
    pub folder_id: Option<ListFolderId>,
    pub sharing: Sharing,
    pub freeze_at: Option<DateTime<Utc>>,
}

impl Settings {
    /// The API names of what differs.
    pub fn changed(&self, after: &Self) -> Vec<&'static str> {
        let differs = [
            ("name", self.name != after.name),
            ("description", self.description != after.description),
            ("listType", self.list_type != after.list_type),
            ("criteria", self.criteria != after.criteria),
            ("color", self.color != after.color),
            ("icon", self.icon != after.icon),
            ("tags", self.tags != after.tags),
            ("folderId", self.folder_id != after.folder_id),
            ("sharing", self.sharing != after.sharing),
            ("freezeAt", self.freeze_at != after.freeze_at),
        ];
        differs.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
    }
}

/// Which lists are wanted, of those that the caller may see.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    pub list_type: Option<ListType>,
    pub favorite: Option<bool>,
    /// A fragment of the name or the description.
    pub search: Option<String>,
    pub folder: Option<ListFolderId>,
    /// One of its tags, in whatever case.
    pub tag: Option<String>,
}

/// A place in the order of lists: favourites first, then the newest change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPlace(pub bool, pub DateTime<Utc>, pub ContactListId);

impl From<&ContactList> for ListPlace {
    fn from(list: &ContactList) -> Self {
        Self(list.is_favorite, list.updated_at, list.id)
    }
}

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = list_folders)]
pub struct ListFolder {
    pub id: ListFolderId,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// With whom a list is shared besides what everybody may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct Share {
    #[diesel(sql_type = SqlUuid)]
    pub list_id: ContactListId,
    /// One person or one team.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub user_id: Option<UserId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub team_id: Option<Uuid>,
    #[diesel(sql_type = Bool)]
    pub can_edit: bool,
}

/// One membership.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Member {
    #[diesel(sql_type = SqlUuid)]
    pub list_id: ContactListId,
    #[diesel(sql_type = SqlUuid)]
    pub record_id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    pub entered_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    pub source: Source,
}

/// That a contact entered a list, or left it.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct LogEntry {
    #[diesel(sql_type = SqlUuid)]
    pub list_id: ContactListId,
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = SqlUuid)]
    pub record_id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    #[diesel(sql_type = Bool)]
    pub entered: bool,
    #[diesel(sql_type = Text)]
    pub source: Source,
}

/// The size at the end of an hour in which it changed.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct SizePoint {
    #[diesel(sql_type = SqlUuid)]
    pub list_id: ContactListId,
    #[diesel(sql_type = Timestamptz)]
    pub hour: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    pub size: i64,
}

/// Something whose criteria name a list.
#[derive(Debug, Clone, QueryableByName)]
pub struct ListUse {
    /// The list that is used.
    #[diesel(sql_type = SqlUuid)]
    pub list_id: ContactListId,
    #[diesel(sql_type = SqlUuid)]
    pub by_id: ContactListId,
    #[diesel(sql_type = Text)]
    pub by_name: String,
    /// Whether the reader may know more of it than that it exists.
    #[diesel(sql_type = Bool)]
    pub is_visible: bool,
}
