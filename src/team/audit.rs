//! The audit log: who did what, when, from where. Written by the operations, in their own
//! transaction, so that neither exists without the other.

pub use super::model::NewAuditEntry as Entry;
use super::{
    model::AuditEntry,
    queries::{self, audit::Author},
};
use crate::{
    auth::{Actor, Caller, Permission},
    base::{
        Result,
        ids::{AuditEntryId, JobId},
        page::{PageArgs, Slice},
    },
    ctx::Ctx,
    db::Tx,
};

/// Writes one line, inside the transaction of what it tells about.
pub async fn record_in(ctx: &Ctx, tx: &mut Tx, caller: &Caller, entry: Entry) -> Result<()> {
    let workspace = tx.bound_workspace()?;
    queries::audit::insert_audit(tx.connection(), workspace, Author::from(caller), ctx.clock.now(), entry).await
}

/// The same of what the program does by itself, in a job of its own.
pub async fn record_own_in(ctx: &Ctx, tx: &mut Tx, job: JobId, entry: Entry) -> Result<()> {
    let workspace = tx.bound_workspace()?;
    let actor = Actor { kind: "system".to_owned(), user: None, through: Some(job.0) };
    let author = Author { actor, user: None, address: None, request_id: None };
    queries::audit::insert_audit(tx.connection(), workspace, author, ctx.clock.now(), entry).await
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
