//! The audit log.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::super::model::{AuditEntry, NewAuditEntry};
use crate::{
    auth::{Actor, Caller},
    base::{
        Error, Result,
        ids::{AuditEntryId, UserId, WorkspaceId},
        page::PageRequest,
    },
    db::schema::audit_log,
    newest_first,
};

/// Who did it, and from where.
pub struct Author {
    pub actor: Actor,
    pub user: Option<UserId>,
    pub address: Option<String>,
    pub request_id: Option<Arc<str>>,
}

impl From<&Caller> for Author {
    fn from(caller: &Caller) -> Self {
        Self {
            actor: caller.actor(),
            user: Some(caller.user),
            address: caller.address.map(|address| address.to_string()),
            request_id: caller.request_id.clone(),
        }
    }
}

pub async fn insert_audit(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    author: Author,
    at: DateTime<Utc>,
    entry: NewAuditEntry,
) -> Result<()> {
    let actor = serde_json::to_value(author.actor).map_err(Error::internal)?;
    diesel::insert_into(audit_log::table)
        .values((
            audit_log::workspace_id.eq(workspace),
            audit_log::id.eq(AuditEntryId::new()),
            audit_log::at.eq(at),
            audit_log::actor.eq(actor),
            audit_log::user_id.eq(author.user),
            audit_log::action.eq(entry.action),
            audit_log::subject_kind.eq(entry.subject.map(|subject| subject.0)),
            audit_log::subject_id.eq(entry.subject.map(|subject| subject.1)),
            audit_log::address.eq(author.address),
            audit_log::request_id.eq(author.request_id.as_deref()),
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
