//! Choosing records by criteria: whether somebody may choose so, and what the criteria mean for them.

use chrono_tz::Tz;

use crate::{
    auth::{Caller, Grant, Permission},
    base::{Error, FieldErrors, Result, ids::WorkspaceId},
    crm::{
        Lead, RecordKind,
        criteria::{Criteria, Known, Node, Setting},
        record::Rules,
    },
    ctx::Ctx,
    db::Tx,
    for_kind,
    team::workspace,
};

/// The criteria by the fields that there are now.
pub async fn checked(tx: &mut Tx, workspace: WorkspaceId, kind: RecordKind, node: &Node) -> Result<Criteria> {
    let known = Known::load(tx.connection(), workspace).await?;
    Criteria::check(kind, node, &known).map_err(|errors| Error::Invalid(within_where(&errors)))
}

/// Errors by their paths within the criteria.
pub fn within_where(errors: &FieldErrors) -> FieldErrors {
    let mut within = FieldErrors::new();
    for (path, message) in errors.iter() {
        // the language calls the whole of it so
        let path = if path == "where" { path.to_owned() } else { format!("where.{path}") };
        within.add(path, message.to_owned());
    }
    within
}

/// Whoever chooses records by what stands in others must be able to read those, and all of them: a
/// bulk change has no smaller sight.
pub fn require_reads(caller: &Caller, criteria: &Criteria) -> Result<()> {
    for read in &criteria.reads().reads {
        match RecordKind::parse(read.source) {
            Ok(kind) => for_kind!(kind, R => caller.require_all(<R as Rules>::READ)?),
            Err(_) if read.source == "list_member" => caller.require(Permission::ListsRead).map(drop)?,
            Err(_) => {}
        }
    }
    Ok(())
}

/// What criteria mean for this caller, now.
pub async fn setting(ctx: &Ctx, caller: &Caller) -> Result<Setting> {
    let settings = workspace::get(ctx, caller).await?;
    let zone: Tz = settings.time_zone.parse().unwrap_or(Tz::UTC);
    let mut setting = Setting::new(ctx.clock.now(), zone, settings.week_start);
    setting.me = Some(caller.user);
    if <Lead as Rules>::READ.grant(caller.role) != Grant::All {
        setting.visible.leads_of = Some(caller.user);
    }
    Ok(setting)
}
