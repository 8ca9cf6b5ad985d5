//! Finds PostgreSQL's programs: where the setting says, in the distributions' folders, or on the PATH. An
//! existing cluster takes those of its own major version, for no other can read it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Error;
use super::account::Account;

/// The oldest major version that Kontor works with.
const OLDEST: u32 = 15;

/// The programs of one PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    pub major: u32,
    folder: PathBuf,
}

impl Binaries {
    pub fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    pub fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }
}

/// Every usable PostgreSQL that the account may run, the newest first; never empty.
pub(super) fn installed(setting: Option<&Path>, account: &Account) -> Result<Vec<Binaries>, Error> {
    let folders = match setting {
        Some(folder) => vec![folder.to_owned()],
        None => candidates(),
    };
    let mut found: Vec<Binaries> = Vec::new();
    for folder in folders {
        let Some(binaries) = examine(&folder, account)? else {
            continue;
        };
        if !found.contains(&binaries) {
            found.push(binaries);
        }
    }
    // Stable: among equals, the distribution's folder stays before the PATH.
    found.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
    match (found.is_empty(), setting) {
        (false, _) => Ok(found),
        (true, None) => Err(Error::NotInstalled),
        (true, Some(folder)) => Err(Error::NoBinariesIn { folder: folder.to_owned() }),
    }
}

/// Those that can read a cluster of this version.
pub(super) fn of_version(installed: &[Binaries], major: u32, cluster: &Path) -> Result<Binaries, Error> {
    installed.iter().find(|binaries| binaries.major == major).cloned().ok_or_else(|| Error::OtherVersion {
        folder: cluster.to_owned(),
        made_by: major,
        found: versions(installed),
    })
}

fn versions(installed: &[Binaries]) -> String {
    let mut majors: Vec<String> = installed.iter().map(|binaries| binaries.major.to_string()).collect();
    majors.dedup();
    majors.join(" and ")
}

fn candidates() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    // Debian and Ubuntu; Red Hat's by postgresql.org; Alpine; Homebrew on either processor; built by hand.
    for (parent, prefix, below) in [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/usr/libexec", "postgresql", ""),
        ("/opt/homebrew/opt", "postgresql", "bin"),
        ("/usr/local/opt", "postgresql", "bin"),
    ] {
        folders.extend(entries(Path::new(parent), prefix).map(|folder| folder.join(below)));
    }
    folders.push("/usr/local/pgsql/bin".into());
    folders.push("/usr/bin".into());
    if let Some(path) = env::var_os("PATH") {
        folders.extend(env::split_paths(&path).filter(|folder| folder.is_absolute()));
    }
    folders
}

fn entries(parent: &Path, prefix: &str) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter(move |entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
}

/// The PostgreSQL in a folder, if there is a usable one. A program that cannot be run is passed over.
fn examine(folder: &Path, account: &Account) -> Result<Option<Binaries>, Error> {
    // A package manager's `bin` holds links; initdb stands beside the real server.
    let Ok(postgres) = folder.join("postgres").canonicalize() else {
        return Ok(None);
    };
    let Some(folder) = postgres.parent() else {
        return Ok(None);
    };
    if !folder.join("initdb").is_file() {
        return Ok(None);
    }
    let mut command = Command::new(&postgres);
    command.arg("--version").env_clear().env("LC_ALL", "C").current_dir("/");
    command.stdin(Stdio::null());
    account.apply(&mut command);
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return account.refusal(error).map_or_else(|_| Ok(None), Err),
    };
    let major = major_of(&String::from_utf8_lossy(&output.stdout)).filter(|major| *major >= OLDEST);
    Ok(major.map(|major| Binaries { major, folder: folder.to_owned() }))
}

/// From `postgres (PostgreSQL) 15.18 (Debian ...)`, `... 18beta1`, `... 19devel`.
fn major_of(answer: &str) -> Option<u32> {
    let version = answer.split_once("(PostgreSQL)")?.1.trim_start();
    let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_major_version() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_of("postgres (PostgreSQL) 17"), Some(17));
        assert_eq!(major_of("command not found"), None);
    }

    #[test]
    fn a_cluster_takes_its_own_version_and_no_other() {
        let installed = [17, 15].map(|major| Binaries { major, folder: format!("/pg/{major}").into() });
        let cluster = Path::new("/data/postgres");
        assert_eq!(of_version(&installed, 15, cluster).unwrap().major, 15);
        let error = of_version(&installed, 18, cluster).unwrap_err().to_string();
        assert!(error.contains("made by PostgreSQL 18, but this machine has 17 and 15"), "{error}");
    }
}
