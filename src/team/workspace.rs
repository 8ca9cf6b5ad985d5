//! The workspace itself: its name, its time zone, the first day of its week.

use serde_json::json;

use super::{
    audit, events,
    model::{Weekday, Workspace},
    queries,
    repeat::{self, Turn},
};
use crate::{
    auth::{Caller, Permission},
    base::{Error, FieldErrors, Result, text},
    ctx::Ctx,
};

#[derive(Debug, Clone, Default)]
pub struct WorkspacePatch {
    pub name: Option<String>,
    /// An IANA name such as `Europe/Berlin`.
    pub time_zone: Option<String>,
    pub week_start: Option<Weekday>,
}

/// The caller's workspace.
pub async fn get(ctx: &Ctx, caller: &Caller) -> Result<Workspace> {
    let mut tx = ctx.db.read(caller).await?;
    queries::workspaces::workspace(tx.connection(), caller.workspace).await
}

/// The workspaces that the caller is an active member of, by name.
pub async fn mine(ctx: &Ctx, caller: &Caller) -> Result<Vec<Workspace>> {
    let mut tx = ctx.db.system().await?;
    queries::workspaces::workspaces_of(tx.connection(), caller.user).await
}

pub async fn update(ctx: &Ctx, caller: &Caller, patch: WorkspacePatch) -> Result<Workspace> {
    caller.require(Permission::WorkspaceManage)?;
    let mut fields = FieldErrors::new();
    let name = patch.name.as_deref().and_then(|name| text::required(&mut fields, "name", name));
    if patch.time_zone.as_deref().is_some_and(|zone| zone.parse::<chrono_tz::Tz>().is_err()) {
        fields.add("timeZone", "must be an IANA name such as Europe/Berlin");
    }
    fields.into_result()?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again((), mut tx) => return queries::workspaces::workspace(tx.connection(), caller.workspace).await,
    };
    if let Some(zone) = &patch.time_zone
        && !queries::workspaces::knows_time_zone(tx.connection(), zone).await?
    {
        return Err(Error::invalid(
            "timeZone",
            "is a zone that the database has no rules of; take the city's usual name",
        ));
    }
    let changes =
        queries::workspaces::WorkspaceChanges { name, time_zone: patch.time_zone, week_start: patch.week_start };
    queries::workspaces::update_workspace(tx.connection(), caller.workspace, &changes).await?;
    let workspace = queries::workspaces::workspace(tx.connection(), caller.workspace).await?;
    let details = json!({ "name": workspace.name, "timeZone": workspace.time_zone, "weekStart": workspace.week_start });
    let entry = audit::Entry::new("workspace.updated", "workspace", workspace.id).with(details);
    audit::record_in(ctx, &mut tx, caller, entry).await?;
    ctx.emit(&mut tx, caller, &[events::workspace_updated()]).await?;
    tx.commit(()).await?;
    Ok(workspace)
}
