//! Writing the files that we make: reports, exports.

use chrono::{DateTime, Utc};

use super::{
    FileInfo, FileName, Files,
    append::{Appender, End},
    begin::{Beginning, begin},
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
    let beginning = Beginning {
        name: new.name,
        media_type: new.media_type.to_owned(),
        announced_size: None,
        created_by: new.created_by,
    };
    let mut tx = files.db.begin(&workspace).await?;
    let info = begin(files, &mut tx, workspace, beginning).await?;
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
