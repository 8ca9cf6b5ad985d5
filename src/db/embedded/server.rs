//! A server that is ready to be started: the folder locked, found or made, the programs and the user chosen.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use super::account::Account;
use super::binaries::{self, Binaries};
use super::child::{self, Events, Running};
use super::cluster::{self, Cluster};
use super::home::Home;
use super::{Config, Error, leftovers, log, settings, socket};

/// All that a start needs, and the lock that makes it ours.
pub(super) struct Server {
    pub home: Home,
    pub cluster: PathBuf,
    account: Account,
    pub binaries: Binaries,
    pub sockets: PathBuf,
    arguments: Vec<OsString>,
}

impl Server {
    pub fn prepare(config: &Config, events: &Events) -> Result<Self, Error> {
        let account = Account::choose()?;
        let installed = binaries::installed(config.bin_dir.as_deref(), &account)?;
        let mut home = Home::open(&config.data_dir)?;
        let existing = cluster::look(&home.cluster())?;
        let account = match &existing {
            Some(cluster) => account.for_owner(&cluster.metadata),
            None => account,
        };
        let newest = installed.first().ok_or(Error::NotInstalled)?;
        find_reachable_home(&mut home, &account, newest, existing.is_some())?;
        let cluster = home.cluster();
        let binaries = match existing {
            Some(existing) => {
                let binaries = binaries::of_version(&installed, existing.major, &cluster)?;
                take_over(&existing, &cluster, &account)?;
                binaries
            }
            None => {
                cluster::make(&home, &account, newest, events)?;
                newest.clone()
            }
        };
        let sockets = socket::folder(&home.folder, &account)?;
        let arguments = settings::arguments(config, &cluster, &sockets, &leftovers::mark(&cluster));
        Ok(Self { home, cluster, account, binaries, sockets, arguments })
    }

    pub fn start(&self, events: &Events) -> Result<Running, Error> {
        leftovers::end_all(&self.cluster)?;
        self.remove_stale_locks()?;
        log::prune(&self.cluster);
        let program = self.binaries.postgres();
        let mut command = child::command(&program, &self.account, &self.home.first_words())?;
        command.args(&self.arguments);
        Running::spawn(command, Signal::INT, &self.account, events)
    }

    /// PostgreSQL's own lock files name a process id, and it refuses to start while that is some living process
    /// of the same user. We know better: the folder is locked, and nobody is at work in it.
    fn remove_stale_locks(&self) -> Result<(), Error> {
        let of_socket = format!(".s.PGSQL.{}.lock", socket::PORT);
        for path in [self.cluster.join("postmaster.pid"), self.sockets.join(of_socket)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub fn words(&self) -> log::Words {
        log::Words::read(&self.home.first_words(), Some(&self.cluster))
    }

    pub fn is_ready(&self, running: &Running) -> bool {
        let file = leftovers::pid_file(&self.cluster);
        file.is_some_and(|file| file.ready && file.pid.as_raw_nonzero().get().cast_unsigned() == running.id())
    }
}

/// Moves a home that PostgreSQL's user cannot enter, while there is nothing in it to lose.
fn find_reachable_home(home: &mut Home, account: &Account, any: &Binaries, has_cluster: bool) -> Result<(), Error> {
    let program = any.postgres();
    if account.can_enter(&home.folder, &program)? {
        return Ok(());
    }
    if !has_cluster {
        home.relocate(account)?;
        if account.can_enter(&home.folder, &program)? {
            return Ok(());
        }
    }
    Err(Error::Unreachable { folder: home.folder.clone(), user: account.name.clone() })
}

fn take_over(existing: &Cluster, folder: &Path, account: &Account) -> Result<(), Error> {
    leftovers::end_orphan(folder)?;
    // Restored by root from a copy, say.
    if account.is_other() && existing.metadata.uid() == 0 {
        tracing::info!("handing {} over to the user {}", folder.display(), account.name);
        account.give_all(folder)?;
    }
    Ok(())
}
