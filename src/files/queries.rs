//! All SQL of files.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::{FileInfo, FileStatus};
use crate::{
    base::{
        Error, Result,
        ids::{FileId, UserId, WorkspaceId},
    },
    db::schema::{file_parts, files, instance_settings},
};

#[derive(Insertable)]
#[diesel(table_name = files)]
pub struct NewRow<'a> {
    pub workspace_id: WorkspaceId,
    pub id: FileId,
    pub name: &'a str,
    pub media_type: &'a str,
    pub status: FileStatus,
    pub announced_size: Option<i64>,
    pub created_by: UserId,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

#[derive(Insertable, Clone)]
#[diesel(table_name = file_parts)]
pub struct NewPart {
    pub workspace_id: WorkspaceId,
    pub file_id: FileId,
    pub offset: i64,
    pub size: i64,
    pub key: String,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = file_parts)]
pub struct Part {
    pub offset: i64,
    pub key: String,
}

/// What changes in a file's row as pieces arrive.
#[derive(AsChangeset)]
#[diesel(table_name = files)]
pub struct Advance {
    pub status: FileStatus,
    pub size: i64,
    /// `None` leaves it as it is.
    pub announced_size: Option<i64>,
    pub expires_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = files)]
struct Row {
    id: FileId,
    name: String,
    media_type: String,
    status: FileStatus,
    size: i64,
    announced_size: Option<i64>,
    created_by: UserId,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl From<Row> for FileInfo {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            media_type: row.media_type,
            status: row.status,
            // the table's CHECK holds them at 0 and above
            size: row.size.unsigned_abs(),
            announced_size: row.announced_size.map(i64::unsigned_abs),
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}

pub async fn insert(connection: &mut AsyncPgConnection, row: NewRow<'_>) -> Result<()> {
    diesel::insert_into(files::table).values(row).execute(connection).await?;
    Ok(())
}

/// This installation's id, made when it is asked for first.
pub async fn installation(connection: &mut AsyncPgConnection) -> Result<String> {
    const NAME: &str = "installation";
    let new = Uuid::now_v7().simple().to_string();
    diesel::insert_into(instance_settings::table)
        .values((instance_settings::name.eq(NAME), instance_settings::value.eq(Value::from(new))))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    let kept: Value = instance_settings::table.find(NAME).select(instance_settings::value).first(connection).await?;
    kept.as_str().map(str::to_owned).ok_or_else(|| Error::internal("the installation's id is no text"))
}

/// What a person's files come to.
#[derive(QueryableByName)]
pub struct Kept {
    /// Bytes that they take, or will take when they are complete.
    #[diesel(sql_type = BigInt)]
    pub bytes: i64,
    /// How many of them are not complete.
    #[diesel(sql_type = BigInt)]
    pub unfinished: i64,
}

/// What this person's unexpired files come to; `files_owner_idx` finds them.
pub async fn kept_by(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Kept> {
    let kept = sql_query(
        "SELECT coalesce(sum(greatest(coalesce(announced_size, 0), size)), 0)::bigint AS bytes,
                count(*) FILTER (WHERE status = 'uploading') AS unfinished
           FROM files WHERE workspace_id = $1 AND created_by = $2 AND expires_at > $3",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<SqlUuid, _>(user)
    .bind::<Timestamptz, _>(now)
    .get_result(connection)
    .await?;
    Ok(kept)
}

pub async fn find(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    file: FileId,
) -> Result<Option<FileInfo>> {
    let row = files::table.find((workspace, file)).select(Row::as_select()).first(connection).await.optional()?;
    Ok(row.map(Into::into))
}

/// The same, and nobody else may change it until the transaction ends.
pub async fn lock(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    file: FileId,
) -> Result<Option<FileInfo>> {
    let row = files::table
        .find((workspace, file))
        .select(Row::as_select())
        .for_update()
        .first(connection)
        .await
        .optional()?;
    Ok(row.map(Into::into))
}

pub async fn insert_part(connection: &mut AsyncPgConnection, part: &NewPart) -> Result<()> {
    diesel::insert_into(file_parts::table).values(part.clone()).execute(connection).await?;
    Ok(())
}

pub async fn advance(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    file: FileId,
    advance: Advance,
) -> Result<()> {
    diesel::update(files::table.find((workspace, file))).set(advance).execute(connection).await?;
    Ok(())
}

/// The pieces that hold bytes at or after `from`, in order.
pub async fn parts(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    file: FileId,
    from: i64,
) -> Result<Vec<Part>> {
    let parts = file_parts::table
        .filter(file_parts::workspace_id.eq(workspace).and(file_parts::file_id.eq(file)))
        .filter((file_parts::offset + file_parts::size).gt(from))
        .order(file_parts::offset)
        .select(Part::as_select())
        .load(connection)
        .await?;
    Ok(parts)
}

/// Deletes the rows of a file; returns the keys of its objects.
pub async fn delete(connection: &mut AsyncPgConnection, workspace: WorkspaceId, file: FileId) -> Result<Vec<String>> {
    // Locked first: a writer that waits to record a piece finds no file then, and deletes its object.
    if lock(connection, workspace, file).await?.is_none() {
        return Ok(Vec::new());
    }
    delete_locked(connection, &[(workspace, file)]).await
}

/// Deletes the rows of files that are locked; returns the keys of their objects.
pub async fn delete_locked(
    connection: &mut AsyncPgConnection,
    locked: &[(WorkspaceId, FileId)],
) -> Result<Vec<String>> {
    #[derive(QueryableByName)]
    struct Gone {
        #[diesel(sql_type = Text)]
        key: String,
    }
    let (workspaces, ids): (Vec<_>, Vec<_>) = locked.iter().copied().unzip();
    let gone: Vec<Gone> = sql_query(
        "DELETE FROM file_parts USING unnest($1, $2) AS gone (workspace_id, file_id)
          WHERE file_parts.workspace_id = gone.workspace_id AND file_parts.file_id = gone.file_id
         RETURNING file_parts.key",
    )
    .bind::<Array<SqlUuid>, _>(&workspaces)
    .bind::<Array<SqlUuid>, _>(&ids)
    .load(connection)
    .await?;
    sql_query(
        "DELETE FROM files USING unnest($1, $2) AS gone (workspace_id, id)
          WHERE files.workspace_id = gone.workspace_id AND files.id = gone.id",
    )
    .bind::<Array<SqlUuid>, _>(&workspaces)
    .bind::<Array<SqlUuid>, _>(&ids)
    .execute(connection)
    .await?;
    Ok(gone.into_iter().map(|part| part.key).collect())
}

/// Files of all workspaces whose time is over, oldest first; those that another transaction holds
/// are left for the next time.
pub async fn lock_expired(
    connection: &mut AsyncPgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(WorkspaceId, FileId)>> {
    let expired = files::table
        .filter(files::expires_at.le(now))
        .order(files::expires_at)
        .limit(limit)
        .select((files::workspace_id, files::id))
        .for_update()
        .skip_locked()
        .load(connection)
        .await?;
    Ok(expired)
}

/// Those of the keys that belong to a file.
pub async fn known_keys(connection: &mut AsyncPgConnection, keys: &[String]) -> Result<Vec<String>> {
    let known = file_parts::table.filter(file_parts::key.eq_any(keys)).select(file_parts::key).load(connection).await?;
    Ok(known)
}
