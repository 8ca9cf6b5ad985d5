//! The SQL of timelines: the sources of each record cut to a page, then merged, for many records in
//! one statement.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Int4, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value as Json;
use uuid::Uuid;

use super::model::{NewEntry, Place, Source};
use crate::{
    auth::Actor,
    base::{Error, Result, ids::WorkspaceId, page::PageRequest},
    crm::record::{RecordKind, Sight},
};

pub async fn insert(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    at: DateTime<Utc>,
    actor: &Actor,
    entries: &[NewEntry],
) -> Result<()> {
    let actor = serde_json::to_value(actor).map_err(Error::internal)?;
    let ids: Vec<_> = entries.iter().map(|_| Uuid::now_v7()).collect();
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    let records: Vec<_> = entries.iter().map(|entry| entry.record).collect();
    let whats: Vec<_> = entries.iter().map(|entry| entry.what).collect();
    let payloads: Vec<_> = entries.iter().map(|entry| &entry.payload).collect();
    sql_query(
        "INSERT INTO timeline (workspace_id, kind, record_id, at, id, what, actor, payload) \
         SELECT $1, kind, record_id, $2, id, what, $3, payload \
           FROM unnest($4, $5, $6, $7, $8) AS new (id, kind, record_id, what, payload)",
    )
    .bind::<SqlUuid, _>(workspace)
    .bind::<Timestamptz, _>(at)
    .bind::<Jsonb, _>(actor)
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Array<Text>, _>(kinds)
    .bind::<Array<SqlUuid>, _>(records)
    .bind::<Array<Text>, _>(whats)
    .bind::<Array<Jsonb>, _>(payloads)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whose timelines, and how far tasks stand in them.
#[derive(Clone, Copy)]
pub struct Wanted {
    pub kind: RecordKind,
    pub tasks: Option<Sight>,
}

impl Wanted {
    /// Rows of tasks about `wanted.id` that may be told of; `None` where no task is about this kind,
    /// or none is for the caller.
    fn tasks(self) -> Option<String> {
        let has_tasks = !matches!(self.kind, RecordKind::Product | RecordKind::Task);
        let sight = self.tasks.filter(|_| has_tasks)?;
        Some(format!(
            "FROM tasks t WHERE t.workspace_id = $1 AND t.{} = wanted.id AND t.deleted_at IS NULL{}",
            self.kind.link(),
            sight.condition()
        ))
    }

    fn notes(self) -> String {
        let link = self.kind.link();
        format!("FROM notes n WHERE n.workspace_id = $1 AND n.{link} = wanted.id AND n.deleted_at IS NULL")
    }

    fn creation(self) -> String {
        format!("FROM {} r WHERE r.workspace_id = $1 AND r.id IN {OF_WANTED}", self.kind.table())
    }
}

/// The record `wanted` and those that were merged into it: what happened to them stands in its timeline.
/// (Notes and tasks are about it itself since then.)
const OF_WANTED: &str = "(SELECT wanted.id UNION ALL SELECT records_merged_into($1, $2, wanted.id))";

fn changes() -> String {
    format!("FROM record_changes c WHERE c.workspace_id = $1 AND c.kind = $2 AND c.record_id IN {OF_WANTED}")
}

fn written() -> String {
    format!("FROM timeline l WHERE l.workspace_id = $1 AND l.kind = $2 AND l.record_id IN {OF_WANTED}")
}

/// Of tasks; the actor of one that is completed is whoever said so last.
const COMPLETED: &str = "AND t.status = 'completed' AND t.completed_date IS NOT NULL";
const COMPLETED_BY: &str = "(SELECT c.actor FROM record_changes c \
     WHERE c.workspace_id = $1 AND c.kind = 'task' AND c.record_id = t.id AND c.after ->> 'status' = 'completed' \
     ORDER BY c.version DESC LIMIT 1)";

/// A person as an actor, by the column of their id.
fn person(column: &str) -> String {
    format!("jsonb_build_object('kind', 'user', 'user', {column})")
}

/// Who made a record: an import for the person who asked for it, as the history has that of its other
/// changes; or a person.
fn creator() -> String {
    format!(
        "CASE WHEN r.import_job_id IS NULL THEN {} \
              ELSE jsonb_build_object('kind', 'import', 'user', r.created_by, 'through', r.import_job_id) END",
        person("r.created_by")
    )
}

/// One entry as it is read.
#[derive(QueryableByName)]
pub struct EntryRow {
    #[diesel(sql_type = SqlUuid)]
    pub record: Uuid,
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    #[diesel(sql_type = Int4)]
    pub source: i32,
    #[diesel(sql_type = Int4)]
    pub sequence: i32,
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub what: String,
    #[diesel(sql_type = Jsonb)]
    pub actor: Json,
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub payload: Option<Json>,
}

impl EntryRow {
    /// The change that it is, by the record that it was made to and the version after it.
    pub fn version(&self) -> Option<(Uuid, i32)> {
        (self.source == Source::Change.number()).then_some((self.id, self.sequence))
    }
}

/// What a source gives: columns of its rows, and which rows there are.
struct Part {
    source: Source,
    at: &'static str,
    sequence: &'static str,
    id: &'static str,
    what: &'static str,
    actor: String,
    payload: &'static str,
    rows: String,
}

impl Part {
    /// Its newest rows beyond the place in `$4` to `$7`. The first condition is what an index can use;
    /// the second drops what of the same instant was shown before.
    fn statement(&self) -> String {
        let Self { at, sequence, id, what, actor, payload, rows, .. } = self;
        let source = self.source.number();
        format!(
            "(SELECT {at} AS at, {source} AS source, {sequence} AS sequence, {id} AS id, {what} AS what, \
                     {actor} AS actor, {payload} AS payload {rows} \
                 AND {at} <= coalesce($4, 'infinity') \
                 AND ($4 IS NULL OR {at} < $4 OR ({source}, {sequence}, {id}) < ($5, $6, $7)) \
               ORDER BY at DESC, sequence DESC, id DESC LIMIT $8)"
        )
    }
}

fn parts(wanted: Wanted) -> Vec<Part> {
    let plain = |source, at, id, what, actor, rows| Part {
        source,
        at,
        sequence: "0",
        id,
        what,
        actor,
        payload: "NULL::jsonb",
        rows,
    };
    let mut parts = vec![
        plain(Source::Creation, "r.created_at", "r.id", "'created'", creator(), wanted.creation()),
        Part {
            source: Source::Change,
            at: "c.at",
            sequence: "c.version",
            id: "c.record_id",
            what: "CASE c.after -> 'deleted' WHEN 'true' THEN 'deleted' WHEN 'false' THEN 'restored' ELSE 'updated' END",
            actor: "c.actor".to_owned(),
            payload: "NULL::jsonb",
            rows: changes(),
        },
        plain(Source::Note, "n.created_at", "n.id", "'note'", person("n.created_by"), wanted.notes()),
        Part {
            source: Source::Written,
            at: "l.at",
            sequence: "0",
            id: "l.id",
            what: "l.what",
            actor: "l.actor".to_owned(),
            payload: "l.payload",
            rows: written(),
        },
    ];
    if let Some(tasks) = wanted.tasks() {
        let creator = person("t.created_by");
        let completer = format!("coalesce({COMPLETED_BY}, {creator})");
        let completed = format!("{tasks} {COMPLETED}");
        parts.push(plain(Source::TaskCreation, "t.created_at", "t.id", "'task_created'", creator, tasks));
        let completion =
            plain(Source::TaskCompletion, "t.completed_date", "t.id", "'task_completed'", completer, completed);
        parts.push(completion);
    }
    parts
}

/// For each of these records its newest entries beyond a place, one more than the page shows.
pub async fn pages(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    wanted: Wanted,
    records: &[Uuid],
    page: &PageRequest<Place>,
) -> Result<Vec<EntryRow>> {
    let order = "at DESC, source DESC, sequence DESC, id DESC";
    let sources: Vec<_> = parts(wanted).iter().map(Part::statement).collect();
    let statement = format!(
        "SELECT wanted.id AS record, found.* FROM unnest($3) AS wanted (id) CROSS JOIN LATERAL ( \
             SELECT * FROM ({}) AS sources ORDER BY {order} LIMIT $8) AS found \
          ORDER BY record, {order}",
        sources.join(" UNION ALL ")
    );
    let from = page.from.as_ref();
    let rows = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Text, _>(wanted.kind)
        .bind::<Array<SqlUuid>, _>(records)
        .bind::<Nullable<Timestamptz>, _>(from.map(|place| place.0))
        .bind::<Nullable<Int4>, _>(from.map(|place| place.1))
        .bind::<Nullable<Int4>, _>(from.map(|place| place.2))
        .bind::<Nullable<SqlUuid>, _>(from.map(|place| place.3))
        .bind::<BigInt, _>(page.fetch());
    Ok(rows.load(connection).await?)
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = SqlUuid)]
    record: Uuid,
    #[diesel(sql_type = BigInt)]
    entries: i64,
}

/// How many entries each of these records has.
pub async fn counts(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    wanted: Wanted,
    records: &[Uuid],
) -> Result<Vec<(Uuid, i64)>> {
    let counted: Vec<_> = parts(wanted).iter().map(|part| format!("(SELECT count(*) {})", part.rows)).collect();
    let statement =
        format!("SELECT wanted.id AS record, {} AS entries FROM unnest($3) AS wanted (id)", counted.join(" + "));
    let rows: Vec<Counted> = sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Text, _>(wanted.kind)
        .bind::<Array<SqlUuid>, _>(records)
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.record, row.entries)).collect())
}
