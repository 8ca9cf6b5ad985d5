//! All SQL of the event log.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    pg::Pg,
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_query,
    sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use serde_json::Value;
use uuid::Uuid;

use super::{LoggedEvent, NewEvent};
use crate::{
    auth::Actor,
    base::{Error, Result, ids::WorkspaceId},
    db::locks,
    db::schema::{event_log_state, events, outbox, reactors},
};

/// Rung by the relay, once per batch.
pub const EVENTS: &str = "kontor_events";
/// Rung by nodes that do not relay, when they have committed events.
pub const OUTBOX: &str = "kontor_outbox";
/// Carries values that are neither stored nor repeated.
pub const TOPICS: &str = "kontor_topics";

pub async fn insert_outbox(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    actor: &Actor,
    at: DateTime<Utc>,
    events: &[NewEvent],
) -> Result<()> {
    let actor = serde_json::to_value(actor).map_err(Error::internal)?;
    let row = |event: &NewEvent| {
        (
            outbox::workspace_id.eq(workspace),
            outbox::name.eq(event.name),
            outbox::kind.eq(event.kind),
            outbox::record_ids.eq(event.record_ids.clone()),
            outbox::payload.eq(event.payload.clone()),
            outbox::actor.eq(actor.clone()),
            outbox::at.eq(at),
        )
    };
    match events {
        // a single-row insert is cached as a prepared statement, a batch is not
        [event] => diesel::insert_into(outbox::table).values(row(event)).execute(connection).await?,
        _ => {
            let rows: Vec<_> = events.iter().map(row).collect();
            diesel::insert_into(outbox::table).values(rows).execute(connection).await?
        }
    };
    Ok(())
}

/// The first row that waits to be relayed: its id and when its operation happened.
pub async fn oldest_in_outbox(connection: &mut AsyncPgConnection) -> Result<Option<(i64, DateTime<Utc>)>> {
    let oldest = outbox::table.select((outbox::id, outbox::at)).order(outbox::id).first(connection).await;
    Ok(oldest.optional()?)
}

/// Whether this session holds the relay's lock now.
pub async fn try_relay_lock(connection: &mut AsyncPgConnection) -> Result<bool> {
    diesel::define_sql_function! { fn pg_try_advisory_lock(key: BigInt) -> Bool; }
    Ok(diesel::select(pg_try_advisory_lock(locks::RELAY)).get_result(connection).await?)
}

/// For the relay's session: the outbox is a queue, so its statistics are always out of date and
/// must not choose the plan.
pub async fn set_up_relay(connection: &mut AsyncPgConnection) -> Result<()> {
    Ok(connection.batch_execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan").await?)
}

/// What one [`move_batch`] did and saw.
#[derive(Debug, Queryable)]
pub struct Moved {
    pub count: i64,
    /// The highest outbox id among them.
    pub newest_id: Option<i64>,
    /// No transaction before this one is still open.
    pub oldest_open: i64,
    /// No transaction had this number yet.
    pub next_transaction: i64,
    /// Read by nobody; the answer of `pg_notify`.
    _notified: Option<String>,
}

/// What the relay is to move, and to where.
#[derive(QueryId)]
pub struct MoveBatch {
    /// Outbox rows up to this id are left alone.
    pub beyond: i64,
    pub limit: i64,
    /// The log's last position so far.
    pub position: i64,
    /// The time for the log; the partition of its day must exist.
    pub logged_at: DateTime<Utc>,
}

/// Moves the first committed outbox rows into the log and rings the nodes: one statement, so all
/// or nothing, and one round trip.
pub async fn move_batch(connection: &mut AsyncPgConnection, batch: MoveBatch) -> Result<Moved> {
    Ok(batch.get_result(connection).await?)
}

// Query types of our own, because diesel prepares `sql_query` anew each time.

impl Query for MoveBatch {
    type SqlType = (BigInt, Nullable<BigInt>, BigInt, BigInt, Nullable<Text>);
}

impl QueryFragment<Pg> for MoveBatch {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH taken AS (DELETE FROM outbox WHERE ctid = ANY(ARRAY(SELECT ctid FROM outbox WHERE id > ");
        out.push_bind_param::<BigInt, _>(&self.beyond)?;
        out.push_sql(" ORDER BY id LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(
            ")) RETURNING *),
             logged AS (
                 INSERT INTO events (position, logged_at, workspace_id, name, kind, record_ids, payload, actor, at)
                 SELECT ",
        );
        out.push_bind_param::<BigInt, _>(&self.position)?;
        out.push_sql(" + row_number() OVER (ORDER BY id), ");
        out.push_bind_param::<Timestamptz, _>(&self.logged_at)?;
        out.push_sql(
            ", workspace_id, name, kind, record_ids, payload, actor, at FROM taken)
             SELECT count(*), max(id), pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
                    pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
                    CASE WHEN count(*) > 0 THEN pg_notify('kontor_events', '')::text END
               FROM taken",
        );
        Ok(())
    }
}

/// How far the log reaches.
#[derive(Debug, Clone, Copy, Queryable)]
pub struct LogState {
    pub last_position: i64,
    /// Nothing after the last position was or will be logged before this.
    pub last_logged_at: DateTime<Utc>,
    /// Events up to this one are gone.
    pub dropped_position: i64,
}

pub async fn log_state(connection: &mut AsyncPgConnection) -> Result<LogState> {
    Ok(ReadLogState.get_result(connection).await?)
}

#[derive(QueryId)]
struct ReadLogState;

impl Query for ReadLogState {
    type SqlType = (BigInt, Timestamptz, BigInt);
}

impl QueryFragment<Pg> for ReadLogState {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "SELECT coalesce(position, dropped_position), coalesce(logged_at, 'epoch'), dropped_position
               FROM event_log_state
               LEFT JOIN (SELECT position, logged_at FROM events ORDER BY position DESC LIMIT 1) newest ON true",
        );
        Ok(())
    }
}

#[derive(Queryable)]
pub struct EventRow {
    pub position: i64,
    pub logged_at: DateTime<Utc>,
    workspace_id: WorkspaceId,
    name: String,
    kind: Option<String>,
    record_ids: Vec<Uuid>,
    payload: Value,
    actor: Value,
    at: DateTime<Utc>,
    /// Bytes of the page up to here.
    reached: i64,
}

impl From<EventRow> for LoggedEvent {
    fn from(row: EventRow) -> Self {
        Self {
            position: row.position,
            workspace: row.workspace_id,
            name: row.name,
            kind: row.kind,
            record_ids: row.record_ids,
            payload: row.payload,
            actor: Actor::read(row.actor),
            at: row.at,
        }
    }
}

/// Some events in the order of the log.
pub struct Page {
    pub events: Vec<EventRow>,
    /// There may be more: the page is full, by number or by bytes.
    pub more: bool,
}

/// A page ends with the event that reaches so many bytes: one bulk event may hold thousands of ids.
const PAGE_BYTES: i64 = 1024 * 1024;

fn page(events: Vec<EventRow>, limit: i64) -> Page {
    let full = i64::try_from(events.len()).is_ok_and(|events| events == limit);
    let more = full || events.last().is_some_and(|last| last.reached >= PAGE_BYTES);
    Page { events, more }
}

/// The first events after a position, of all workspaces.
#[derive(QueryId)]
pub struct EventsAfter {
    pub position: i64,
    /// None of them was logged before this, which spares the older partitions.
    pub not_before: DateTime<Utc>,
    pub limit: i64,
}

pub async fn events_after(connection: &mut AsyncPgConnection, after: EventsAfter) -> Result<Page> {
    let limit = after.limit;
    Ok(page(after.load(connection).await?, limit))
}

/// The first events of a workspace after a position, up to another.
#[derive(QueryId)]
pub struct WorkspaceEvents {
    pub workspace: WorkspaceId,
    pub after: i64,
    pub up_to: i64,
    pub limit: i64,
}

pub async fn workspace_events(connection: &mut AsyncPgConnection, asked: WorkspaceEvents) -> Result<Page> {
    let limit = asked.limit;
    Ok(page(asked.load(connection).await?, limit))
}

type EventColumns =
    (BigInt, Timestamptz, SqlUuid, Text, Nullable<Text>, Array<SqlUuid>, Jsonb, Jsonb, Timestamptz, BigInt);

impl Query for EventsAfter {
    type SqlType = EventColumns;
}

impl Query for WorkspaceEvents {
    type SqlType = EventColumns;
}

// The sizes are those on disk, which are known without reading what is large.

const BEFORE_CONDITION: &str = "
    SELECT position, logged_at, workspace_id, name, kind, record_ids, payload, actor, at, reached
      FROM (SELECT *, sum(bytes) OVER (ORDER BY position) AS reached
              FROM (SELECT *, pg_column_size(record_ids) + pg_column_size(payload) AS bytes FROM events WHERE ";

fn push_after_condition<'b>(out: &mut AstPass<'_, 'b, Pg>, limit: &'b i64) -> QueryResult<()> {
    out.push_sql(" ORDER BY position LIMIT ");
    out.push_bind_param::<BigInt, _>(limit)?;
    out.push_sql(") AS page) AS sized WHERE reached - bytes < ");
    out.push_bind_param::<BigInt, _>(&PAGE_BYTES)?;
    out.push_sql(" ORDER BY position");
    Ok(())
}

impl QueryFragment<Pg> for EventsAfter {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(BEFORE_CONDITION);
        out.push_sql("position > ");
        out.push_bind_param::<BigInt, _>(&self.position)?;
        out.push_sql(" AND logged_at >= ");
        out.push_bind_param::<Timestamptz, _>(&self.not_before)?;
        push_after_condition(&mut out, &self.limit)
    }
}

impl QueryFragment<Pg> for WorkspaceEvents {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(BEFORE_CONDITION);
        out.push_sql("workspace_id = ");
        out.push_bind_param::<SqlUuid, _>(&self.workspace)?;
        out.push_sql(" AND position > ");
        out.push_bind_param::<BigInt, _>(&self.after)?;
        out.push_sql(" AND position <= ");
        out.push_bind_param::<BigInt, _>(&self.up_to)?;
        push_after_condition(&mut out, &self.limit)
    }
}

pub async fn listen(connection: &mut AsyncPgConnection) -> Result<()> {
    Ok(connection.batch_execute(&format!("LISTEN {EVENTS}; LISTEN {OUTBOX}; LISTEN {TOPICS}")).await?)
}

/// Rings a channel once per payload, all at one commit.
pub async fn notify(connection: &mut AsyncPgConnection, channel: &str, payloads: &[String]) -> Result<()> {
    let rings = sql_query("SELECT pg_notify($1, payload) FROM unnest($2) AS payload")
        .bind::<Text, _>(channel)
        .bind::<Array<Text>, _>(payloads);
    rings.execute(connection).await?;
    Ok(())
}

/// Makes a day's partition where it is missing. Attached and not created in place: that lets
/// readers and writers of the other days go on.
pub async fn ensure_partition(connection: &mut AsyncPgConnection, day: NaiveDate) -> Result<()> {
    let name = partition_name(day);
    if partition_names(connection).await?.contains(&name) {
        return Ok(());
    }
    let Some(next) = day.succ_opt() else { return Ok(()) };
    // DDL takes no bound values; these are dates of our own, and the text is one transaction.
    let make = format!(
        "CREATE TABLE {name} (LIKE events INCLUDING ALL); \
         ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM ('{day} 00:00:00+00') TO ('{next} 00:00:00+00')"
    );
    Ok(connection.batch_execute(&make).await?)
}

/// The days that have a partition, oldest first.
pub async fn partition_days(connection: &mut AsyncPgConnection) -> Result<Vec<NaiveDate>> {
    let day = |name: &String| NaiveDate::parse_from_str(name, PARTITION_NAME).ok();
    let mut days: Vec<_> = partition_names(connection).await?.iter().filter_map(day).collect();
    days.sort_unstable();
    Ok(days)
}

const PARTITION_NAME: &str = "events_%Y%m%d";

fn partition_name(day: NaiveDate) -> String {
    day.format(PARTITION_NAME).to_string()
}

async fn partition_names(connection: &mut AsyncPgConnection) -> Result<Vec<String>> {
    #[derive(QueryableByName)]
    struct Partition {
        #[diesel(sql_type = Text)]
        name: String,
    }
    let partitions = sql_query(
        "SELECT relname::text AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
          WHERE inhparent = 'events'::regclass",
    );
    let partitions: Vec<Partition> = partitions.load(connection).await?;
    Ok(partitions.into_iter().map(|partition| partition.name).collect())
}

/// The last position logged before a time; `None` where the log holds none.
pub async fn last_position_before(connection: &mut AsyncPgConnection, time: DateTime<Utc>) -> Result<Option<i64>> {
    let last = events::table.filter(events::logged_at.lt(time)).select(diesel::dsl::max(events::position));
    Ok(last.first(connection).await?)
}

/// Drops a day's partition and notes the last position that went with it.
pub async fn drop_partition(connection: &mut AsyncPgConnection, day: NaiveDate, last: Option<i64>) -> Result<()> {
    // Readers queue behind a waiting DROP: better to give up and come back.
    connection.batch_execute("SET LOCAL lock_timeout = '200ms'").await?;
    connection.batch_execute(&format!("DROP TABLE {}", partition_name(day))).await?;
    if let Some(last) = last {
        let further = event_log_state::table.filter(event_log_state::dropped_position.lt(last));
        diesel::update(further).set(event_log_state::dropped_position.eq(last)).execute(connection).await?;
    }
    Ok(())
}

/// Notes a reactor, if it is new, with the position after which it begins.
pub async fn add_reactor(
    connection: &mut AsyncPgConnection,
    name: &str,
    position: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::insert_into(reactors::table)
        .values((reactors::name.eq(name), reactors::position.eq(position), reactors::updated_at.eq(now)))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    Ok(())
}

/// The reactor's position, locked for this transaction; `None` while another node holds it.
pub async fn lock_reactor(connection: &mut AsyncPgConnection, name: &str) -> Result<Option<i64>> {
    let position = reactors::table.find(name).select(reactors::position).for_update().skip_locked();
    Ok(position.first(connection).await.optional()?)
}

pub async fn move_reactor(
    connection: &mut AsyncPgConnection,
    name: &str,
    position: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(reactors::table.find(name))
        .set((reactors::position.eq(position), reactors::updated_at.eq(now)))
        .execute(connection)
        .await?;
    Ok(())
}

/// The position of the reactor that is furthest behind; `None` where there is no reactor.
pub async fn slowest_reactor(connection: &mut AsyncPgConnection) -> Result<Option<i64>> {
    Ok(reactors::table.select(diesel::dsl::min(reactors::position)).first(connection).await?)
}
