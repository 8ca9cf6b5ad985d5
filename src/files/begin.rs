//! How every file begins: as a row without bytes, that goes away by itself if nobody goes on with it.

use chrono::TimeDelta;

use super::{FileInfo, FileName, FileStatus, Files, append::to_column, queries};
use crate::{
    base::{
        Result,
        ids::{FileId, UserId, WorkspaceId},
    },
    db::Tx,
};

/// A file that never became complete is kept this long.
const UNFINISHED: TimeDelta = TimeDelta::days(2);

/// What is known about a file before it has bytes.
pub(super) struct Beginning {
    pub name: FileName,
    pub media_type: String,
    pub announced_size: Option<u64>,
    pub created_by: UserId,
}

pub(super) async fn begin(
    files: &Files,
    tx: &mut Tx,
    workspace: WorkspaceId,
    beginning: Beginning,
) -> Result<FileInfo> {
    let Beginning { name, media_type, announced_size, created_by } = beginning;
    let now = files.clock.now();
    let info = FileInfo {
        id: FileId::new(),
        name: name.into_inner(),
        media_type,
        status: FileStatus::Uploading,
        size: 0,
        announced_size,
        created_by,
        created_at: now,
        expires_at: now + UNFINISHED,
    };
    let row = queries::NewRow {
        workspace_id: workspace,
        id: info.id,
        name: &info.name,
        media_type: &info.media_type,
        status: info.status,
        announced_size: info.announced_size.map(to_column).transpose()?,
        created_by: info.created_by,
        created_at: info.created_at,
        expires_at: info.expires_at,
    };
    queries::insert(tx.connection(), row).await?;
    Ok(info)
}
