//! The embedded PostgreSQL against the real thing: starting, stopping, and everything that can be found in a
//! data folder or happen to a server. As root these tests also see the change of user.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "these are tests")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use kontor::db::embedded::{Config, Embedded, Error, State};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio_postgres::{Client, NoTls};

const LIMIT: Duration = Duration::from_secs(30);
/// Set for the process that holds a server until it is killed.
const HOLD: &str = "KONTOR_TEST_HOLD";

/// A data folder that goes with the test, together with a database kept elsewhere for it.
struct Folder(PathBuf);

impl Folder {
    /// Below `/tmp`, where PostgreSQL's user gets to.
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kontor-test-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::DirBuilder::new().mode(0o755).create(&path).unwrap();
        Self(path.canonicalize().unwrap())
    }

    fn config(&self) -> Config {
        Config::new(&self.0)
    }

    fn cluster(&self) -> PathBuf {
        self.0.join("postgres")
    }

    fn postmaster(&self) -> Pid {
        let text = fs::read_to_string(self.cluster().join("postmaster.pid")).unwrap();
        Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
    }

    /// A cluster that was started once and stopped.
    async fn with_cluster() -> Self {
        let folder = Self::new();
        start(&folder).await.stop(LIMIT).await.unwrap();
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Ok(place) = fs::read_to_string(self.0.join("postgres.location")) {
            let place = Path::new(place.trim());
            assert!(place.starts_with("/var/lib/kontor/"));
            let _ = fs::remove_dir_all(place);
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

async fn start(folder: &Folder) -> Embedded {
    Embedded::start(folder.config()).await.unwrap()
}

/// The sentence with which a start is refused.
async fn refusal(config: Config) -> String {
    match Embedded::start(config).await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

async fn connect(config: &tokio_postgres::Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn client(server: &Embedded) -> Client {
    connect(&server.connection()).await.unwrap()
}

async fn write_note(client: &Client, text: &str) {
    client.batch_execute("CREATE TABLE IF NOT EXISTS notes (text text NOT NULL)").await.unwrap();
    client.execute("INSERT INTO notes VALUES ($1)", &[&text]).await.unwrap();
}

async fn notes(client: &Client) -> Vec<String> {
    let rows = client.query("SELECT text FROM notes ORDER BY text", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn show(client: &Client, setting: &str) -> String {
    client.query_one(&format!("SHOW {setting}"), &[]).await.unwrap().get(0)
}

/// Waits until it is so; a test that waits in vain fails.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LIMIT, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn until_state(server: &Embedded, wanted: fn(&State) -> bool) -> State {
    let mut states = server.watch();
    let state = tokio::time::timeout(LIMIT * 3, states.wait_for(wanted)).await.unwrap();
    state.unwrap().clone()
}

/// Dead, or a zombie that only waits for init.
fn is_gone(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    test_kill_process(pid).is_err() || stat.is_ok_and(|stat| stat.contains(") Z "))
}

/// A folder of PostgreSQL's programs.
fn bin_dir() -> PathBuf {
    let folders = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders.pop().unwrap_or_else(|| "/usr/local/pgsql/bin".into())
}

#[tokio::test]
async fn a_restart_keeps_the_data() {
    let folder = Folder::new();
    let server = start(&folder).await;
    write_note(&client(&server).await, "kept").await;
    let first = folder.postmaster();
    server.stop(LIMIT).await.unwrap();
    assert!(is_gone(first));

    let server = start(&folder).await;
    let by_url = connect(&server.url().parse().unwrap()).await.unwrap();
    assert_eq!(notes(&by_url).await, ["kept"]);
    // Dropping it stops it, too, and frees the folder.
    drop(server);
    let server = start(&folder).await;
    assert_eq!(notes(&client(&server).await).await, ["kept"]);
    server.stop(LIMIT).await.unwrap();
}

#[tokio::test]
async fn the_server_is_private_and_runs_as_an_ordinary_user() {
    let folder = Folder::new();
    let mut config = folder.config();
    config.settings = vec![("work_mem".to_owned(), "5MB".to_owned())];
    let server = Embedded::start(config).await.unwrap();
    let client = client(&server).await;
    for (setting, value) in [
        ("fsync", "on"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("listen_addresses", ""),
        ("TimeZone", "UTC"),
        ("log_min_error_statement", "panic"),
        ("log_parameter_max_length_on_error", "0"),
        ("work_mem", "5MB"),
    ] {
        assert_eq!(show(&client, setting).await, value, "{setting}");
    }
    let lower: String = client.query_one("SELECT lower('ÄÉÑ')", &[]).await.unwrap().get(0);
    assert_eq!(lower, "äéñ");

    let sockets = fs::metadata(folder.0.join("postgres.socket")).unwrap();
    assert_eq!(sockets.permissions().mode() & 0o777, 0o700);
    let process = PathBuf::from(format!("/proc/{}", folder.postmaster().as_raw_nonzero()));
    let owner = fs::metadata(&process).unwrap().uid();
    assert_ne!(owner, 0);
    assert_eq!(owner, sockets.uid());
    let environment = fs::read_to_string(process.join("environ")).unwrap();
    let mut names: Vec<&str> = environment.split_terminator('\0').filter_map(|pair| pair.split('=').next()).collect();
    names.retain(|name| !["LC_ALL", "TZ", "PATH"].contains(name));
    // PostgreSQL sets some variables of its own for its children.
    assert!(names.iter().all(|name| name.starts_with("PG")), "{names:?}");
    let open = fs::read_dir(process.join("fd")).unwrap().flatten();
    let targets: Vec<PathBuf> = open.filter_map(|entry| fs::read_link(entry.path()).ok()).collect();
    assert!(!targets.iter().any(|target| target.ends_with("postgres.lock")), "{targets:?}");
}

#[tokio::test]
async fn what_people_write_stays_out_of_the_log() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let client = client(&server).await;
    write_note(&client, "one").await;
    client.batch_execute("CREATE UNIQUE INDEX ON notes (text)").await.unwrap();
    client.execute("INSERT INTO notes VALUES ($1)", &[&"s3cret"]).await.unwrap();
    client.execute("INSERT INTO notes VALUES ($1)", &[&"s3cret"]).await.unwrap_err();
    client.batch_execute("SELECT 's3cret', 1 / 0").await.unwrap_err();
    server.stop(LIMIT).await.unwrap();

    let files = fs::read_dir(folder.cluster().join("log")).unwrap().flatten();
    let log: String = files.map(|file| fs::read_to_string(file.path()).unwrap()).collect();
    assert!(log.contains("division by zero"), "{log}");
    assert!(!log.contains("s3cret"), "{log}");
}

#[tokio::test]
async fn a_second_server_on_the_folder_is_refused() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let sentence = refusal(folder.config()).await;
    let pid = std::process::id().to_string();
    assert!(sentence.contains("in use") && sentence.contains(&pid), "{sentence}");
    assert!(sentence.contains(folder.0.to_str().unwrap()), "{sentence}");
    // The refusal did the first one no harm.
    write_note(&client(&server).await, "fine").await;
    server.stop(LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_killed_server_is_restarted_with_all_that_was_committed() {
    let folder = Folder::new();
    let server = start(&folder).await;
    write_note(&client(&server).await, "committed").await;
    // It works on without looking up, after the first process is gone, and holds the shared memory.
    let busy = client(&server).await;
    let busy = tokio::spawn(async move { busy.batch_execute("SELECT count(*) FROM generate_series(1, 1e12)").await });
    let observer = client(&server).await;
    let count =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%generate_series(1, 1e12)' AND state = 'active'";
    let began = Instant::now();
    while observer.query_one(count, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(began.elapsed() < LIMIT);
    }

    let first = folder.postmaster();
    let mut states = server.watch();
    states.mark_unchanged();
    kill_process(first, Signal::KILL).unwrap();
    tokio::time::timeout(LIMIT, states.wait_for(|state| *state == State::Restarting)).await.unwrap().unwrap();
    assert_eq!(until_state(&server, |state| *state != State::Restarting).await, State::Ready);
    assert_ne!(folder.postmaster(), first);
    busy.await.unwrap().unwrap_err();
    assert_eq!(notes(&client(&server).await).await, ["committed"]);
    server.stop(LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_be_kept_running_is_given_up_with_its_own_words() {
    let folder = Folder::new();
    let server = start(&folder).await;
    // The next start needs it.
    fs::rename(folder.cluster().join("global/pg_control"), folder.0.join("pg_control")).unwrap();
    kill_process(folder.postmaster(), Signal::KILL).unwrap();
    let State::Stopped(reason) = until_state(&server, |state| matches!(state, State::Stopped(_))).await else {
        unreachable!()
    };
    assert!(reason.contains("in a row") && reason.contains("pg_control"), "{reason}");
    server.stop(LIMIT).await.unwrap();

    let sentence = refusal(folder.config()).await;
    assert!(sentence.contains("does not start") && sentence.contains("pg_control"), "{sentence}");
    fs::rename(folder.0.join("pg_control"), folder.cluster().join("global/pg_control")).unwrap();
    start(&folder).await.stop(LIMIT).await.unwrap();
}

/// Not a test: the process that others start and kill.
#[tokio::test]
async fn holds_a_server() {
    // Alone it does nothing: other tests run it in a process of its own, which they kill.
    let Some(folder) = std::env::var_os(HOLD) else { return };
    let config = Config::new(folder);
    let _server = Embedded::start(config).await.unwrap();
    println!("\nholding");
    std::future::pending::<()>().await;
}

/// Runs `holds_a_server` in a process of its own until it has a server.
fn holder(folder: &Folder) -> Child {
    let name = match module_path!().split_once("::") {
        Some((_, module)) => format!("{module}::holds_a_server"),
        None => "holds_a_server".to_owned(),
    };
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([&name, "--exact", "--nocapture"])
        .env(HOLD, &folder.0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "holding"), "the holder did not start");
    child
}

#[tokio::test]
async fn when_we_are_killed_the_server_ends_and_the_next_start_has_the_data() {
    let folder = Folder::new();
    let mut holder = holder(&folder);
    let first = folder.postmaster();
    let sentence = refusal(folder.config()).await;
    assert!(sentence.contains(&holder.id().to_string()), "{sentence}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    // At once, while the old server may still be ending.
    let server = start(&folder).await;
    assert!(is_gone(first));
    write_note(&client(&server).await, "written").await;
    server.stop(LIMIT).await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn when_we_are_killed_the_server_is_told() {
    let folder = Folder::new();
    let mut holder = holder(&folder);
    let first = folder.postmaster();
    holder.kill().unwrap();
    holder.wait().unwrap();
    until("the server has ended by itself", || is_gone(first)).await;
    assert!(!folder.cluster().join("postmaster.pid").exists(), "it was no orderly end");
}

#[tokio::test]
async fn an_orphan_is_stopped_and_started_anew() {
    let folder = Folder::with_cluster().await;
    let owner = fs::metadata(folder.cluster()).unwrap();
    // Nobody tells this one of a parent's death.
    let mut command = Command::new(bin_dir().join("pg_ctl"));
    command.arg("-D").arg(folder.cluster()).args(["start", "-w", "-s", "-o"]);
    command.arg(format!("-c listen_addresses= -k {}", folder.0.join("postgres.socket").display()));
    command.current_dir("/").stdout(Stdio::null());
    if is_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    assert!(command.status().unwrap().success());
    let orphan = folder.postmaster();

    let server = start(&folder).await;
    assert!(is_gone(orphan));
    write_note(&client(&server).await, "anew").await;
    server.stop(LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_stale_pid_file_harms_no_stranger() {
    let folder = Folder::with_cluster().await;
    let owner = fs::metadata(folder.cluster()).unwrap();
    // Of the server's own user, so that PostgreSQL alone would refuse to start; and even in its folder.
    let mut command = Command::new("sleep");
    command.arg("600").current_dir(folder.cluster());
    if is_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    let mut stranger = command.spawn().unwrap();
    let pid_file = folder.cluster().join("postmaster.pid");
    let text = format!("{}\n{}\n1\n5432\n\n\n1 1\nready\n", stranger.id(), folder.cluster().display());
    fs::write(&pid_file, &text).unwrap();
    let lock = folder.0.join("postgres.socket/.s.PGSQL.5432.lock");
    fs::write(&lock, &text).unwrap();

    let server = start(&folder).await;
    assert_ne!(folder.postmaster(), Pid::from_child(&stranger));
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger was killed");
    server.stop(LIMIT).await.unwrap();
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger was killed");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_half_made_database_is_thrown_away() {
    let folder = Folder::new();
    let unfinished = folder.0.join("postgres.init");
    fs::create_dir(&unfinished).unwrap();
    fs::write(unfinished.join("PG_VERSION"), "15\n").unwrap();
    let server = start(&folder).await;
    write_note(&client(&server).await, "whole").await;
    server.stop(LIMIT).await.unwrap();
    assert!(!unfinished.exists());
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing_running() {
    let folder = Folder::new();
    let started = tokio::time::timeout(Duration::from_millis(150), Embedded::start(folder.config())).await;
    // Whether it was in time or not: the folder is free again at once.
    drop(started);
    start(&folder).await.stop(LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_long_path_gets_a_short_socket() {
    let folder = Folder::new();
    let long = folder.0.join("x".repeat(120));
    fs::DirBuilder::new().mode(0o755).create(&long).unwrap();
    let server = Embedded::start(Config::new(&long)).await.unwrap();
    let url = server.url();
    assert!(!url.contains("xxx"), "{url}");
    write_note(&connect(&url.parse().unwrap()).await.unwrap(), "reached").await;
    let sockets: PathBuf = show(&client(&server).await, "unix_socket_directories").await.trim_matches('"').into();
    assert_eq!(fs::metadata(&sockets).unwrap().permissions().mode() & 0o777, 0o700);
    server.stop(LIMIT).await.unwrap();

    // In a folder open to all, somebody may have put a link in its place.
    assert!(!sockets.exists());
    symlink(&folder.0, &sockets).unwrap();
    let sentence = refusal(Config::new(&long)).await;
    fs::remove_file(&sockets).unwrap();
    assert!(sentence.contains("not ours alone"), "{sentence}");
}

#[tokio::test]
async fn a_path_with_odd_characters_works() {
    let folder = Folder::new();
    let odd = folder.0.join("it's my \"data\", 100% ü");
    fs::DirBuilder::new().mode(0o755).create(&odd).unwrap();
    let server = Embedded::start(Config::new(&odd)).await.unwrap();
    write_note(&connect(&server.url().parse().unwrap()).await.unwrap(), "odd").await;
    server.stop(LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_folder_of_another_version_is_left_alone() {
    let folder = Folder::with_cluster().await;
    let version = folder.cluster().join("PG_VERSION");
    fs::write(&version, "99\n").unwrap();
    let sentence = refusal(folder.config()).await;
    assert!(sentence.contains("was made by PostgreSQL 99"), "{sentence}");
    assert!(sentence.contains("postgresql-99"), "{sentence}");
    assert_eq!(fs::read_to_string(&version).unwrap(), "99\n");
}

#[tokio::test]
async fn missing_programs_are_told() {
    let folder = Folder::new();
    let config = Config { bin_dir: Some(folder.0.clone()), ..folder.config() };
    let sentence = refusal(config).await;
    assert!(sentence.contains("holds no PostgreSQL 15 or newer"), "{sentence}");
    assert_eq!(
        Error::NotInstalled.to_string(),
        "PostgreSQL 15 or newer is not installed; install it (Debian and Ubuntu: sudo apt-get install postgresql) \
         or set DATABASE_URL"
    );
}

#[tokio::test]
async fn a_folder_that_is_no_cluster_is_left_alone() {
    let folder = Folder::new();
    fs::create_dir(folder.cluster()).unwrap();
    fs::write(folder.cluster().join("letter.txt"), "dear").unwrap();
    let sentence = refusal(folder.config()).await;
    assert!(sentence.contains("is no PostgreSQL database"), "{sentence}");
    assert_eq!(fs::read_to_string(folder.cluster().join("letter.txt")).unwrap(), "dear");
}

#[tokio::test]
async fn a_machine_without_the_locale_gets_another() {
    let folder = Folder::new();
    let programs = folder.0.join("bin");
    fs::create_dir(&programs).unwrap();
    let real = bin_dir();
    let script = |name: &str, first: &str| {
        let path = programs.join(name);
        fs::write(&path, format!("#!/bin/sh\n{first}\nexec {}/{name} \"$@\"\n", real.display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    script("postgres", "");
    let refuse = r#"echo 'initdb: error: invalid locale name "C.UTF-8"' >&2; exit 1"#;
    script("initdb", &format!("case \"$*\" in *--locale=C.UTF-8*) {refuse};; esac"));
    let config = Config { bin_dir: Some(programs.clone()), ..folder.config() };
    let server = Embedded::start(config).await.unwrap();
    let client = client(&server).await;
    assert_eq!(show(&client, "server_encoding").await, "UTF8");
    server.stop(LIMIT).await.unwrap();
}

/// As root: a clone below `/root`, which no other user can enter.
#[tokio::test]
async fn below_a_closed_folder_the_database_is_kept_elsewhere() {
    if !is_root() {
        return;
    }
    let folder = Folder::new();
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o700)).unwrap();
    let inside = Folder(folder.0.join("kontor"));
    let server = start(&inside).await;
    write_note(&client(&server).await, "elsewhere").await;
    server.stop(LIMIT).await.unwrap();
    let place = fs::read_to_string(inside.0.join("postgres.location")).unwrap();
    assert!(place.starts_with("/var/lib/kontor/"), "{place}");
    assert!(!inside.cluster().exists());
    assert_eq!(fs::metadata(&folder.0).unwrap().permissions().mode() & 0o777, 0o700);

    // It may move, and takes its database along; a copy does not get it.
    let moved = Folder(folder.0.join("moved"));
    fs::rename(&inside.0, &moved.0).unwrap();
    let server = start(&moved).await;
    assert_eq!(notes(&client(&server).await).await, ["elsewhere"]);
    server.stop(LIMIT).await.unwrap();
    let copy = folder.0.join("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(moved.0.join("postgres.location"), copy.join("postgres.location")).unwrap();
    let sentence = refusal(Config::new(&copy)).await;
    assert!(sentence.contains("is a copy of"), "{sentence}");
    fs::write(copy.join("postgres.location"), "/etc\n").unwrap();
    let sentence = refusal(Config::new(&copy)).await;
    assert!(sentence.contains("names no folder of ours"), "{sentence}");
    fs::remove_dir_all(&copy).unwrap();
}

/// As root: a cluster that was restored by root, or belongs to an ordinary user who now uses sudo.
#[tokio::test]
async fn root_serves_clusters_of_any_owner() {
    if !is_root() {
        return;
    }
    let folder = Folder::with_cluster().await;
    let status = Command::new("chown").args(["-R", "0:0"]).arg(folder.cluster()).status().unwrap();
    assert!(status.success());
    start(&folder).await.stop(LIMIT).await.unwrap();
    assert_ne!(fs::metadata(folder.cluster()).unwrap().uid(), 0);

    let status = Command::new("chown").args(["-R", "12345:12345"]).arg(folder.cluster()).status().unwrap();
    assert!(status.success());
    let server = start(&folder).await;
    let process = fs::metadata(format!("/proc/{}", folder.postmaster().as_raw_nonzero())).unwrap();
    assert_eq!(process.uid(), 12345);
    server.stop(LIMIT).await.unwrap();
    assert_eq!(fs::metadata(folder.cluster()).unwrap().uid(), 12345);
}

/// As root, who can make a small disk.
#[tokio::test]
async fn a_full_disk_is_told() {
    if !is_root() {
        return;
    }
    let folder = Folder::new();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(&folder.0).status();
    if !mount.is_ok_and(|status| status.success()) {
        eprintln!("not allowed to mount here");
        return;
    }
    let sentence = refusal(folder.config()).await;
    let left = folder.0.join("postgres.init").exists();
    Command::new("umount").arg(&folder.0).status().unwrap();
    assert!(sentence.contains("is full"), "{sentence}");
    assert!(!left, "the half-made database still takes space");
}

/// An ordinary user in a folder of another.
#[tokio::test]
async fn a_folder_that_is_not_ours_is_told() {
    let folder = Folder::new();
    if is_root() {
        // May write everywhere.
        return;
    }
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o500)).unwrap();
    let sentence = refusal(folder.config()).await;
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(sentence.contains("cannot write in"), "{sentence}");
}
