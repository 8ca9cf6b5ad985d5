//! The audit log: who did what, when, from where. Written by the operations, in their own
//! transaction, so that neither exists without the other.

pub use super::model::NewAuditEntry as Entry;
use super::{model::AuditEntry, queries};
use crate::{
    auth::{Caller, Permission},
    base::{
        Result,
        ids::AuditEntryId,
        page::{PageArgs, Slice},
    },
    ctx::Ctx,
    db::Tx,
};

/// Writes one line, inside the transaction of what it tells about.
pub async fn record_in(ctx: &Ctx, tx: &mut Tx, caller: &Caller, entry: Entry) -> Result<()> {
    let workspace = tx.bound_workspace()?;
    queries::audit::insert_audit(tx.connection(), workspace, caller, ctx.clock.now(), entry).await
}

/// How many entries there are; for admins.
pub async fn count(ctx: &Ctx, caller: &Caller) -> Result<i64> {
    caller.require(Permission::AuditRead)?;
    let mut tx = ctx.db.read(caller).await?;
    queries::audit::count_audit(tx.connection(), caller.workspace).await
}

/// The log, newest first; for admins.
pub async fn page(ctx: &Ctx, caller: &Caller, args: PageArgs) -> Result<Slice<AuditEntry>> {
    caller.require(Permission::AuditRead)?;
    let request = args.parse::<AuditEntryId>()?;
    let mut tx = ctx.db.read(caller).await?;
    let rows = queries::audit::audit_page(tx.connection(), caller.workspace, &request).await?;
    Ok(request.slice(rows))
}
