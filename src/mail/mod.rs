//! Mail out: by SMTP, or into a folder of messages where no server is configured, so that a person
//! can read there what would have been sent. Sending is slow and fails; operations enqueue a job
//! for it, and only jobs call [`Mailer::send`].

mod folder;
pub mod message;
mod smtp;
pub mod template;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::base::{Clock, Error, Result, Secret};

pub use message::Mail;

/// How mail is sent, and in whose name.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The mail server: `smtp://user:password@host:587`, or `smtps://` for TLS from the first
    /// byte. `?tls=required`, `opportunistic` or `none` says what `smtp://` does about STARTTLS;
    /// unset, it is required where there is a password. Without a URL, mail goes into a folder.
    pub url: Option<Secret<String>>,
    /// The sender: an address, or `Name <address>`. Message-IDs carry its domain.
    pub from: String,
    /// Seconds that the server may take for one command.
    pub timeout_seconds: u64,
    /// The folder, where there is no server; `mail` in the data folder unless set.
    pub folder: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self { url: None, from: "Kontor <kontor@localhost>".to_owned(), timeout_seconds: 30, folder: None }
    }
}

/// Sends mail; clones share the connections.
#[derive(Clone)]
pub struct Mailer {
    way: Way,
    from: lettre::message::Mailbox,
    clock: Clock,
}

#[derive(Clone)]
enum Way {
    Smtp(smtp::Smtp),
    Folder(folder::Folder),
}

impl Mailer {
    /// Reads the configuration; says in plain words what is wrong with it, without the password.
    /// The server is not called yet.
    pub fn new(config: &Config, data_dir: &Path, clock: Clock) -> Result<Self> {
        let from = config
            .from
            .parse()
            .map_err(|_| Error::invalid("mail.from", "is not a sender such as Kontor <kontor@example.com>"))?;
        let way = match &config.url {
            Some(url) => Way::Smtp(smtp::Smtp::new(url, config.timeout_seconds)?),
            None => Way::Folder(folder::Folder::new(config.folder.clone().unwrap_or_else(|| data_dir.join("mail")))?),
        };
        Ok(Self { way, from, clock })
    }

    /// Hands the mail to the server, or writes it down. Unavailable where trying again may help,
    /// any other error where it cannot. A mail that is sent again carries the same Message-ID.
    pub async fn send(&self, mail: &Mail) -> Result<()> {
        let message = message::build(mail, &self.from, self.clock.now())?;
        match &self.way {
            Way::Smtp(smtp) => smtp.send(message).await,
            Way::Folder(folder) => folder.write(mail.id, message.formatted()).await,
        }
    }
}
