//! The cluster's folder: whether there is one, whose and of which version, and how a new one is made so that a
//! half-made one is never taken for whole.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use rustix::process::Signal;

use super::account::Account;
use super::binaries::Binaries;
use super::child::{self, Ended, Events, Running};
use super::home::Home;
use super::{Error, USER, leftovers, log};

/// An existing cluster.
pub(super) struct Cluster {
    /// The major version that made it, the only one that can read it.
    pub major: u32,
    pub metadata: Metadata,
}

/// The cluster in this place, if one was made here.
pub(super) fn look(folder: &Path) -> Result<Option<Cluster>, Error> {
    let metadata = match fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("look into", folder, error)),
    };
    let not_a_cluster = || Error::NotACluster { folder: folder.to_owned() };
    if !metadata.is_dir() {
        return Err(not_a_cluster());
    }
    let own = rustix::process::geteuid();
    if !own.is_root() && metadata.uid() != own.as_raw() {
        return Err(Error::NotOurs { folder: folder.to_owned(), owner: metadata.uid() });
    }
    let version = folder.join("PG_VERSION");
    match fs::read_to_string(&version) {
        Ok(text) => {
            let major = text.trim().parse().map_err(|_| not_a_cluster())?;
            Ok(Some(Cluster { major, metadata }))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("read", &version, error)),
        Err(_) if is_empty(folder)? => Ok(None),
        Err(_) => Err(not_a_cluster()),
    }
}

fn is_empty(folder: &Path) -> Result<bool, Error> {
    let mut entries = fs::read_dir(folder).map_err(|e| Error::io("read", folder, e))?;
    Ok(entries.next().is_none())
}

/// Makes a cluster beside its place and moves it there once it is whole and on disk.
pub(super) fn make(home: &Home, account: &Account, binaries: &Binaries, events: &Events) -> Result<(), Error> {
    tracing::info!("making a database in {} with PostgreSQL {}", home.cluster().display(), binaries.major);
    let unfinished = home.unfinished_cluster();
    let made = init_in_best_locale(home, account, binaries, events);
    if let Err(error) = made {
        // A full disk above all needs the space back.
        let _ = fs::remove_dir_all(&unfinished);
        return Err(error);
    }
    let cluster = home.cluster();
    fs::rename(&unfinished, &cluster).map_err(|e| Error::io("make", &cluster, e))?;
    File::open(&home.folder).and_then(|folder| folder.sync_all()).map_err(|e| Error::io("save", &home.folder, e))
}

/// Sorts by code point, so that no update of the system's locales can break an index, and folds the letters of
/// all languages, if it can. From version 17 PostgreSQL brings that itself.
fn init_in_best_locale(home: &Home, account: &Account, binaries: &Binaries, events: &Events) -> Result<(), Error> {
    let init = |locale: &[&str]| init(home, account, binaries, events, locale);
    if binaries.major >= 17 {
        return init(&["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]);
    }
    match init(&["--locale=C.UTF-8"]) {
        Err(Error::InitFailed { reason, .. }) if reason.contains("locale") => {
            tracing::warn!(
                "this machine has no locale C.UTF-8: upper and lower case will be known of English letters only"
            );
            init(&["--locale=C"])
        }
        result => result,
    }
}

fn init(home: &Home, account: &Account, binaries: &Binaries, events: &Events, locale: &[&str]) -> Result<(), Error> {
    let folder = home.unfinished_cluster();
    empty_folder(&folder, account)?;
    let mut command = child::command(&binaries.initdb(), account, &home.first_words())?;
    command.arg("--pgdata").arg(&folder);
    command.arg(format!("--username={USER}"));
    command.args(["--encoding=UTF8", "--data-checksums", "--no-instructions"]);
    // The socket's folder is closed to others, and there is no other way in.
    command.args(["--auth-local=trust", "--auth-host=reject"]);
    command.args(locale);
    let initdb = Running::spawn(command, Signal::KILL, account, events)?;
    match initdb.finish(events) {
        Ended::Well => Ok(()),
        Ended::OnRequest => Err(Error::Interrupted),
        Ended::Badly(status) => Err(init_error(home, &folder, &status)),
    }
}

/// The unfinished cluster's folder, new. What an interrupted start left in it is thrown away.
fn empty_folder(folder: &Path, account: &Account) -> Result<(), Error> {
    if fs::symlink_metadata(folder).is_ok() {
        tracing::info!("throwing away the half-made database in {}", folder.display());
        leftovers::end_all(folder)?;
        fs::remove_dir_all(folder).map_err(|e| Error::io("remove", folder, e))?;
    }
    DirBuilder::new().mode(0o700).create(folder).map_err(|e| Error::io("make the folder", folder, e))?;
    account.give(folder)
}

fn init_error(home: &Home, folder: &Path, status: &str) -> Error {
    let words = log::Words::read(&home.first_words(), None);
    if words.tell_of_full_disk() {
        return Error::DiskFull { folder: home.folder.clone() };
    }
    Error::InitFailed {
        folder: folder.to_owned(),
        reason: words.reason().unwrap_or_else(|| format!("initdb {status}")),
    }
}
