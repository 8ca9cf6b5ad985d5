//! What an earlier run left behind: recognising the processes that are at work in a cluster, and ending them
//! without ever touching a stranger's.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
#[cfg(not(target_os = "linux"))]
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use super::Error;

/// How often a condition is looked at that nobody tells us of.
const GLANCE: Duration = Duration::from_millis(20);

/// A busy server writes out its memory before it ends; one that takes longer recovers at the next start.
const ORPHAN_SHUTDOWN: Duration = Duration::from_secs(60);

/// A name by which the processes of a cluster can be told in a list of processes (`cluster_name`).
pub(super) fn mark(cluster: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    cluster.hash(&mut hasher);
    format!("kontor-{:016x}", hasher.finish())
}

/// What `postmaster.pid` says: whose it is, the folder of its socket, and whether it accepts connections.
pub(super) struct PidFile {
    pub pid: Pid,
    pub socket: Option<PathBuf>,
    pub ready: bool,
}

/// None while it is missing or being written.
pub(super) fn pid_file(cluster: &Path) -> Option<PidFile> {
    let text = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    let lines: Vec<_> = text.lines().collect();
    let pid = lines.first()?.trim().parse().ok().and_then(Pid::from_raw)?;
    let socket = lines.get(4).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let ready = lines.get(7).is_some_and(|status| status.trim() == "ready");
    Some(PidFile { pid, socket, ready })
}

/// Ends a server that an earlier run of ours left on this cluster: orderly, if it can.
pub(super) fn end_orphan(cluster: &Path) -> Result<(), Error> {
    let orphan = pid_file(cluster).map(|file| file.pid);
    if let Some(pid) = orphan.filter(|pid| is_ours(*pid, cluster)) {
        let number = pid.as_raw_nonzero();
        tracing::info!("stopping the PostgreSQL (process {number}) that an earlier run left behind");
        send(pid, Signal::INT);
        let deadline = Instant::now() + ORPHAN_SHUTDOWN;
        while is_ours(pid, cluster) && Instant::now() < deadline {
            thread::sleep(GLANCE);
        }
    }
    end_all(cluster)
}

/// Ends all processes on this cluster at once: those that a dead server left, or that did not obey. Safe, since
/// the next start recovers from the log; necessary, since it is refused while one of them holds the memory.
pub(super) fn end_all(cluster: &Path) -> Result<(), Error> {
    for (signal, patience) in [(Signal::QUIT, Duration::from_secs(5)), (Signal::KILL, Duration::from_secs(10))] {
        let deadline = Instant::now() + patience;
        let mut told = Vec::new();
        while Instant::now() < deadline {
            let left = members(cluster);
            if left.is_empty() {
                reap_adopted();
                return Ok(());
            }
            for pid in left {
                if !told.contains(&pid) {
                    send(pid, signal);
                    told.push(pid);
                }
            }
            thread::sleep(GLANCE);
        }
    }
    match members(cluster).first() {
        None => Ok(()),
        Some(pid) => Err(Error::Stuck { folder: cluster.to_owned(), pid: pid.as_raw_nonzero().get().cast_unsigned() }),
    }
}

pub(super) fn send(pid: Pid, signal: Signal) {
    match rustix::process::kill_process(pid, signal) {
        // Gone already is what was wanted.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => tracing::warn!("cannot signal process {}: {error}", pid.as_raw_nonzero()),
    }
}

/// The living processes of the cluster.
#[cfg(target_os = "linux")]
fn members(cluster: &Path) -> Vec<Pid> {
    proc_ids().filter(|pid| is_ours(*pid, cluster)).collect()
}

#[cfg(target_os = "linux")]
fn proc_ids() -> impl Iterator<Item = Pid> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))
}

/// Whether this is a living PostgreSQL at work in this folder: a number found in a file may long be that of
/// another program, and a person's shell may stand in the folder too.
#[cfg(target_os = "linux")]
fn is_ours(pid: Pid, cluster: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let process = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    if !matches!(name.trim(), "postgres" | "postmaster") {
        return false;
    }
    let Ok(folder) = fs::metadata(cluster) else {
        return false;
    };
    match fs::metadata(process.join("cwd")) {
        Ok(cwd) => (cwd.dev(), cwd.ino()) == (folder.dev(), folder.ino()),
        // Root in a container may see the processes of another user, but not where they stand.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            fs::metadata(&process).is_ok_and(|metadata| metadata.uid() == folder.uid())
                && names_cluster(&process.join("cmdline"), cluster)
        }
        // A zombie stands nowhere.
        Err(_) => false,
    }
}

/// By its arguments (the first process) or its title (the others).
#[cfg(target_os = "linux")]
fn names_cluster(command_line: &Path, cluster: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;

    let words = fs::read(command_line).unwrap_or_default();
    let title = format!("postgres: {}: ", mark(cluster));
    words.starts_with(title.as_bytes())
        || words.split(|byte| *byte == 0).any(|word| word == cluster.as_os_str().as_bytes())
}

#[cfg(not(target_os = "linux"))]
fn members(cluster: &Path) -> Vec<Pid> {
    let first = pid_file(cluster).map(|file| file.pid);
    first.into_iter().filter(|pid| is_ours(*pid, cluster)).collect()
}

#[cfg(not(target_os = "linux"))]
fn is_ours(pid: Pid, cluster: &Path) -> bool {
    let pid = pid.as_raw_nonzero().to_string();
    let output = Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid]).output();
    output.is_ok_and(|output| {
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        words.contains("postgres") && words.contains(&*cluster.to_string_lossy())
    })
}

/// As PID 1 we inherit the children of a dead server, and nobody but us can take note of their end.
#[cfg(target_os = "linux")]
fn reap_adopted() {
    use rustix::process::{WaitOptions, waitpid};

    if !rustix::process::getpid().is_init() {
        return;
    }
    for pid in proc_ids().filter(|pid| is_dead_child_of_init(*pid)) {
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

#[cfg(not(target_os = "linux"))]
fn reap_adopted() {}

/// `/proc/<pid>/stat` begins with `pid (name) state parent`.
#[cfg(target_os = "linux")]
fn is_dead_child_of_init(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))
        .is_ok_and(|stat| stat.contains(" (postgres) Z 1 "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_in_the_folder_is_not_ours() {
        let folder = std::env::current_dir().unwrap();
        assert!(!is_ours(rustix::process::getpid(), &folder));
    }
}
