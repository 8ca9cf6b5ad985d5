//! Mail for people who have no server: one `.eml` file per message, readable by any mail program.

use std::{io, path::PathBuf};

use uuid::Uuid;

use crate::base::{Error, Result};

#[derive(Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder, readable by its owner alone: the mails hold links that let people in.
    pub fn new(path: PathBuf) -> Result<Self> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let made = builder.create(&path);
        made.map_err(|error| {
            Error::Unavailable(format!("The folder of mails, {}, cannot be used: {error}.", path.display()).into())
        })?;
        Ok(Self(path))
    }

    /// Writes the message whole or not at all; a second attempt at a mail replaces the first.
    pub async fn write(&self, id: Uuid, message: Vec<u8>) -> Result<()> {
        let (unfinished, done) = (self.0.join(format!(".{id}")), self.0.join(format!("{id}.eml")));
        let write = move || -> io::Result<()> {
            std::fs::write(&unfinished, message)?;
            std::fs::rename(&unfinished, &done)
        };
        tokio::task::spawn_blocking(write).await.map_err(Error::internal)?.map_err(|error| {
            tracing::error!(%error, "a mail could not be written");
            Error::Unavailable("The folder of mails cannot be written to".into())
        })
    }
}
