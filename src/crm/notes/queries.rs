//! The SQL of notes.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Bool, Nullable, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::model::{Note, Place};
use crate::{
    base::{
        Result,
        ids::{NoteId, WorkspaceId},
        page::PageRequest,
    },
    crm::record::RecordKind,
    db::schema::notes,
};

pub async fn insert(connection: &mut AsyncPgConnection, workspace: WorkspaceId, note: &Note) -> Result<()> {
    let insert = diesel::insert_into(notes::table).values((notes::workspace_id.eq(workspace), note));
    insert.execute(connection).await?;
    Ok(())
}

/// Writes what of a note can change.
pub async fn update(connection: &mut AsyncPgConnection, workspace: WorkspaceId, note: &Note) -> Result<()> {
    let row = notes::table.filter(notes::workspace_id.eq(workspace)).filter(notes::id.eq(note.id));
    let values = (
        notes::version.eq(note.version),
        notes::body.eq(&note.body),
        notes::is_pinned.eq(note.is_pinned),
        notes::updated_at.eq(note.updated_at),
        notes::deleted_at.eq(note.deleted_at),
    );
    diesel::update(row).set(values).execute(connection).await?;
    Ok(())
}

/// The note, a deleted one too, locked for this transaction.
pub async fn lock(connection: &mut AsyncPgConnection, workspace: WorkspaceId, id: NoteId) -> Result<Option<Note>> {
    let note = notes::table
        .filter(notes::workspace_id.eq(workspace))
        .filter(notes::id.eq(id))
        .select(Note::as_select())
        .for_no_key_update();
    Ok(note.first(connection).await.optional()?)
}

/// Live notes of these ids, in no order.
pub async fn by_ids(connection: &mut AsyncPgConnection, workspace: WorkspaceId, ids: &[NoteId]) -> Result<Vec<Note>> {
    let notes = notes::table
        .filter(notes::workspace_id.eq(workspace))
        .filter(notes::id.eq_any(ids))
        .filter(notes::deleted_at.is_null())
        .select(Note::as_select());
    Ok(notes.load(connection).await?)
}

#[derive(QueryableByName)]
pub struct Found {
    #[diesel(sql_type = SqlUuid)]
    pub record: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub id: NoteId,
}

/// For each of these records the notes beyond a place, pinned ones first and then the newest, one
/// more than the page shows.
pub async fn pages(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    records: &[Uuid],
    page: &PageRequest<Place>,
) -> Result<Vec<Found>> {
    let link = kind.link();
    let statement = format!(
        "SELECT wanted.id AS record, found.id FROM unnest($2) AS wanted (id) CROSS JOIN LATERAL ( \
             SELECT n.id, n.is_pinned FROM notes n \
              WHERE n.workspace_id = $1 AND n.{link} = wanted.id AND n.deleted_at IS NULL \
                AND ($3 IS NULL OR (n.is_pinned, n.id) < ($3, $4)) \
              ORDER BY n.is_pinned DESC, n.id DESC LIMIT $5) AS found \
          ORDER BY found.is_pinned DESC, found.id DESC"
    );
    let rows = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Array<SqlUuid>, _>(records)
        .bind::<Nullable<Bool>, _>(page.from.map(|place| place.0))
        .bind::<Nullable<SqlUuid>, _>(page.from.map(|place| place.1))
        .bind::<BigInt, _>(page.fetch());
    Ok(rows.load(connection).await?)
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = SqlUuid)]
    record: Uuid,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many notes each of these records has that has any.
pub async fn counts(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    kind: RecordKind,
    records: &[Uuid],
) -> Result<Vec<(Uuid, i64)>> {
    let link = kind.link();
    let statement = format!(
        "SELECT {link} AS record, count(*) AS count FROM notes \
          WHERE workspace_id = $1 AND {link} = ANY($2) AND deleted_at IS NULL GROUP BY {link}"
    );
    let rows: Vec<Counted> =
        sql_query(statement).bind::<SqlUuid, _>(workspace).bind::<Array<SqlUuid>, _>(records).load(connection).await?;
    Ok(rows.into_iter().map(|row| (row.record, row.count)).collect())
}
