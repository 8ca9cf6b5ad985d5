//! Writing the files that we make: reports, exports.

use chrono::{DateTime, Utc};

use super::{
    FileInfo, FileName, FileStatus, Files, UNFINISHED,
    append::{Appender, End},
    queries,
};
use crate::base::{
    Result,
    ids::{FileId, UserId, WorkspaceId},
};

/// A file about to be made.
#[derive(Debug, Clone)]
pub struct NewFile {
    pub name: FileName,
    pub media_type: &'static str,
    /// For whom it is: they may read it.
    pub created_by: UserId,
    pub expires_at: DateTime<Utc>,
}

/// Takes a file's bytes as they are made, in constant memory. A file whose writer never finished
/// (its job died) is deleted two days later.
pub struct Writer {
    appender: Appender,
    file: FileId,
}

/// Begins a file.
pub async fn write_new(files: &Files, workspace: WorkspaceId, new: NewFile) -> Result<Writer> {
    let now = files.clock.now();
    let info = FileInfo {
        id: FileId::new(),
        name: new.name.into_inner(),
        media_type: new.media_type.to_owned(),
        status: FileStatus::Uploading,
        size: 0,
        announced_size: None,
        created_by: new.created_by,
        created_at: now,
        expires_at: now + UNFINISHED,
    };
    let row = queries::NewRow {
        workspace_id: workspace,
        id: info.id,
        name: info.name.clone(),
        media_type: info.media_type.clone(),
        status: info.status,
        announced_size: None,
        created_by: info.created_by,
        created_at: info.created_at,
        expires_at: info.expires_at,
    };
    let mut tx = files.db.begin(&workspace).await?;
    queries::insert(tx.connection(), row).await?;
    tx.commit().await?;
    Ok(Writer { file: info.id, appender: Appender::new(files, workspace, &info, None, new.expires_at) })
}

impl Writer {
    pub fn file(&self) -> FileId {
        self.file
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.appender.push(bytes).await
    }

    /// Writes the rest; from now on the file can be read.
    pub async fn finish(mut self) -> Result<FileInfo> {
        self.appender.flush(End::Here).await
    }
}
