//! What can keep the embedded PostgreSQL from running, each as one sentence that says what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// Why the embedded PostgreSQL does not run. Every text is one sentence for the person who starts Kontor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(
        "PostgreSQL 15 or newer is not installed; install it (Debian and Ubuntu: sudo apt-get install postgresql) or set DATABASE_URL"
    )]
    NotInstalled,

    #[error(
        "{} holds no PostgreSQL 15 or newer (the programs postgres and initdb); correct that setting or leave it out",
        .folder.display()
    )]
    NoBinariesIn { folder: PathBuf },

    #[error(
        "the database in {} was made by PostgreSQL {made_by}, but this machine has {found}; install PostgreSQL {made_by} (Debian and Ubuntu: sudo apt-get install postgresql-{made_by}) or choose another data folder",
        .folder.display()
    )]
    OtherVersion { folder: PathBuf, made_by: u32, found: String },

    #[error("the data folder {} is in use by {holder}; stop that one first or choose another data folder", .folder.display())]
    InUse { folder: PathBuf, holder: String },

    #[error("the disk that holds {} is full; free some space and start again", .folder.display())]
    DiskFull { folder: PathBuf },

    #[error("cannot write in {} ({source}); let this user write there or choose another data folder", .folder.display())]
    NotWritable {
        folder: PathBuf,
        #[source]
        source: io::Error,
    },

    #[error("{} exists, but is no PostgreSQL database; move it away or choose another data folder", .folder.display())]
    NotACluster { folder: PathBuf },

    #[error(
        "the database in {} belongs to another user (uid {owner}); start Kontor as that user or choose another data folder",
        .folder.display()
    )]
    NotOurs { folder: PathBuf, owner: u32 },

    #[error(
        "PostgreSQL refuses to run as root, and there is no user postgres or nobody; make one (useradd --system postgres), start Kontor as an ordinary user, or set DATABASE_URL"
    )]
    NoAccount,

    #[error(
        "Kontor runs as root, but may not start PostgreSQL as the user {user} ({source}); start Kontor as an ordinary user or set DATABASE_URL"
    )]
    CannotSwitch {
        user: String,
        #[source]
        source: io::Error,
    },

    #[error(
        "the user {user}, as whom PostgreSQL must run, cannot enter {}; move the data folder to a place open to that user, such as /var/lib/kontor",
        .folder.display()
    )]
    Unreachable { folder: PathBuf, user: String },

    #[error(
        "the note {} names no folder of ours; correct it, or delete it to start with an empty database",
        .note.display()
    )]
    BadNote { note: PathBuf },

    #[error(
        "the database was in {}, which is missing; bring it back, or delete {} to start with an empty one",
        .folder.display(), .note.display()
    )]
    Lost { folder: PathBuf, note: PathBuf },

    #[error(
        "the data folder is a copy of {}, to which the database in {} belongs; delete {} to start with an empty one",
        .original.display(), .folder.display(), .note.display()
    )]
    Copied { original: PathBuf, folder: PathBuf, note: PathBuf },

    #[error("{}, the folder for PostgreSQL's socket, is not ours alone; remove it and start again", .folder.display())]
    UnsafeSocket { folder: PathBuf },

    #[error(
        "an earlier PostgreSQL (process {pid}) does not let go of {}; end it (kill -9 {pid}) and start again",
        .folder.display()
    )]
    Stuck { folder: PathBuf, pid: u32 },

    #[error("PostgreSQL could not make a database in {}: {reason}", .folder.display())]
    InitFailed { folder: PathBuf, reason: String },

    #[error("PostgreSQL does not start in {}: {reason}", .folder.display())]
    StartFailed { folder: PathBuf, reason: String },

    #[error("PostgreSQL was started, but refuses us: {}", database_words(.source))]
    Connection {
        #[source]
        source: tokio_postgres::Error,
    },

    #[error("PostgreSQL was stopped before it was ready")]
    Interrupted,

    #[error("cannot {doing} {}: {source}", .path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// The error of an operation on a file or folder, told by its cause.
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let folder = || path.parent().unwrap_or(path).to_owned();
        match source.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOSPC | Errno::DQUOT) => Self::DiskFull { folder: folder() },
            Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Self::NotWritable { folder: folder(), source },
            _ => Self::Io { doing, path: path.to_owned(), source },
        }
    }
}

/// tokio-postgres says only "db error" for what the server answered.
fn database_words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(answer) => answer.message().to_owned(),
        None => error.to_string(),
    }
}
