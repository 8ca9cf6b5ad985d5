//! The PostgreSQL that Kontor starts itself when it is given no `DATABASE_URL`: found on the machine, kept in
//! the data folder, reached by a unix socket only, restarted after a crash and stopped with us.
//!
//! What holds, and where it is kept:
//! - **Never two servers on one folder**: a `flock` that the supervisor holds as long as its PostgreSQL lives
//!   ([`home`]). An orphan of an earlier run is stopped and started anew ([`leftovers`]).
//! - **Nothing half-made**: a cluster is made beside its place and renamed into it ([`cluster`]).
//! - **Root is dropped**: PostgreSQL refuses to run as root ([`account`]). Where its user cannot enter the data
//!   folder (a clone below `/root`), the cluster stands in `/var/lib/kontor`, and a note in the data folder
//!   says so ([`home`]).
//! - **Acknowledged means on disk**: fsync stays on, also in development.
//! - **One thread forks and supervises** ([`supervisor`]): Linux tells a child that its parent has died when
//!   the *thread* that forked it ends.
//!
//! As PID 1 of a container we inherit what a crashed PostgreSQL leaves behind; those processes are stopped and
//! reaped by their ids. A catch-all reaper (`waitpid(-1)`) elsewhere in the program would be harmless, but the
//! exit status in the log would then be unknown.
//!
//! Under systemd use `KillMode=mixed`: the default also signals PostgreSQL, which then refuses new connections
//! while Kontor is still finishing its requests.
//!
//! Outside Linux nothing tells PostgreSQL that we were killed; it then runs on until the next start stops it.

mod account;
mod binaries;
mod child;
mod cluster;
mod error;
mod home;
mod leftovers;
mod log;
mod server;
mod settings;
mod socket;
mod supervisor;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

pub use error::Error;

/// The superuser of a cluster that we make.
const USER: &str = "kontor";

/// How long a dropped [`Embedded`] waits for an orderly end: a drop blocks its thread.
const LIMIT_OF_DROP: Duration = Duration::from_secs(5);

/// What the embedded PostgreSQL needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Kontor's data folder, made if missing; the cluster is in its `postgres`.
    pub data_dir: PathBuf,
    /// The folder of `postgres` and `initdb`, where they are not to be searched for.
    pub bin_dir: Option<PathBuf>,
    /// The database to connect to, made if missing.
    pub database: String,
    /// PostgreSQL settings over ours; those that keep the server private and its folder ours cannot be changed.
    pub settings: Vec<(String, String)>,
}

impl Config {
    /// The database `kontor` in `data_dir`, by whatever PostgreSQL is on the machine.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), bin_dir: None, database: "kontor".to_owned(), settings: Vec::new() }
    }
}

/// How the server is; see [`Embedded::watch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It accepts connections.
    Ready,
    /// It ended by itself and is being started again.
    Restarting,
    /// It is not started again; the reason is a sentence for people.
    Stopped(String),
}

/// A running PostgreSQL. Dropping it stops the server and blocks until it has ended, for some seconds at most;
/// [`Embedded::stop`] is the orderly way.
pub struct Embedded {
    database: String,
    socket: PathBuf,
    states: watch::Receiver<State>,
    supervisor: supervisor::Handle,
}

impl Embedded {
    /// Starts the server, after making cluster and database where they are missing, and returns once it accepts
    /// connections. Repair after a crash is part of that and may take minutes; drop the future to give up.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let database = config.database.clone();
        let (supervisor, ready, states) = supervisor::spawn(config)?;
        let socket = ready.await.map_err(|_| Error::Interrupted)??;
        let embedded = Self { database, socket, states, supervisor };
        embedded.make_database().await?;
        Ok(embedded)
    }

    /// How to connect, as the superuser of the cluster.
    pub fn connection(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host_path(&self.socket).port(socket::PORT).user(USER).dbname(&self.database);
        config
    }

    /// The same as a URL, for tools that want one.
    pub fn url(&self) -> String {
        url(&self.socket, &self.database)
    }

    /// The state, now and at every change. An application shows `Restarting` as "try again" and ends at
    /// `Stopped`.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.states.clone()
    }

    /// Stops the server: an orderly shutdown for at most `limit`, then a hard one, from which the next start
    /// recovers. Returns when it has ended and the folder is free.
    pub async fn stop(mut self, limit: Duration) -> Result<(), Error> {
        self.supervisor.stop(limit).await
    }

    async fn make_database(&self) -> Result<(), Error> {
        match self.connection().connect(NoTls).await {
            Ok(_) => return Ok(()),
            Err(error) if error.code() == Some(&SqlState::INVALID_CATALOG_NAME) => {}
            Err(source) => return Err(Error::Connection { source }),
        }
        let mut config = self.connection();
        let (client, connection) =
            config.dbname("postgres").connect(NoTls).await.map_err(|source| Error::Connection { source })?;
        let connection = tokio::spawn(connection);
        let name = self.database.replace('"', "\"\"");
        let made = client.batch_execute(&format!("CREATE DATABASE \"{name}\"")).await;
        drop(client);
        // Ends by itself once the client is gone; its error would only repeat the client's.
        let _ = connection.await;
        made.map_err(|source| Error::Connection { source })
    }
}

/// Whether a cluster has been made. An error says what would keep one from being made or started, as
/// far as can be seen without touching anything.
pub fn is_made(config: &Config) -> Result<bool, Error> {
    binaries::installed(config.bin_dir.as_deref(), &account::Account::choose()?)?;
    Ok(home::place_of(&config.data_dir).join("postgres").exists())
}

/// How to connect to the server that another process runs on the data folder, if it is ready.
pub fn url_of_running(config: &Config) -> Option<String> {
    let cluster = home::place_of(&config.data_dir).join("postgres");
    let socket = leftovers::pid_file(&cluster).filter(|file| file.ready)?.socket?;
    Some(url(&socket, &config.database))
}

fn url(socket: &Path, database: &str) -> String {
    let host = percent_encoded(&socket.to_string_lossy());
    let database = percent_encoded(database);
    format!("postgresql://{USER}@/{database}?host={host}&port={}", socket::PORT)
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_with_odd_characters_leads_to_the_same_place() {
        let config: tokio_postgres::Config = url(Path::new("/srv/my data/100%/ü"), "a&b").parse().unwrap();
        assert_eq!(config.get_hosts(), [tokio_postgres::config::Host::Unix("/srv/my data/100%/ü".into())]);
        assert_eq!(config.get_dbname(), Some("a&b"));
        assert_eq!(config.get_user(), Some(USER));
    }
}
