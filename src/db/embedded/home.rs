//! The folder that holds the cluster, and the locks on it: the data folder itself, or, where PostgreSQL's user
//! cannot enter that (a clone below `/root`, which stays closed), a folder in `/var/lib/kontor` to which a note
//! in the data folder points.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::Error;
use super::account::Account;

/// We may be root, and the folder another's: a link that lies there must not lead us to a third one's file.
pub(super) const NO_LINKS: i32 = OFlags::NOFOLLOW.bits().cast_signed();

const LOCK: &str = "postgres.lock";
/// In the data folder: where the cluster is, if not here.
const NOTE: &str = "postgres.location";
/// In a folder elsewhere: whose it is.
const OWNER: &str = "data-folder";
const ELSEWHERE: &str = "/var/lib/kontor";

/// While it lives, nobody else starts a PostgreSQL here.
pub(super) struct Home {
    data_dir: PathBuf,
    /// Where the cluster is. Absolute, without links.
    pub folder: PathBuf,
    /// Closed on exec, as all files of the standard library are: PostgreSQL must not inherit the lock, or an
    /// orphan would hold it.
    locks: Vec<File>,
}

impl Home {
    /// Makes the data folder if it is missing, locks it and follows its note.
    pub fn open(data_dir: &Path) -> Result<Self, Error> {
        make_folder(data_dir)?;
        let data_dir = data_dir.canonicalize().map_err(|e| Error::io("find", data_dir, e))?;
        let mut home = Self { folder: data_dir.clone(), locks: vec![lock(&data_dir)?], data_dir };
        if let Some(place) = home.noted_place()? {
            home.move_to(place)?;
        }
        Ok(home)
    }

    pub fn cluster(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    /// Where a cluster stands until it is whole.
    pub fn unfinished_cluster(&self) -> PathBuf {
        self.folder.join("postgres.init")
    }

    /// What PostgreSQL says before it has a log of its own.
    pub fn first_words(&self) -> PathBuf {
        self.folder.join("postgres.start.log")
    }

    /// Takes a new folder that every user can reach, and notes that down.
    pub fn relocate(&mut self, account: &Account) -> Result<(), Error> {
        let label = self.data_dir.display().to_string();
        // Random, not a hash of the path: who deletes the data folder and starts again expects an empty database.
        let number = RandomState::new().hash_one(&label);
        let place = Path::new(ELSEWHERE).join(format!("{number:016x}"));
        make_folder(Path::new(ELSEWHERE))?;
        make_folder(&place)?;
        write_whole(&place.join(OWNER), &label)?;
        write_whole(&self.data_dir.join(NOTE), &place.display().to_string())?;
        tracing::warn!(
            "the user {} cannot enter {label}, so the database is kept in {}; {NOTE} in the data folder says so too",
            account.name,
            place.display()
        );
        self.move_to(place)
    }

    fn move_to(&mut self, place: PathBuf) -> Result<(), Error> {
        self.locks.push(lock(&place)?);
        self.folder = place;
        Ok(())
    }

    fn noted_place(&self) -> Result<Option<PathBuf>, Error> {
        let note = self.data_dir.join(NOTE);
        let Some(text) = read_line(&note)? else {
            return Ok(None);
        };
        let place = PathBuf::from(text);
        // We may be root here, and the data folder another's: such a note leads nowhere but to our own folders.
        if place.parent() != Some(Path::new(ELSEWHERE)) || place.file_name().is_none() {
            return Err(Error::BadNote { note });
        }
        if !place.is_dir() {
            return Err(Error::Lost { folder: place, note });
        }
        self.refuse_if_copied(&place, note)?;
        Ok(Some(place))
    }

    /// A data folder may be moved, but of two copies only the first may have the database.
    fn refuse_if_copied(&self, place: &Path, note: PathBuf) -> Result<(), Error> {
        let owner = place.join(OWNER);
        let label = self.data_dir.display().to_string();
        let original = read_line(&owner)?.map(PathBuf::from);
        match original {
            Some(original) if original == self.data_dir => Ok(()),
            Some(original) if is_same_file(&original.join(NOTE), &note) => Ok(()),
            Some(original) if original.join(NOTE).exists() => {
                Err(Error::Copied { original, folder: place.to_owned(), note })
            }
            _ => write_whole(&owner, &label),
        }
    }
}

/// Where the cluster's folder is, for those who only look: nothing is locked, made or checked.
pub(super) fn place_of(data_dir: &Path) -> PathBuf {
    let noted = read_line(&data_dir.join(NOTE)).ok().flatten();
    noted.map_or_else(|| data_dir.to_owned(), PathBuf::from)
}

/// Makes the folder if it is missing. Other users may pass through one that root makes, or PostgreSQL could not
/// reach its own in there; all that is inside is closed to them by its own mode.
fn make_folder(folder: &Path) -> Result<(), Error> {
    if folder.is_dir() {
        return Ok(());
    }
    let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(folder)
        // Again, for root's umask may take away what was asked for.
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(mode)))
        .map_err(|e| Error::io("make the folder", folder, e))
}

fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOCK);
    // Never deleted: a lock on a file without a name keeps nobody out.
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(NO_LINKS)
        .open(&path)
        .map_err(|e| Error::io("open", &path, e))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            return Err(Error::InUse { folder: folder.to_owned(), holder: holder(&mut file) });
        }
        Err(errno) => return Err(Error::io("lock", &path, errno.into())),
    }
    file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(|e| Error::io("write", &path, e))?;
    Ok(file)
}

/// Its holder has written its pid into it, unless it took the lock this very moment.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse::<u32>().ok()) {
        Some(pid) if pid == std::process::id() => format!("this very process ({pid})"),
        Some(pid) => format!("another Kontor (process {pid})"),
        None => "another Kontor".to_owned(),
    }
}

fn read_line(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

/// A reader finds the old text or the new, never half of it. A draft that is there already is an
/// earlier attempt's, or a trap: nothing is written into it.
fn write_whole(path: &Path, text: &str) -> Result<(), Error> {
    let draft = path.with_extension("new");
    let _ = fs::remove_file(&draft);
    let written = File::create_new(&draft).and_then(|mut file| {
        writeln!(file, "{text}")?;
        file.sync_all()?;
        fs::rename(&draft, path)
    });
    written.map_err(|e| Error::io("write", path, e))
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}
