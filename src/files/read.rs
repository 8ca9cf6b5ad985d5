//! Reading a file's bytes, across its pieces, from any byte on.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream, stream::BoxStream};

use super::{FileInfo, FileStatus, Files, queries};
use crate::base::{
    Error, Result,
    ids::{FileId, WorkspaceId},
};

/// A complete file, being read.
pub struct Opened {
    pub info: FileInfo,
    /// The bytes from the one asked for to the last; ends with an error if the store fails.
    pub bytes: BoxStream<'static, Result<Bytes>>,
}

/// Opens a complete file at byte `from`; at its end or past it there is nothing to read, which is
/// no error. Who may read it was checked before: by [`get`](super::get), by a signed link, or
/// because a job was given the file.
pub async fn open(files: &Files, workspace: WorkspaceId, file: FileId, from: u64) -> Result<Opened> {
    let mut tx = files.db.read(&workspace).await?;
    let info = queries::find(tx.connection(), workspace, file).await?.ok_or(Error::NotFound("file"))?;
    if info.status != FileStatus::Ready {
        return Err(Error::conflict("This file is not complete yet: bytes of its upload are missing"));
    }
    let from = from.min(info.size);
    let parts = queries::parts(tx.connection(), workspace, file, super::append::to_column(from)?).await?;
    tx.commit().await?;

    let store = files.store.clone();
    let piece = move |part: queries::Part| {
        let store = store.clone();
        async move { store.read(&part.key, from.saturating_sub(part.offset.unsigned_abs())).await }
    };
    // a piece is opened when it is reached, so that a long read holds one connection at a time
    let bytes = stream::iter(parts).then(piece).try_flatten().boxed();
    Ok(Opened { info, bytes })
}
