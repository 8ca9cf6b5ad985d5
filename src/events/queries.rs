//! All SQL of the event log.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::NewEvent;
use crate::{
    auth::Actor,
    base::{Error, Result, ids::WorkspaceId},
    db::schema::outbox,
};

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
