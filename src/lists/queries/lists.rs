//! The SQL of the lists' own rows, as somebody sees them.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::super::model::{ContactList, ListFilter, ListPlace, ListType, Settings};
use crate::{
    base::{
        Result,
        ids::{ContactListId, JobId, UserId, WorkspaceId},
        page::PageRequest,
    },
    crm::criteria::LIST_SEEN,
    db::schema::{contact_lists, list_favorites},
};

/// Whether the user `$2` of the workspace `$1` sees the list `l`.
pub const VISIBLE: &str = LIST_SEEN;

/// Whether its sharing lets that user change it.
const MAY_EDIT: &str = "(l.created_by = $2 OR l.sharing = 'edit' OR \
     EXISTS (SELECT FROM list_shares s WHERE s.workspace_id = l.workspace_id AND s.list_id = l.id AND s.can_edit \
     AND (s.user_id = $2 OR s.team_id IN (SELECT t.team_id FROM team_members t WHERE t.workspace_id = $1 \
     AND t.user_id = $2))))";

/// The lists that the user `$2` of the workspace `$1` sees.
fn selected() -> String {
    format!(
        "SELECT l.id, l.name, l.description, l.list_type, l.criteria, l.color, l.icon, l.tags, l.folder_id, l.sharing, \
                l.created_by, l.created_at, l.updated_at, l.member_count, l.counted_at, l.version, l.built_version, \
                l.build_job_id, l.broken, l.freeze_at, \
                EXISTS (SELECT FROM list_favorites f WHERE f.workspace_id = $1 AND f.user_id = $2 AND f.list_id = l.id) \
                    AS is_favorite, \
                {MAY_EDIT} AS may_edit \
           FROM contact_lists l WHERE l.workspace_id = $1 AND l.deleted_at IS NULL AND {VISIBLE}"
    )
}

/// What of a row is held until the transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    Nothing,
    /// The row, but for those who only link to it.
    Row,
}

/// One list, where this user sees it.
pub async fn find(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    id: ContactListId,
    hold: Hold,
) -> Result<Option<ContactList>> {
    let lock = if hold == Hold::Row { " FOR NO KEY UPDATE OF l" } else { "" };
    Ok(sql_query(format!("{} AND l.id = $3{lock}", selected()))
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(user)
        .bind::<SqlUuid, _>(id)
        .get_result(connection)
        .await
        .optional()?)
}

/// `l` cut down to what the filter wants: `$3` to `$7`.
const WANTED: &str = "($3 IS NULL OR l.list_type = $3) AND ($4 IS NULL OR l.is_favorite = $4) \
     AND ($5 IS NULL OR lower(l.name) LIKE lower($5) OR lower(l.description) LIKE lower($5)) \
     AND ($6 IS NULL OR l.folder_id = $6) AND ($7 IS NULL OR lower($7) = ANY(lower_all(l.tags)))";

/// A page of the lists that this user sees: favourites first, then the newest change. They are
/// hundreds, so they are sorted as they are found.
pub async fn page(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    filter: &ListFilter,
    page: &PageRequest<ListPlace>,
) -> Result<Vec<ContactList>> {
    let (beyond, way) = if page.is_backward() { (">", "ASC") } else { ("<", "DESC") };
    let statement = format!(
        "SELECT * FROM ({}) AS l WHERE {WANTED} AND ($10 IS NULL OR (l.is_favorite, l.updated_at, l.id) {beyond} ($8, $9, $10)) \
          ORDER BY l.is_favorite {way}, l.updated_at {way}, l.id {way} LIMIT $11",
        selected()
    );
    let from = page.from.as_ref();
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(user)
        .bind::<Nullable<Text>, _>(filter.list_type)
        .bind::<Nullable<Bool>, _>(filter.favorite)
        .bind::<Nullable<Text>, _>(filter.search.as_deref())
        .bind::<Nullable<SqlUuid>, _>(filter.folder)
        .bind::<Nullable<Text>, _>(filter.tag.as_deref())
        .bind::<Nullable<Bool>, _>(from.map(|place| place.0))
        .bind::<Nullable<Timestamptz>, _>(from.map(|place| place.1))
        .bind::<Nullable<SqlUuid>, _>(from.map(|place| place.2))
        .bind::<BigInt, _>(page.fetch())
        .load(connection)
        .await?)
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many [`page`] shows in all.
pub async fn count(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    filter: &ListFilter,
) -> Result<i64> {
    let counted: Counted = sql_query(format!("SELECT count(*) AS count FROM ({}) AS l WHERE {WANTED}", selected()))
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(user)
        .bind::<Nullable<Text>, _>(filter.list_type)
        .bind::<Nullable<Bool>, _>(filter.favorite)
        .bind::<Nullable<Text>, _>(filter.search.as_deref())
        .bind::<Nullable<SqlUuid>, _>(filter.folder)
        .bind::<Nullable<Text>, _>(filter.tag.as_deref())
        .get_result(connection)
        .await?;
    Ok(counted.count)
}

/// How many lists of a type the workspace has, whoever sees them.
pub async fn count_of_type(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    list_type: ListType,
) -> Result<i64> {
    Ok(contact_lists::table
        .filter(contact_lists::workspace_id.eq(workspace))
        .filter(contact_lists::list_type.eq(list_type))
        .filter(contact_lists::deleted_at.is_null())
        .count()
        .get_result(connection)
        .await?)
}

#[derive(QueryableByName)]
struct OfRecord {
    #[diesel(sql_type = SqlUuid)]
    record_id: Uuid,
    #[diesel(embed)]
    list: ContactList,
}

/// The lists that this user sees and that have these contacts, by contact; in the order of their
/// names, at most so many of each.
pub async fn with_contacts(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    contacts: &[Uuid],
    most: i64,
) -> Result<Vec<(Uuid, ContactList)>> {
    let statement = format!(
        "SELECT * FROM (SELECT m.record_id, l.*, row_number() OVER (PARTITION BY m.record_id ORDER BY l.name, l.id) AS place \
           FROM list_members m JOIN ({}) AS l ON l.id = m.list_id \
          WHERE m.workspace_id = $1 AND m.record_id = ANY($3) AND NOT m.is_suspended) AS found \
          WHERE place <= $4 ORDER BY record_id, place",
        selected()
    );
    let rows: Vec<OfRecord> = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(user)
        .bind::<Array<SqlUuid>, _>(contacts)
        .bind::<BigInt, _>(most)
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.record_id, row.list)).collect())
}

/// A list about to be made.
pub struct NewRow<'a> {
    pub id: ContactListId,
    pub settings: &'a Settings,
    /// The version of its criteria that its members are those of.
    pub built_version: i32,
    pub created_by: UserId,
    pub at: DateTime<Utc>,
}

pub async fn insert(connection: &mut AsyncPgConnection, workspace: WorkspaceId, row: NewRow<'_>) -> Result<()> {
    diesel::insert_into(contact_lists::table)
        .values((
            contact_lists::workspace_id.eq(workspace),
            contact_lists::id.eq(row.id),
            row.settings,
            contact_lists::built_version.eq(row.built_version),
            contact_lists::created_by.eq(row.created_by),
            contact_lists::created_at.eq(row.at),
            contact_lists::updated_at.eq(row.at),
            contact_lists::counted_at.eq(row.at),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn update(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ContactListId,
    settings: &Settings,
    at: DateTime<Utc>,
) -> Result<()> {
    let row = contact_lists::table.find((workspace, id));
    diesel::update(row).set((settings, contact_lists::updated_at.eq(at))).execute(connection).await?;
    Ok(())
}

/// Notes a change that is none of the settings: of the members, or of whom it is shared with.
pub async fn touch(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ContactListId,
    at: DateTime<Utc>,
) -> Result<()> {
    let row = contact_lists::table.find((workspace, id));
    diesel::update(row).set(contact_lists::updated_at.eq(at)).execute(connection).await?;
    Ok(())
}

/// Notes that these criteria are the list's, and which job will build its members from them.
pub async fn begin_build(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ContactListId,
    version: i32,
    job: Option<JobId>,
) -> Result<()> {
    let begun = (
        contact_lists::version.eq(version),
        contact_lists::build_job_id.eq(job),
        contact_lists::broken.eq(None::<String>),
        // not known before the criteria are asked
        contact_lists::reads.eq(None::<Vec<String>>),
    );
    diesel::update(contact_lists::table.find((workspace, id))).set(begun).execute(connection).await?;
    Ok(())
}

/// Notes that this job builds a list now: what happens to contacts meanwhile is followed beside it.
pub async fn take_build(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ContactListId,
    job: JobId,
) -> Result<()> {
    let taken = (contact_lists::build_job_id.eq(job), contact_lists::broken.eq(None::<String>));
    diesel::update(contact_lists::table.find((workspace, id))).set(taken).execute(connection).await?;
    Ok(())
}

/// Notes as broken, in every workspace, the lists whose building was cancelled, or was given up.
pub async fn note_given_up(connection: &mut AsyncPgConnection, cancelled: &str, failed: &str) -> Result<()> {
    sql_query(
        "UPDATE contact_lists l SET build_job_id = NULL, \
                broken = CASE WHEN EXISTS (SELECT FROM jobs j WHERE j.id = l.build_job_id AND j.state = 'cancelled') \
                              THEN $1 ELSE $2 END \
          WHERE l.build_job_id IS NOT NULL AND l.deleted_at IS NULL \
            AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = l.build_job_id AND j.state IN ('queued', 'running'))",
    )
    .bind::<Text, _>(cancelled)
    .bind::<Text, _>(failed)
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that the members are those of this version.
pub async fn end_build(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ContactListId,
    version: i32,
) -> Result<()> {
    let built = (
        contact_lists::built_version.eq(version),
        contact_lists::build_job_id.eq(None::<JobId>),
        contact_lists::broken.eq(None::<String>),
    );
    diesel::update(contact_lists::table.find((workspace, id))).set(built).execute(connection).await?;
    Ok(())
}

/// Notes why the criteria of dynamic lists cannot be answered any more; the last members stay. With a
/// version, only of those that still have it.
pub async fn note_broken(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    lists: &[ContactListId],
    version: Option<i32>,
    why: &str,
) -> Result<()> {
    let broken = (contact_lists::broken.eq(Some(why)), contact_lists::build_job_id.eq(None::<JobId>));
    let mut update = diesel::update(contact_lists::table).set(broken).into_boxed();
    update = update
        .filter(contact_lists::workspace_id.eq(workspace))
        .filter(contact_lists::id.eq_any(lists))
        .filter(contact_lists::list_type.eq(ListType::Dynamic));
    if let Some(version) = version {
        update = update.filter(contact_lists::version.eq(version));
    }
    update.execute(connection).await?;
    Ok(())
}

/// The criteria of these lists, of those that have some.
pub async fn criteria_of(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    lists: &[Uuid],
) -> Result<Vec<serde_json::Value>> {
    let found: Vec<Option<serde_json::Value>> = contact_lists::table
        .filter(contact_lists::workspace_id.eq(workspace))
        .filter(contact_lists::id.eq_any(lists))
        .filter(contact_lists::deleted_at.is_null())
        .select(contact_lists::criteria)
        .load(connection)
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// Notes that the count was looked at.
pub async fn note_counted(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ContactListId,
    at: DateTime<Utc>,
) -> Result<()> {
    let row = contact_lists::table.find((workspace, id));
    diesel::update(row).set(contact_lists::counted_at.eq(at)).execute(connection).await?;
    Ok(())
}

/// A dynamic list's row, locked: whether its members are those of its criteria, and why they cannot be.
#[derive(Debug, QueryableByName)]
pub struct Built {
    #[diesel(sql_type = Bool)]
    pub is_built: bool,
    #[diesel(sql_type = Nullable<Text>)]
    pub broken: Option<String>,
}

/// None where it is no dynamic list.
pub async fn lock_built(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ContactListId,
) -> Result<Option<Built>> {
    let row = sql_query(
        "SELECT version = built_version AS is_built, broken FROM contact_lists \
          WHERE workspace_id = $1 AND id = $2 AND list_type = 'dynamic' AND deleted_at IS NULL FOR NO KEY UPDATE",
    );
    Ok(row.bind::<SqlUuid, _>(workspace).bind::<SqlUuid, _>(id).get_result(connection).await.optional()?)
}

/// Makes a dynamic list a static one with the members that it has; whether it was dynamic.
pub async fn freeze(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ContactListId,
    at: DateTime<Utc>,
) -> Result<bool> {
    // what was in the middle of building the old criteria finds another version
    let frozen = sql_query(
        "UPDATE contact_lists SET list_type = 'static', criteria = NULL, freeze_at = NULL, reads = NULL, broken = NULL, \
                build_job_id = NULL, version = version + 1, built_version = version + 1, updated_at = $3 \
          WHERE workspace_id = $1 AND id = $2 AND list_type = 'dynamic' AND deleted_at IS NULL",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(id)
    .bind::<Timestamptz, _>(at)
    .execute(connection)
    .await?;
    Ok(frozen == 1)
}

#[derive(QueryableByName)]
pub struct Due {
    #[diesel(sql_type = SqlUuid)]
    pub workspace_id: WorkspaceId,
    #[diesel(sql_type = SqlUuid)]
    pub id: ContactListId,
    #[diesel(sql_type = SqlUuid)]
    pub created_by: UserId,
    #[diesel(sql_type = Timestamptz)]
    pub freeze_at: DateTime<Utc>,
}

/// Lists of any workspace that are to become static by now, behind this time and id.
pub async fn due_to_freeze(
    connection: &mut AsyncPgConnection,
    now: DateTime<Utc>,
    behind: Option<(DateTime<Utc>, ContactListId)>,
    most: i64,
) -> Result<Vec<Due>> {
    let (at, id) = behind.unzip();
    Ok(sql_query(
        "SELECT workspace_id, id, created_by, freeze_at FROM contact_lists \
          WHERE freeze_at <= $1 AND deleted_at IS NULL AND list_type = 'dynamic' \
            AND ($3 IS NULL OR (freeze_at, id) > ($3, $4)) ORDER BY freeze_at, id LIMIT $2",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<BigInt, _>(most)
    .bind::<Nullable<Timestamptz>, _>(at)
    .bind::<Nullable<SqlUuid>, _>(id)
    .load(connection)
    .await?)
}

pub async fn delete(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    id: ContactListId,
    at: DateTime<Utc>,
) -> Result<()> {
    let row = contact_lists::table.find((workspace, id));
    diesel::update(row).set(contact_lists::deleted_at.eq(at)).execute(connection).await?;
    Ok(())
}

/// Deletes the row of a deleted list, with all that stands beside it.
pub async fn purge(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: ContactListId) -> Result<()> {
    let row = contact_lists::table.find((workspace, id)).filter(contact_lists::deleted_at.is_not_null());
    diesel::delete(row).execute(connection).await?;
    Ok(())
}

/// Whether a list is deleted and its row still there.
pub async fn is_deleted(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: ContactListId) -> Result<bool> {
    let row = contact_lists::table.find((workspace, id)).filter(contact_lists::deleted_at.is_not_null());
    Ok(diesel::select(diesel::dsl::exists(row)).get_result(connection).await?)
}

/// Notes or forgets that this user likes it; whether that was new.
pub async fn set_favorite(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    id: ContactListId,
    favorite: bool,
) -> Result<bool> {
    let changed = if favorite {
        diesel::insert_into(list_favorites::table)
            .values((
                list_favorites::workspace_id.eq(workspace),
                list_favorites::user_id.eq(user),
                list_favorites::list_id.eq(id),
            ))
            .on_conflict_do_nothing()
            .execute(connection)
            .await?
    } else {
        diesel::delete(list_favorites::table.find((workspace, user, id))).execute(connection).await?
    };
    Ok(changed == 1)
}

#[derive(QueryableByName)]
struct Seen {
    #[diesel(sql_type = SqlUuid)]
    id: ContactListId,
}

/// Which of these lists the user sees.
pub async fn visible_of(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    lists: &[ContactListId],
) -> Result<Vec<ContactListId>> {
    let statement = format!(
        "SELECT l.id FROM contact_lists l WHERE l.workspace_id = $1 AND l.id = ANY($3) AND l.deleted_at IS NULL AND {VISIBLE}"
    );
    let rows: Vec<Seen> = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(user)
        .bind::<Array<SqlUuid>, _>(lists)
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
