//! The user as whom PostgreSQL runs: ourselves, but never root, which it refuses.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::io::Errno;

use super::Error;

/// Users of a system that are no person's, in the order in which we take them. As `nobody` the database is open
/// to whatever else runs as `nobody`; it is the last resort.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

#[derive(Clone, Debug)]
pub(super) struct Account {
    pub uid: u32,
    pub gid: u32,
    pub name: String,
    /// Whether it is another user than ourselves.
    switch: bool,
}

impl Account {
    /// Ourselves; as root, the first candidate that the system knows.
    pub fn choose() -> Result<Self, Error> {
        let uid = rustix::process::geteuid();
        if !uid.is_root() {
            return Ok(Self {
                uid: uid.as_raw(),
                gid: rustix::process::getegid().as_raw(),
                name: format!("uid {}", uid.as_raw()),
                switch: false,
            });
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        CANDIDATES.iter().find_map(|name| find_in(&passwd, name)).ok_or(Error::NoAccount)
    }

    /// The user for a cluster of this owner: as root we take the owner, so that `sudo` once in a while, or another
    /// uid of `postgres` in a new container, leaves the files alone.
    pub fn for_owner(self, owner: &fs::Metadata) -> Self {
        if !self.switch || owner.uid() == 0 || owner.uid() == self.uid {
            return self;
        }
        Self { uid: owner.uid(), gid: owner.gid(), name: format!("uid {}", owner.uid()), switch: true }
    }

    pub fn is_other(&self) -> bool {
        self.switch
    }

    /// Makes the command run as this user. The standard library drops the supplementary groups along with the
    /// uid, and does so before it changes folder and before any `pre_exec`.
    pub fn apply(&self, command: &mut Command) {
        if self.switch {
            command.uid(self.uid).gid(self.gid);
        }
    }

    /// Hands a file or folder of ours to this user; never follows a link.
    pub fn give(&self, path: &Path) -> Result<(), Error> {
        if self.switch {
            lchown(path, Some(self.uid), Some(self.gid)).map_err(|e| Error::io("hand over", path, e))?;
        }
        Ok(())
    }

    /// Hands over a folder and all that is in it.
    pub fn give_all(&self, folder: &Path) -> Result<(), Error> {
        self.give(folder)?;
        let entries = fs::read_dir(folder).map_err(|e| Error::io("read", folder, e))?;
        for entry in entries {
            let entry = entry.map_err(|e| Error::io("read", folder, e))?;
            let path = entry.path();
            // The type of the entry itself: a link to a folder is handed over as a link.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.give_all(&path)?;
            } else {
                self.give(&path)?;
            }
        }
        Ok(())
    }

    /// Whether this user can reach the folder by its path: tried, not computed, for access lists and security
    /// modules have a say too. `program` is anything that the user may run.
    pub fn can_enter(&self, folder: &Path, program: &Path) -> Result<bool, Error> {
        if !self.switch {
            return Ok(true);
        }
        let mut command = Command::new(program);
        command.arg("--version").env_clear().current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.apply(&mut command);
        match command.status() {
            Ok(_) => Ok(true),
            Err(error) if error.raw_os_error() == Some(Errno::ACCESS.raw_os_error()) => Ok(false),
            Err(error) => Err(self.refusal(error).unwrap_or_else(|e| Error::io("run", program, e))),
        }
    }

    /// Tells a failed change of user from a program that cannot be run.
    pub fn refusal(&self, error: io::Error) -> Result<Error, io::Error> {
        let changing_failed =
            matches!(error.raw_os_error().map(Errno::from_raw_os_error), Some(Errno::PERM | Errno::INVAL));
        if !self.switch || !changing_failed {
            return Err(error);
        }
        Ok(Error::CannotSwitch { user: self.name.clone(), source: error })
    }
}

/// `name:password:uid:gid:...`, the format of `/etc/passwd`.
fn find_in(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid: u32 = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        (uid != 0).then(|| Account { uid, gid, name: name.to_owned(), switch: true })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_user_by_its_whole_name() {
        let passwd = "postgres2:x:7:8::/:/bin/sh\npostgres:x:101:104:PostgreSQL,,,:/var/lib/postgresql:/bin/bash\n";
        let account = find_in(passwd, "postgres").unwrap();
        assert_eq!((account.uid, account.gid), (101, 104));
        assert!(find_in(passwd, "nobody").is_none());
        assert!(find_in("postgres:x:0:0::/:/bin/sh", "postgres").is_none(), "root by another name");
    }
}
