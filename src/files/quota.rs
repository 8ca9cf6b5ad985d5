//! How much one person may keep in one workspace: bytes of all their files together, and uploads that
//! are not complete, which may be many without a byte.

use super::{Files, queries};
use crate::{
    base::{
        Error, Result,
        ids::{UserId, WorkspaceId},
    },
    db::{Tx, locks},
};

/// From here to the end of the transaction nobody else's request makes this person's files more, so
/// that what is counted is true when it is committed. Comes before locks of their files' rows.
pub(super) async fn hold(tx: &mut Tx, workspace: WorkspaceId, user: UserId) -> Result<()> {
    locks::hold_named_in(tx, &format!("files of {user} in {workspace}")).await
}

/// Refuses one more upload where there is no room for it. The caller has called [`hold`].
pub(super) async fn admit(
    files: &Files,
    tx: &mut Tx,
    workspace: WorkspaceId,
    user: UserId,
    announced: Option<u64>,
) -> Result<()> {
    let kept = queries::kept_by(tx.connection(), workspace, user, files.clock.now()).await?;
    if kept.unfinished.unsigned_abs() >= files.unfinished_uploads {
        let most = files.unfinished_uploads;
        return Err(Error::conflict(format!(
            "You have {most} uploads that are not complete, the most there may be \
             (limits.unfinished_uploads_per_user); complete one, or wait until the oldest expires"
        )));
    }
    if announced.unwrap_or(0) > files.user_bytes.saturating_sub(kept.bytes.unsigned_abs()) {
        return Err(no_room(files.user_bytes));
    }
    Ok(())
}

/// Bytes by which a person's files may still grow; others may be faster, unless the caller has
/// called [`hold`].
pub(super) async fn room(files: &Files, tx: &mut Tx, workspace: WorkspaceId, user: UserId) -> Result<u64> {
    let kept = queries::kept_by(tx.connection(), workspace, user, files.clock.now()).await?;
    Ok(files.user_bytes.saturating_sub(kept.bytes.unsigned_abs()))
}

pub(super) fn no_room(limit: u64) -> Error {
    let message = format!("Your files would take more than {limit} bytes (limits.user_file_bytes)");
    Error::TooLarge(message.into())
}
