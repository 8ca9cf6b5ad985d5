//! The workspace and its audit log.

use async_graphql::{ID, Json, Object};
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{
    graphql::objects::scalars::json,
    team::{Weekday, Workspace, model::AuditEntry},
};

pub struct WorkspaceObject(pub Workspace);

/// A customer's own world of data.
#[Object(name = "Workspace")]
impl WorkspaceObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    /// An IANA name; days and weeks of criteria and statistics are those of this zone.
    async fn time_zone(&self) -> &str {
        &self.0.time_zone
    }

    /// The first day of the week.
    async fn week_start(&self) -> Weekday {
        self.0.week_start
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

#[derive(Clone)]
pub struct AuditEntryObject(pub AuditEntry);

/// Who did what, when, from where.
#[Object(name = "AuditEntry")]
impl AuditEntryObject {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    async fn at(&self) -> DateTime<Utc> {
        self.0.at
    }

    /// `noun.past_tense`, for example `user.deactivated`.
    async fn action(&self) -> &str {
        &self.0.action
    }

    async fn actor(&self) -> Json<Value> {
        json(&self.0.actor)
    }

    async fn subject_kind(&self) -> Option<&str> {
        self.0.subject_kind.as_deref()
    }

    async fn subject_id(&self) -> Option<ID> {
        self.0.subject_id.map(Into::into)
    }

    async fn address(&self) -> Option<&str> {
        self.0.address.as_deref()
    }

    async fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    async fn details(&self) -> Json<Value> {
        json(&self.0.details)
    }
}
