//! PostgreSQL's settings: sensible for a server of one application on a disk of today, and private. They are
//! given on the command line, where they win over what a person may have put into `postgresql.conf`.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::{Config, socket};

const MIB: u64 = 1024 * 1024;

/// Everything after the program's name. `name` marks the processes of this server in a list of processes.
pub(super) fn arguments(config: &Config, cluster: &Path, sockets: &Path, name: &str) -> Vec<OsString> {
    let mut arguments = vec![OsString::from("-D"), cluster.into()];
    let usual = usual();
    let fixed = fixed(sockets, name);
    // Later ones win: a person may change the usual ones, not those on which this module relies.
    for (key, value) in usual.iter().chain(&config.settings).chain(&fixed) {
        arguments.push("-c".into());
        arguments.push(format!("{key}={value}").into());
    }
    arguments
}

fn usual() -> Vec<(String, String)> {
    let memory = memory_in_mib();
    let mut settings = owned(&[
        ("max_connections", "100"),
        ("max_wal_size", "2GB"),
        ("checkpoint_timeout", "15min"),
        ("wal_compression", "on"),
        ("random_page_cost", "1.1"),
        ("jit", "off"),
        ("track_io_timing", "off"),
    ]);
    let shared = (memory / 4).clamp(128, 512);
    settings.push(("shared_buffers".to_owned(), format!("{shared}MB")));
    // What the kernel can be expected to cache for us: a hint to the planner, nothing is reserved.
    settings.push(("effective_cache_size".to_owned(), format!("{}MB", (memory / 2).max(256))));
    if cfg!(target_os = "linux") {
        // Elsewhere PostgreSQL refuses any value but zero.
        settings.push(("effective_io_concurrency".to_owned(), "100".to_owned()));
    }
    settings
}

fn fixed(sockets: &Path, name: &str) -> Vec<(String, String)> {
    let mut settings = owned(&[
        ("listen_addresses", ""),
        ("unix_socket_permissions", "0700"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
        // The log is read by us, and what it may hold is decided here: no statement, no parameter, and (by
        // terse) no detail line, which would quote the row that broke a constraint.
        ("lc_messages", "C"),
        ("log_destination", "stderr"),
        ("logging_collector", "on"),
        ("log_directory", "log"),
        ("log_filename", "postgresql-%Y-%m-%d_%H%M%S.log"),
        ("log_rotation_size", "10MB"),
        ("log_rotation_age", "0"),
        ("log_line_prefix", "%m [%p] "),
        ("log_error_verbosity", "terse"),
        ("log_min_error_statement", "panic"),
        ("log_parameter_max_length_on_error", "0"),
        ("log_parameter_max_length", "0"),
        ("log_statement", "none"),
        ("log_min_duration_statement", "-1"),
    ]);
    settings.push(("port".to_owned(), socket::PORT.to_string()));
    // A comma-separated list with quoting of its own.
    let quoted = sockets.to_string_lossy().replace('"', "\"\"");
    settings.push(("unix_socket_directories".to_owned(), format!("\"{quoted}\"")));
    settings.push(("cluster_name".to_owned(), name.to_owned()));
    settings
}

fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The machine's memory or the container's share of it; little where neither is known.
fn memory_in_mib() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_of(&text));
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok())
        .map(|bytes| bytes / MIB);
    machine.into_iter().chain(container).min().unwrap_or(512)
}

/// `MemTotal:  24680904 kB`
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim_end().parse().ok()?;
    Some(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_the_server_private_comes_last() {
        let config = Config {
            settings: vec![("listen_addresses".to_owned(), "*".to_owned()), ("jit".to_owned(), "on".to_owned())],
            ..Config::new("/data")
        };
        let arguments = arguments(&config, Path::new("/data/postgres"), Path::new("/data/a \"b\""), "kontor-1");
        let last = |key: &str| {
            let prefix = format!("{key}=");
            let mut all = arguments.iter().filter_map(|argument| argument.to_str()?.strip_prefix(prefix.as_str()));
            all.next_back().unwrap().to_owned()
        };
        assert_eq!(last("listen_addresses"), "");
        assert_eq!(last("jit"), "on");
        assert_eq!(last("unix_socket_directories"), "\"/data/a \"\"b\"\"\"");
    }

    #[test]
    fn reads_the_memory_of_the_machine() {
        assert_eq!(total_of("MemTotal:       24680904 kB\nMemFree: 1 kB\n"), Some(24102));
        assert_eq!(total_of(""), None);
    }
}
