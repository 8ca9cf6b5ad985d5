//! Mail for people who have no server: one `.eml` file per message, readable by any mail program.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
};

use uuid::Uuid;

use crate::base::{Error, Result};

#[derive(Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder, readable by its owner alone: the mails hold links that let people in.
    pub fn new(path: PathBuf) -> Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|error| {
            Error::Unavailable(format!("The folder of mails, {}, cannot be used: {error}.", path.display()).into())
        })?;
        Ok(Self(path))
    }

    /// Writes the message whole or not at all; a second attempt at a mail replaces the first.
    pub async fn write(&self, id: Uuid, message: Vec<u8>) -> Result<()> {
        let (unfinished, done) = (self.0.join(format!(".{id}")), self.0.join(format!("{id}.eml")));
        let write = move || -> io::Result<()> {
            // Left by an attempt that died; whatever it is, it is not followed.
            let removed = fs::remove_file(&unfinished);
            removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?.write_all(&message)?;
            fs::rename(&unfinished, &done)
        };
        tokio::task::spawn_blocking(write).await.map_err(Error::internal)?.map_err(|error| {
            tracing::error!(%error, "a mail could not be written");
            Error::Unavailable("The folder of mails cannot be written to".into())
        })
    }
}
