//! The folder of the unix socket: closed to all but PostgreSQL's user, since whoever reaches the socket is let
//! in, and with a path short enough for the kernel.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::Error;
use super::account::Account;

/// Part of the socket's name; nothing listens on a TCP port.
pub(super) const PORT: u16 = 5432;

/// The longest path of a socket, without the closing zero.
const LONGEST: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Makes and checks the folder; in `home`, or if that path will not do, in a short one of this user.
pub(super) fn folder(home: &Path, account: &Account) -> Result<PathBuf, Error> {
    let usual = home.join("postgres.socket");
    let folder = if is_usable(&usual) {
        remove_if_of_another(&usual, account)?;
        usual
    } else {
        let short = short_folder(home, account);
        tracing::info!(
            "PostgreSQL's socket is in {}, for the path of the data folder is too long or too odd",
            short.display()
        );
        short
    };
    make_private(&folder, account)?;
    Ok(folder)
}

/// Leaves nothing in `/tmp` when the server has ended.
pub(super) fn remove_if_elsewhere(sockets: &Path, home: &Path) {
    if !sockets.starts_with(home) {
        // Not empty or not there: then the next start deals with it.
        let _ = fs::remove_dir(sockets);
    }
}

/// Short enough; and, as the path also goes through URLs and comma-separated lists, plain enough.
fn is_usable(folder: &Path) -> bool {
    let socket = folder.join(format!(".s.PGSQL.{PORT}"));
    let plain = folder.to_str().is_some_and(|text| !text.contains([',', '\n']));
    plain && socket.as_os_str().len() <= LONGEST
}

/// The same for the same home, so that tools find the socket again after a restart.
fn short_folder(home: &Path, account: &Account) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    home.hash(&mut hasher);
    let name = format!("kontor-{}-{:016x}", account.uid, hasher.finish());
    // Root's own runtime folder is closed to PostgreSQL's user.
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| {
        !account.is_other() && folder.is_absolute() && is_usable(&folder.join(&name)) && is_of(folder, account.uid)
    });
    runtime.unwrap_or_else(|| "/tmp".into()).join(name)
}

fn is_of(folder: &Path, uid: u32) -> bool {
    fs::metadata(folder).is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == uid)
}

/// In the home, which is ours, one of another owner is left from when the cluster was another user's.
fn remove_if_of_another(folder: &Path, account: &Account) -> Result<(), Error> {
    match fs::symlink_metadata(folder) {
        Ok(metadata) if metadata.is_dir() && metadata.uid() != account.uid => {
            fs::remove_dir_all(folder).map_err(|e| Error::io("remove", folder, e))
        }
        _ => Ok(()),
    }
}

/// In `/tmp` anybody may have made the name before us: so no link is followed, and what is there must be ours.
fn make_private(folder: &Path, account: &Account) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Error::io("make the folder", folder, error)),
    }
    let unsafe_socket = || Error::UnsafeSocket { folder: folder.to_owned() };
    let opened = open_without_links(folder).map_err(|_| unsafe_socket())?;
    let failed = |e| Error::io("look into", folder, e);
    let own = rustix::process::geteuid().as_raw();
    let owner = opened.metadata().map_err(failed)?.uid();
    if owner != account.uid && owner != own {
        return Err(unsafe_socket());
    }
    if account.is_other() {
        fchown(&opened, Some(account.uid), Some(account.gid)).map_err(failed)?;
    }
    opened.set_permissions(fs::Permissions::from_mode(0o700)).map_err(failed)
}

fn open_without_links(folder: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_that_fits_is_used() {
        let room = LONGEST - "/.s.PGSQL.5432".len();
        assert!(is_usable(Path::new(&format!("/{}", "x".repeat(room - 1)))));
        assert!(!is_usable(Path::new(&format!("/{}", "x".repeat(room)))));
        assert!(!is_usable(Path::new("/a,b")));
    }
}
