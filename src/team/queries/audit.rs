//! The audit log.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::super::model::{AuditEntry, NewAuditEntry};
use crate::{
    auth::Caller,
    base::{
        Error, Result,
        ids::{AuditEntryId, WorkspaceId},
        page::PageRequest,
    },
    db::schema::audit_log,
    newest_first,
};

pub async fn insert_audit(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    caller: &Caller,
    at: DateTime<Utc>,
    entry: NewAuditEntry,
) -> Result<()> {
    let actor = serde_json::to_value(caller.actor()).map_err(Error::internal)?;
    diesel::insert_into(audit_log::table)
        .values((
            audit_log::workspace_id.eq(workspace),
            audit_log::id.eq(AuditEntryId::new()),
            audit_log::at.eq(at),
            audit_log::actor.eq(actor),
            audit_log::user_id.eq(caller.user),
            audit_log::action.eq(entry.action),
            audit_log::subject_kind.eq(entry.subject.map(|subject| subject.0)),
            audit_log::subject_id.eq(entry.subject.map(|subject| subject.1)),
            audit_log::address.eq(caller.address.map(|address| address.to_string())),
            audit_log::request_id.eq(caller.request_id.as_deref()),
            audit_log::details.eq(entry.details),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn count_audit(connection: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<i64> {
    Ok(audit_log::table.filter(audit_log::workspace_id.eq(workspace)).count().get_result(connection).await?)
}

pub async fn audit_page(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    page: &PageRequest<AuditEntryId>,
) -> Result<Vec<AuditEntry>> {
    let query = audit_log::table
        .filter(audit_log::workspace_id.eq(workspace))
        .select(AuditEntry::as_select())
        .limit(page.fetch())
        .into_boxed();
    Ok(newest_first!(query, page, audit_log::id).load(connection).await?)
}
