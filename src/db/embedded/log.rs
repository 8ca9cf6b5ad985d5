//! PostgreSQL's log: what its last lines say, in plain words, and that it does not grow for ever.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// How many log files stay, of 10 MB at most each.
const KEPT: usize = 10;

/// How much of a file's end is read.
const TAIL: u64 = 16 * 1024;

/// The last lines that a PostgreSQL wrote.
pub(super) struct Words {
    lines: Vec<String>,
}

impl Words {
    /// Reads what it said before it had a log (`first_words`, new at each start) and, of its log, the newest
    /// file. What cannot be read counts as nothing said.
    pub fn read(first_words: &Path, cluster: Option<&Path>) -> Self {
        let newest = cluster.and_then(|cluster| files(cluster).pop());
        let text = newest.as_deref().and_then(tail).unwrap_or_default() + &tail(first_words).unwrap_or_default();
        let lines = text.lines().map(plain).filter(|line| !is_noise(line)).collect();
        Self { lines }
    }

    pub fn tell_of_full_disk(&self) -> bool {
        self.last(10)
            .iter()
            .any(|line| line.contains("No space left on device") || line.contains("Disk quota exceeded"))
    }

    /// The gravest of the last lines; else the last few; none if nothing was said.
    pub fn reason(&self) -> Option<String> {
        let recent = self.last(20);
        for grave in ["PANIC: ", "FATAL: ", "initdb: error: "] {
            if let Some(words) = recent.iter().rev().find_map(|line| line.strip_prefix(grave)) {
                return Some(words.to_owned());
            }
        }
        let last = self.last(3);
        (!last.is_empty()).then(|| last.join("; "))
    }

    fn last(&self, number: usize) -> &[String] {
        &self.lines[self.lines.len().saturating_sub(number)..]
    }
}

/// Deletes all but the newest log files.
pub(super) fn prune(cluster: &Path) {
    let mut files = files(cluster);
    files.truncate(files.len().saturating_sub(KEPT));
    for file in files {
        if let Err(error) = fs::remove_file(&file) {
            tracing::warn!("cannot remove the old log file {}: {error}", file.display());
        }
    }
}

/// The log files, oldest first: their names are times.
fn files(cluster: &Path) -> Vec<PathBuf> {
    let folder = cluster.join("log");
    // A link could lead us, who may be root, to the logs of another server.
    if !fs::symlink_metadata(&folder).is_ok_and(|metadata| metadata.is_dir()) {
        return Vec::new();
    }
    let is_log = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("postgresql-") && name.ends_with(".log")
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_log).collect();
    files.sort();
    files
}

fn tail(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Some(text)
}

/// Without time and process id: `2026-01-02 03:04:05.678 UTC [42] FATAL:  words` becomes `FATAL: words`.
fn plain(line: &str) -> String {
    let words = match line.split_once("] ") {
        Some((prefix, words)) if prefix.contains(" [") => words,
        _ => line,
    };
    words.replacen(":  ", ": ", 1).trim().to_owned()
}

/// What is said at any start, and to a client that comes too early.
fn is_noise(line: &str) -> bool {
    line.is_empty()
        || line.starts_with("LOG: redirecting log output")
        || line.starts_with("HINT: Future log output")
        || line.starts_with("FATAL: the database system is ")
        || line.starts_with("FATAL: terminating connection")
        || (line.starts_with("FATAL: database ") && line.ends_with(" does not exist"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Words {
        Words { lines: text.lines().map(plain).filter(|line| !is_noise(line)).collect() }
    }

    #[test]
    fn the_reason_is_the_gravest_line_and_not_what_clients_were_told() {
        let words = words(
            "2026-11-22 23:54:19.910 UTC [41] LOG:  starting PostgreSQL 15.18\n\
             2026-11-22 23:54:19.911 UTC [43] PANIC:  could not write to file \"pg_wal/xlogtemp.43\": No space left on device\n\
             2026-11-22 23:54:19.912 UTC [44] FATAL:  the database system is starting up\n\
             2026-11-22 23:54:19.913 UTC [41] LOG:  startup process (PID 43) was terminated by signal 6: Aborted\n",
        );
        assert!(words.reason().unwrap().starts_with("could not write to file"));
        assert!(words.tell_of_full_disk());
    }

    #[test]
    fn without_a_grave_line_the_last_ones_are_the_reason() {
        assert_eq!(words("one\ntwo\nthree\nfour\n").reason().unwrap(), "two; three; four");
        assert_eq!(words("").reason(), None);
    }
}
