//! All SQL of the job queue.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::{
    base::{
        Result,
        ids::{JobId, UserId, WorkspaceId},
    },
    db::schema::jobs,
};

#[derive(Insertable)]
#[diesel(table_name = jobs)]
pub struct NewJob {
    pub id: JobId,
    pub workspace_id: Option<WorkspaceId>,
    pub kind: &'static str,
    pub payload: Value,
    pub priority: i16,
    pub run_at: DateTime<Utc>,
    pub max_attempts: i32,
    pub unique_key: Option<String>,
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
}

/// Whether it was inserted; not where its unique key is taken.
pub async fn insert(connection: &mut AsyncPgConnection, job: NewJob) -> Result<bool> {
    let inserted = diesel::insert_into(jobs::table).values(job).on_conflict_do_nothing().execute(connection).await?;
    Ok(inserted == 1)
}
