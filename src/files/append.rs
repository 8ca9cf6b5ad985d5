//! Appending to a file piece by piece: the object first, then a short transaction that records it.
//! Uploads and the files that we make both write through here.

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{FileInfo, FileStatus, Files, PIECE, queries, quota};
use crate::base::{
    Error, Result,
    error::Conflict,
    ids::{FileId, UserId, WorkspaceId},
};

/// Gathers bytes at the end of one file, and writes a piece whenever it is full.
pub(super) struct Appender {
    files: Files,
    workspace: WorkspaceId,
    file: FileId,
    owner: UserId,
    /// Whether the owner's room is asked for what is not announced yet.
    within_quota: bool,
    /// Bytes that are recorded.
    size: u64,
    /// What counts as the owner's with that.
    counted: u64,
    /// Bytes that there will be in all, where that is known.
    announced: Option<u64>,
    buffer: BytesMut,
    /// How long the file is kept once it is complete.
    keep_until: DateTime<Utc>,
}

/// Whether the file is complete with what was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// When as much is there as was announced.
    AsAnnounced,
    /// With these bytes, whatever was announced.
    Here,
}

impl Appender {
    /// `announced` is what the row says, or what it shall say from the next piece on.
    pub fn new(
        files: &Files,
        workspace: WorkspaceId,
        info: &FileInfo,
        announced: Option<u64>,
        keep_until: DateTime<Utc>,
    ) -> Self {
        Self {
            files: files.clone(),
            workspace,
            file: info.id,
            owner: info.created_by,
            within_quota: false,
            size: info.size,
            counted: info.counted(),
            announced,
            buffer: BytesMut::new(),
            keep_until,
        }
    }

    /// The same, for what a person sends: refused as soon as all their files would take too much,
    /// however many of them grow at once.
    pub fn within_quota(mut self) -> Self {
        self.within_quota = true;
        self
    }

    /// How large the file is with all that was pushed.
    pub fn length(&self) -> u64 {
        self.size + self.buffer.len() as u64
    }

    /// Takes more bytes; writes the pieces that are full before them.
    pub async fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            // Only when more comes: the last piece must meet the end of the body, full or not.
            if self.buffer.len() == PIECE {
                self.flush(End::AsAnnounced).await?;
            }
            // Copied rather than kept: a slice keeps alive the network buffer around it, and a
            // body of tiny chunks would hold many times its own size.
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.buffer.len()));
            if self.buffer.is_empty() {
                self.buffer.reserve(self.room());
            }
            self.buffer.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// What the buffer needs for the next piece. Asked for at once, for a buffer that doubles as it
    /// fills holds itself twice while it is copied; what is never written to costs no memory.
    fn room(&self) -> usize {
        let coming = self.announced.map(|announced| announced.saturating_sub(self.size));
        coming.and_then(|coming| usize::try_from(coming).ok()).unwrap_or(PIECE).min(PIECE)
    }

    /// Writes what is gathered and records it; returns the file as it is then.
    pub async fn flush(&mut self, end: End) -> Result<FileInfo> {
        let bytes = std::mem::take(&mut self.buffer).freeze();
        if bytes.is_empty() {
            return self.record(None, end).await;
        }
        let root = self.files.root().await?;
        let key = format!("{root}/ws/{}/{}/{}-{}", self.workspace, self.file, self.size, Uuid::new_v4().simple());
        self.files.store.put(&key, bytes.clone()).await?;
        let recorded = self.record(Some((&key, &bytes)), end).await;
        // Only a refusal says that there is no row: a commit whose answer was lost may have
        // happened, and then these bytes are the file's.
        if matches!(recorded, Err(Error::Conflict(_) | Error::NotFound(_) | Error::TooLarge(_)))
            && let Err(error) = self.files.store.delete(vec![key]).await
        {
            tracing::warn!(%error, file = %self.file, "a refused piece stays until the sweep");
        }
        if let Ok(mut emptied) = bytes.try_into_mut() {
            emptied.clear();
            self.buffer = emptied;
        }
        recorded
    }

    async fn record(&mut self, piece: Option<(&str, &Bytes)>, end: End) -> Result<FileInfo> {
        let mut tx = self.files.db.begin(&self.workspace).await?;
        let arrived = self.size + piece.map_or(0, |(_, bytes)| bytes.len() as u64);
        let grows = self.within_quota && self.announced.unwrap_or(0).max(arrived) > self.counted;
        if grows {
            quota::hold(&mut tx, self.workspace, self.owner).await?;
        }
        let found = queries::lock(tx.connection(), self.workspace, self.file).await?;
        let mut info = found.ok_or(Error::NotFound("file"))?;
        if info.size != self.size || info.status == FileStatus::Ready {
            return Err(elsewhere(&info));
        }
        let (before, room) = match grows {
            true => (info.counted(), quota::room(&self.files, &mut tx, self.workspace, self.owner).await?),
            false => (0, u64::MAX),
        };
        let connection = tx.connection();
        if let Some((key, bytes)) = piece {
            let part = queries::NewPart {
                workspace_id: self.workspace,
                file_id: self.file,
                offset: to_column(info.size)?,
                size: to_column(bytes.len() as u64)?,
                key: key.to_owned(),
            };
            queries::insert_part(connection, &part).await?;
            info.size += bytes.len() as u64;
        }
        info.announced_size = match end {
            End::AsAnnounced => info.announced_size.or(self.announced),
            End::Here => Some(info.size),
        };
        if info.announced_size == Some(info.size) {
            (info.status, info.expires_at) = (FileStatus::Ready, self.keep_until);
        }
        if info.counted().saturating_sub(before) > room {
            return Err(quota::no_room(self.files.user_bytes));
        }
        let advance = queries::Advance {
            status: info.status,
            size: to_column(info.size)?,
            announced_size: info.announced_size.map(to_column).transpose()?,
            expires_at: info.expires_at,
        };
        queries::advance(connection, self.workspace, self.file, advance).await?;
        tx.commit().await?;
        (self.size, self.counted) = (info.size, info.counted());
        Ok(info)
    }
}

/// The refusal of bytes that belong to another place; its details say where the upload stands.
pub(super) fn elsewhere(info: &FileInfo) -> Error {
    let ready = info.status == FileStatus::Ready;
    let message = if ready {
        "This upload is complete already".to_owned()
    } else {
        format!("{} bytes of this upload have arrived; go on from there", info.size)
    };
    Error::Conflict(Conflict {
        message: message.into(),
        details: Some(json!({ "received": info.size, "announced": info.announced_size, "ready": ready })),
        ..Conflict::default()
    })
}

pub(super) fn to_column(bytes: u64) -> Result<i64> {
    i64::try_from(bytes).map_err(|_| Error::TooLarge("No file is that large".into()))
}
