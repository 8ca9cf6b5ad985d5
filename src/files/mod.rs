//! Files: what people upload (imports, attachments) and what we make for download (reports,
//! exports). The bytes are objects of a store, a folder or an S3 bucket; rows say whose they are.
//!
//! A file is written in pieces of at most [`PIECE`] bytes. Each is one object, and is recorded in a
//! short transaction after the object is there. So memory stays constant whatever the size, no
//! outside call happens inside a transaction, and a crash costs an upload its last piece only: the
//! client asks how far we are and goes on from there. An object whose row was never written is
//! swept away a day later.

mod append;
mod begin;
pub mod clean;
mod intake;
pub mod link;
pub mod name;
mod queries;
mod quota;
pub mod read;
pub mod store;
pub mod upload;
pub mod write;

use std::{path::PathBuf, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::{
    auth::{Caller, Permission},
    base::{
        Clock, Error, Limits, Result, Secret,
        ids::{FileId, UserId, WorkspaceId},
    },
    db::{Db, Tx},
    text_enum,
};

use intake::Intakes;

pub use link::Signer;
pub use name::{FileName, content_disposition};
pub use store::Store;

/// The most bytes of one piece, and about what one upload holds in memory.
pub const PIECE: usize = 8 * 1024 * 1024;

/// Where the bytes are. Without `s3` they are in a folder.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The folder; `files` in the data folder unless set.
    pub folder: Option<PathBuf>,
    pub s3: Option<S3Config>,
}

/// A bucket of Amazon S3 or of anything that speaks its protocol.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    pub bucket: String,
    #[serde(default = "default_region")]
    pub region: String,
    /// The service's URL; Amazon's own unless set. `http://` is allowed, for a service next door.
    pub endpoint: Option<String>,
    /// Unset, key and secret come from the usual `AWS_` variables or the machine's own role.
    pub access_key: Option<String>,
    pub secret_key: Option<Secret<String>>,
    /// `endpoint/bucket/key` instead of `bucket.endpoint/key`; most services next door want it.
    #[serde(default)]
    pub path_style: bool,
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

/// The handle to the file tool; clones share the store's connections.
#[derive(Clone)]
pub struct Files {
    db: Db,
    store: Store,
    signer: Signer,
    clock: Clock,
    /// See [`Files::root`].
    root: Arc<OnceCell<String>>,
    intakes: Intakes,
    upload_bytes: u64,
    /// Bytes of one person's files in one workspace.
    user_bytes: u64,
    /// Uploads of one person in one workspace that are not complete.
    unfinished_uploads: u64,
    keep: TimeDelta,
}

impl Files {
    pub fn new(db: Db, store: Store, signer: Signer, clock: Clock, limits: &Limits) -> Self {
        let keep = TimeDelta::days(limits.file_days);
        let intakes = Intakes::new(limits.uploads_at_once, limits.uploads_per_user);
        Self {
            db,
            store,
            signer,
            clock,
            root: Arc::default(),
            intakes,
            upload_bytes: limits.upload_bytes,
            user_bytes: limits.user_file_bytes,
            unfinished_uploads: limits.unfinished_uploads_per_user,
            keep,
        }
    }

    /// What the keys of this installation's objects begin with, so that several can share a bucket.
    async fn root(&self) -> Result<&str> {
        let read = async || {
            let mut tx = self.db.system().await?;
            let id = queries::installation(tx.connection()).await?;
            tx.commit().await?;
            Ok::<_, Error>(id)
        };
        self.root.get_or_try_init(read).await.map(String::as_str)
    }

    /// Makes and checks the links by which a file is downloaded without signing in.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }
}

text_enum! {
    pub enum FileStatus {
        /// Bytes are still to come.
        Uploading = "uploading",
        /// All the bytes are there.
        Ready = "ready",
    }
}

/// What is known about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    pub id: FileId,
    pub name: String,
    pub media_type: String,
    pub status: FileStatus,
    /// Bytes that are there.
    pub size: u64,
    /// Bytes that there will be, where that is known.
    pub announced_size: Option<u64>,
    pub created_by: UserId,
    pub created_at: DateTime<Utc>,
    /// When it is deleted.
    pub expires_at: DateTime<Utc>,
}

impl FileInfo {
    /// Bytes that count as its owner's.
    fn counted(&self) -> u64 {
        self.announced_size.unwrap_or(0).max(self.size)
    }
}

/// The file, if the caller made it and may send files; to all others it does not exist. Reading
/// goes by links, which are for those who [`may_read`].
pub async fn get(tx: &mut Tx, caller: &Caller, file: FileId) -> Result<FileInfo> {
    caller.require(Permission::FilesWrite)?;
    let info = queries::find(tx.connection(), caller.workspace, file).await?;
    info.filter(|info| info.created_by == caller.user).ok_or(Error::NotFound("file"))
}

/// Whether the caller may be given a link to a file of this maker.
pub fn may_read(caller: &Caller, created_by: UserId) -> bool {
    caller.require_for(Permission::FilesRead, Some(created_by)).is_ok()
}

/// Deletes the file: its rows, then its bytes. Nothing happens where it is gone already.
pub async fn remove(files: &Files, workspace: WorkspaceId, file: FileId) -> Result<()> {
    let mut tx = files.db.begin(&workspace).await?;
    let keys = queries::delete(tx.connection(), workspace, file).await?;
    tx.commit().await?;
    files.store.delete(keys).await
}
