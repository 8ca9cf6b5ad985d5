//! The SQL of memberships. Each change is one statement that also logs what it really changed; the
//! caller holds the list's row.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{
    super::model::{ENTERED_AT, ListType, LogEntry, Member, Source},
    lists::VISIBLE,
};
use crate::{
    base::{
        Result,
        ids::{ContactListId, UserId, WorkspaceId},
        page::PageRequest,
    },
    crm::record::select::{At, Order, Places, keyset, reads_descending},
    db::schema::contact_lists,
};

/// A change of a list's members.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    pub list: ContactListId,
    pub records: &'a [Uuid],
    pub at: DateTime<Utc>,
    pub source: Source,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = SqlUuid)]
    record_id: Uuid,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// The type of a list that is there, its row locked for this transaction. Not FOR UPDATE, which
/// would make everybody wait who shares it or likes it.
pub async fn lock(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    list: ContactListId,
) -> Result<Option<ListType>> {
    Ok(contact_lists::table
        .filter(contact_lists::workspace_id.eq(workspace))
        .filter(contact_lists::id.eq(list))
        .filter(contact_lists::deleted_at.is_null())
        .select(contact_lists::list_type)
        .for_no_key_update()
        .first(connection)
        .await
        .optional()?)
}

/// `moved` with `$1` the workspace, `$2` the list, `$3` the contacts, `$4` the time and `$5` the
/// source returns the contacts that moved, and whether each was a member or becomes one.
async fn run(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    change: Change<'_>,
    moved: &str,
    entered: bool,
) -> Result<Vec<Uuid>> {
    let statement = format!(
        "WITH moved AS ({moved}), \
              logged AS (INSERT INTO list_log (workspace_id, list_id, record_id, at, entered, source) \
                         SELECT $1, $2, record_id, $4, {entered}, $5 FROM moved WHERE counts) \
         SELECT record_id FROM moved WHERE counts ORDER BY record_id"
    );
    let rows: Vec<Found> = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(change.list)
        .bind::<Array<SqlUuid>, _>(change.records)
        .bind::<Timestamptz, _>(change.at)
        .bind::<Text, _>(change.source)
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(|row| row.record_id).collect())
}

/// Whether the list `l` keeps members that no criteria choose now.
const HAND_KEPT: &str = "(l.list_type = 'static' OR l.broken IS NOT NULL) AND l.deleted_at IS NULL";

/// Whether the member `m` is a live contact.
const LIVE: &str =
    "EXISTS (SELECT FROM contacts c WHERE c.workspace_id = $1 AND c.id = m.record_id AND c.deleted_at IS NULL)";

pub async fn add(connection: &mut AsyncPgConnection, workspace: WorkspaceId, change: Change<'_>) -> Result<Vec<Uuid>> {
    let moved = "INSERT INTO list_members AS m (workspace_id, list_id, record_id, entered_at, source) \
                 SELECT $1, $2, c.id, $4, $5 FROM contacts c \
                  WHERE c.workspace_id = $1 AND c.id = ANY($3) AND c.deleted_at IS NULL \
                 ON CONFLICT (workspace_id, list_id, record_id) DO UPDATE SET is_suspended = false WHERE m.is_suspended \
                 RETURNING m.record_id, true AS counts";
    run(connection, workspace, change, moved, true).await
}

pub async fn remove(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    change: Change<'_>,
) -> Result<Vec<Uuid>> {
    let moved = "DELETE FROM list_members m WHERE m.workspace_id = $1 AND m.list_id = $2 AND m.record_id = ANY($3) \
                 RETURNING m.record_id, NOT m.is_suspended AS counts";
    run(connection, workspace, change, moved, false).await
}

/// Removes all members but these; suspended ones stay, for nobody could see them to keep them.
pub async fn remove_others(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    change: Change<'_>,
) -> Result<Vec<Uuid>> {
    let moved = "DELETE FROM list_members m WHERE m.workspace_id = $1 AND m.list_id = $2 AND NOT m.is_suspended \
                    AND m.record_id <> ALL($3) \
                 RETURNING m.record_id, true AS counts";
    run(connection, workspace, change, moved, false).await
}

/// Suspends those that are no live contacts any more.
pub async fn suspend(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    change: Change<'_>,
) -> Result<Vec<Uuid>> {
    let moved = format!(
        "UPDATE list_members m SET is_suspended = true WHERE m.workspace_id = $1 AND m.list_id = $2 \
            AND m.record_id = ANY($3) AND NOT m.is_suspended AND NOT {LIVE} RETURNING m.record_id, true AS counts"
    );
    run(connection, workspace, change, &moved, false).await
}

/// Lets those return that are live contacts again.
pub async fn resume(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    change: Change<'_>,
) -> Result<Vec<Uuid>> {
    let moved = format!(
        "UPDATE list_members m SET is_suspended = false WHERE m.workspace_id = $1 AND m.list_id = $2 \
            AND m.record_id = ANY($3) AND m.is_suspended AND {LIVE} RETURNING m.record_id, true AS counts"
    );
    run(connection, workspace, change, &moved, true).await
}

/// Copies the members of a list into an empty one; how many there were.
pub async fn copy(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    from: ContactListId,
    to: ContactListId,
    at: DateTime<Utc>,
) -> Result<i64> {
    let copied = sql_query(format!(
        "WITH copied AS (INSERT INTO list_members (workspace_id, list_id, record_id, entered_at, source) \
                         SELECT $1, $3, m.record_id, $4, $5 FROM list_members m \
                          WHERE m.workspace_id = $1 AND m.list_id = $2 AND NOT m.is_suspended AND {LIVE} \
                         RETURNING record_id) \
         INSERT INTO list_log (workspace_id, list_id, record_id, at, entered, source) \
         SELECT $1, $3, record_id, $4, true, $5 FROM copied ORDER BY record_id",
    ))
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(from)
    .bind::<SqlUuid, _>(to)
    .bind::<Timestamptz, _>(at)
    .bind::<Text, _>(Source::List)
    .execute(connection)
    .await?;
    Ok(copied as i64)
}

/// Moves the count by so many, and notes it as the size of this hour; the new count.
pub async fn move_count(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    list: ContactListId,
    more: i64,
    at: DateTime<Utc>,
) -> Result<i64> {
    let counted: Counted = sql_query(
        "WITH moved AS (UPDATE contact_lists SET member_count = member_count + $3, counted_at = greatest(counted_at, $4) \
                         WHERE workspace_id = $1 AND id = $2 RETURNING member_count), \
              kept AS (INSERT INTO list_sizes (workspace_id, list_id, hour, size) \
                       SELECT $1, $2, date_trunc('hour', $4, 'UTC'), member_count FROM moved \
                       ON CONFLICT (workspace_id, list_id, hour) DO UPDATE SET size = excluded.size) \
         SELECT member_count AS count FROM moved",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(list)
    .bind::<BigInt, _>(more)
    .bind::<Timestamptz, _>(at)
    .get_result(connection)
    .await?;
    Ok(counted.count)
}

/// Which of these are live contacts.
pub async fn live_contacts(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    records: &[Uuid],
) -> Result<Vec<Uuid>> {
    let rows: Vec<Found> = sql_query(
        "SELECT c.id AS record_id FROM contacts c WHERE c.workspace_id = $1 AND c.id = ANY($2) AND c.deleted_at IS NULL",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Array<SqlUuid>, _>(records)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.record_id).collect())
}

/// Members of a list in the order of their ids, behind one.
pub async fn after(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    list: ContactListId,
    after: Uuid,
    most: i64,
) -> Result<Vec<Uuid>> {
    let rows: Vec<Found> = sql_query(
        "SELECT record_id FROM list_members WHERE workspace_id = $1 AND list_id = $2 AND record_id > $3 \
            AND NOT is_suspended ORDER BY record_id LIMIT $4",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(list)
    .bind::<SqlUuid, _>(after)
    .bind::<BigInt, _>(most)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.record_id).collect())
}

/// The last of so many contacts behind this id; none where that is the rest of them.
pub async fn end_of_chunk(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    from: Uuid,
    chunk: i64,
) -> Result<Option<Uuid>> {
    let row: Option<Found> = sql_query(
        "SELECT id AS record_id FROM contacts WHERE workspace_id = $1 AND deleted_at IS NULL AND id > $2 \
          ORDER BY workspace_id, id OFFSET $3 LIMIT 1",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(from)
    .bind::<BigInt, _>(chunk - 1)
    .get_result(connection)
    .await
    .optional()?;
    Ok(row.map(|row| row.record_id))
}

/// How many live contacts there are, counted.
pub async fn live_count(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<i64> {
    let row = sql_query("SELECT count(*) AS count FROM contacts WHERE workspace_id = $1 AND deleted_at IS NULL");
    let counted: Counted = row.bind::<SqlUuid, _>(workspace).get_result(connection).await?;
    Ok(counted.count)
}

/// Contacts in the order of their ids, deleted ones too, behind one.
pub async fn chunk(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    after: Uuid,
    most: i64,
) -> Result<Vec<Uuid>> {
    let rows: Vec<Found> = sql_query(
        "SELECT id AS record_id FROM contacts WHERE workspace_id = $1 AND id > $2 ORDER BY workspace_id, id LIMIT $3",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(after)
    .bind::<BigInt, _>(most)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.record_id).collect())
}

/// The members behind the first id, up to the second, that are none of these.
pub async fn between_but(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    list: ContactListId,
    (from, to): (Uuid, Uuid),
    records: &[Uuid],
) -> Result<Vec<Uuid>> {
    // a join, for an array of thousands would be walked for each row
    let rows: Vec<Found> = sql_query(
        "SELECT m.record_id FROM list_members m LEFT JOIN unnest($5) AS kept (id) ON kept.id = m.record_id \
          WHERE m.workspace_id = $1 AND m.list_id = $2 AND m.record_id > $3 AND m.record_id <= $4 AND kept.id IS NULL",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(list)
    .bind::<SqlUuid, _>(from)
    .bind::<SqlUuid, _>(to)
    .bind::<Array<SqlUuid>, _>(records)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.record_id).collect())
}

/// For each of these lists that the user sees the first members, in the order of their ids: at most
/// so many of each.
pub async fn first(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    lists: &[ContactListId],
    most: i64,
) -> Result<Vec<Member>> {
    let statement = format!(
        "SELECT found.* FROM contact_lists l CROSS JOIN LATERAL ( \
             SELECT m.list_id, m.record_id, m.entered_at, m.source FROM list_members m \
              WHERE m.workspace_id = $1 AND m.list_id = l.id AND NOT m.is_suspended ORDER BY m.record_id LIMIT $4) found \
          WHERE l.workspace_id = $1 AND l.id = ANY($3) AND l.deleted_at IS NULL AND {VISIBLE}"
    );
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(user)
        .bind::<Array<SqlUuid>, _>(lists)
        .bind::<BigInt, _>(most)
        .load(connection)
        .await?)
}

/// The list in the cursors of members.
pub const TABLE: &str = "list_members";

#[derive(QueryableByName)]
struct PlacedMember {
    #[diesel(embed)]
    member: Member,
    #[diesel(sql_type = Nullable<Text>)]
    value: Option<String>,
}

/// For each of these lists that the user sees a page of its members in this order: by when they entered,
/// or by a field of the contacts.
pub async fn pages(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    lists: &[ContactListId],
    order: Order,
    page: &PageRequest<At>,
) -> Result<Vec<(At, Member)>> {
    let descending = reads_descending(order, page);
    let from = page.from.as_ref();
    let found = if order.field == Some(ENTERED_AT) {
        by_entering(descending, from)
    } else {
        let mut base = "FROM list_members n JOIN contacts r ON r.workspace_id = $1 AND r.id = n.record_id \
                         AND r.deleted_at IS NULL \
                        WHERE n.workspace_id = $1 AND n.list_id = l.id AND NOT n.is_suspended"
            .to_owned();
        if order.field.is_none() && from.is_some() {
            // the planner does not see that what holds for the one id holds for the other, and would go through
            // all members before the page
            base.push_str(if descending { " AND n.record_id < $4" } else { " AND n.record_id > $4" });
        }
        keyset(&base, order.field, descending, from, &Places { id: "$4", value: "$5", limit: "$6" })
    };
    let statement = format!(
        "SELECT m.list_id, m.record_id, m.entered_at, m.source, found.value FROM contact_lists l CROSS JOIN LATERAL ( \
             SELECT f.id, f.value, row_number() OVER () AS place FROM ({found}) AS f) AS found \
           JOIN list_members m ON m.workspace_id = $1 AND m.list_id = l.id AND m.record_id = found.id \
          WHERE l.workspace_id = $1 AND l.id = ANY($3) AND l.deleted_at IS NULL AND {VISIBLE} \
            AND ($4::uuid IS NULL OR true) AND ($5::text IS NULL OR true) \
          ORDER BY l.id, found.place"
    );
    let rows: Vec<PlacedMember> = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(user)
        .bind::<Array<SqlUuid>, _>(lists)
        .bind::<Nullable<SqlUuid>, _>(from.map(|at| at.id))
        .bind::<Nullable<Text>, _>(from.and_then(|at| at.value.clone()))
        .bind::<BigInt, _>(page.fetch())
        .load(connection)
        .await?;
    let place = |row: PlacedMember| (At::new(TABLE, order, row.value, row.member.record_id), row.member);
    Ok(rows.into_iter().map(place).collect())
}

/// A run over the members of the list `l`; all have entered at some time.
fn by_entering(descending: bool, from: Option<&At>) -> String {
    let (way, beyond) = if descending { ("DESC", "<") } else { ("ASC", ">") };
    let behind = match from {
        Some(_) => format!(" AND (n.entered_at, n.record_id) {beyond} ($5::timestamptz, $4)"),
        None => String::new(),
    };
    format!(
        "SELECT n.record_id AS id, n.entered_at::text AS value FROM list_members n \
          WHERE n.workspace_id = $1 AND n.list_id = l.id AND NOT n.is_suspended{behind} \
          ORDER BY n.entered_at {way}, n.record_id {way} LIMIT $6"
    )
}

/// One member of a list, where there is such.
pub async fn find(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    list: ContactListId,
    record: Uuid,
) -> Result<Option<Member>> {
    Ok(sql_query(
        "SELECT list_id, record_id, entered_at, source FROM list_members \
          WHERE workspace_id = $1 AND list_id = $2 AND record_id = $3 AND NOT is_suspended",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(list)
    .bind::<SqlUuid, _>(record)
    .get_result(connection)
    .await
    .optional()?)
}

/// A page of a list's members by its number, the newest contact first.
pub async fn numbered(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    list: ContactListId,
    offset: i64,
    limit: i64,
) -> Result<Vec<Uuid>> {
    let rows: Vec<Found> = sql_query(
        "SELECT record_id FROM list_members WHERE workspace_id = $1 AND list_id = $2 AND NOT is_suspended \
          ORDER BY record_id DESC LIMIT $4 OFFSET $3",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(list)
    .bind::<BigInt, _>(offset)
    .bind::<BigInt, _>(limit)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.record_id).collect())
}

/// For each of these lists that the user sees a page of who entered and left, the newest first.
pub async fn log_pages(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    lists: &[ContactListId],
    page: &PageRequest<i64>,
) -> Result<Vec<LogEntry>> {
    let (beyond, way) = if page.is_backward() { (">", "ASC") } else { ("<", "DESC") };
    let statement = format!(
        "SELECT found.* FROM contact_lists l CROSS JOIN LATERAL ( \
             SELECT g.list_id, g.id, g.record_id, g.at, g.entered, g.source FROM list_log g \
              WHERE g.workspace_id = $1 AND g.list_id = l.id AND ($4 IS NULL OR g.id {beyond} $4) \
              ORDER BY g.id {way} LIMIT $5) found \
          WHERE l.workspace_id = $1 AND l.id = ANY($3) AND l.deleted_at IS NULL AND {VISIBLE} \
          ORDER BY found.list_id, found.id {way}"
    );
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(user)
        .bind::<Array<SqlUuid>, _>(lists)
        .bind::<Nullable<BigInt>, _>(page.from)
        .bind::<BigInt, _>(page.fetch())
        .load(connection)
        .await?)
}

#[derive(QueryableByName)]
pub struct LogCount {
    #[diesel(sql_type = SqlUuid)]
    pub list_id: ContactListId,
    #[diesel(sql_type = BigInt)]
    pub count: i64,
}

/// How long the logs of these lists are.
pub async fn log_counts(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    lists: &[ContactListId],
) -> Result<Vec<LogCount>> {
    let statement = format!(
        "SELECT l.id AS list_id, (SELECT count(*) FROM list_log g WHERE g.workspace_id = $1 AND g.list_id = l.id) AS count \
           FROM contact_lists l WHERE l.workspace_id = $1 AND l.id = ANY($3) AND l.deleted_at IS NULL AND {VISIBLE}"
    );
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(user)
        .bind::<Array<SqlUuid>, _>(lists)
        .load(connection)
        .await?)
}

/// The members of static lists among these contacts whose membership is not what it should be: a deleted
/// one that is a member, or a live one that is suspended. (Dynamic lists follow by their criteria; broken
/// ones, which have none that can be asked, lose who is deleted, too.)
pub async fn to_follow(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    records: &[Uuid],
) -> Result<Vec<Uuid>> {
    let rows: Vec<Found> = sql_query(format!(
        "SELECT DISTINCT m.record_id FROM list_members m \
           JOIN contact_lists l ON l.workspace_id = $1 AND l.id = m.list_id AND {HAND_KEPT} \
           LEFT JOIN contacts c ON c.workspace_id = $1 AND c.id = m.record_id AND c.deleted_at IS NULL \
          WHERE m.workspace_id = $1 AND m.record_id = ANY($2) AND (c.id IS NULL) <> m.is_suspended"
    ))
    .bind::<SqlUuid, _>(workspace)
    .bind::<Array<SqlUuid>, _>(records)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.record_id).collect())
}

#[derive(QueryableByName)]
struct OfList {
    #[diesel(sql_type = SqlUuid)]
    list_id: ContactListId,
}

/// The lists that [`to_follow`] looks at and that have any of these contacts, suspended or not, in the order of
/// their ids.
pub async fn lists_to_follow(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    records: &[Uuid],
) -> Result<Vec<ContactListId>> {
    let rows: Vec<OfList> = sql_query(format!(
        "SELECT DISTINCT m.list_id FROM list_members m \
           JOIN contact_lists l ON l.workspace_id = $1 AND l.id = m.list_id AND {HAND_KEPT} \
          WHERE m.workspace_id = $1 AND m.record_id = ANY($2) ORDER BY m.list_id"
    ))
    .bind::<SqlUuid, _>(workspace)
    .bind::<Array<SqlUuid>, _>(records)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.list_id).collect())
}

/// Those of these contacts that are deleted and members of the list, which is broken; none where it is not.
pub async fn dead_of_broken(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    list: ContactListId,
    records: &[Uuid],
) -> Result<Vec<Uuid>> {
    let rows: Vec<Found> = sql_query(format!(
        "SELECT m.record_id FROM list_members m \
           JOIN contact_lists l ON l.workspace_id = $1 AND l.id = $2 AND l.broken IS NOT NULL \
          WHERE m.workspace_id = $1 AND m.list_id = $2 AND m.record_id = ANY($3) AND NOT {LIVE}"
    ))
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(list)
    .bind::<Array<SqlUuid>, _>(records)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.record_id).collect())
}

/// The members of a list that are no live contacts. Reads all of them.
pub async fn dead(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    list: ContactListId,
) -> Result<Vec<Uuid>> {
    let rows: Vec<Found> = sql_query(format!(
        "SELECT m.record_id FROM list_members m WHERE m.workspace_id = $1 AND m.list_id = $2 AND NOT m.is_suspended \
            AND NOT {LIVE}"
    ))
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(list)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.record_id).collect())
}

#[derive(QueryableByName)]
struct OfWorkspace {
    #[diesel(sql_type = SqlUuid)]
    workspace_id: WorkspaceId,
    #[diesel(sql_type = SqlUuid)]
    record_id: Uuid,
}

/// As [`to_follow`], of all workspaces. Reads all members: for who has missed what happened.
pub async fn all_to_follow(connection: &mut AsyncPgConnection) -> Result<Vec<(WorkspaceId, Uuid)>> {
    let rows: Vec<OfWorkspace> = sql_query(format!(
        "SELECT DISTINCT m.workspace_id, m.record_id FROM list_members m \
           JOIN contact_lists l ON l.workspace_id = m.workspace_id AND l.id = m.list_id AND {HAND_KEPT} \
           LEFT JOIN contacts c ON c.workspace_id = m.workspace_id AND c.id = m.record_id AND c.deleted_at IS NULL \
          WHERE (c.id IS NULL) <> m.is_suspended ORDER BY 1"
    ))
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.workspace_id, row.record_id)).collect())
}

/// Deletes so many members of a list at most; how many there were.
pub async fn purge(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    list: ContactListId,
    most: i64,
) -> Result<usize> {
    let statement = "DELETE FROM list_members WHERE workspace_id = $1 AND list_id = $2 AND record_id IN \
         (SELECT record_id FROM list_members WHERE workspace_id = $1 AND list_id = $2 LIMIT $3)";
    purge_by(connection, workspace, list, most, statement).await
}

/// Deletes so many entries of a list's log at most; how many there were.
pub async fn purge_log(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    list: ContactListId,
    most: i64,
) -> Result<usize> {
    let statement = "DELETE FROM list_log WHERE workspace_id = $1 AND list_id = $2 AND id IN \
         (SELECT id FROM list_log WHERE workspace_id = $1 AND list_id = $2 LIMIT $3)";
    purge_by(connection, workspace, list, most, statement).await
}

async fn purge_by(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    list: ContactListId,
    most: i64,
    statement: &str,
) -> Result<usize> {
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(list)
        .bind::<BigInt, _>(most)
        .execute(connection)
        .await?)
}
