//! The real program: `kontor serve` and `kontor work` as processes of their own, which can be
//! killed, told to stop and measured; and the small commands, which end by themselves.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, FileExt},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kontor::{
    auth::Resolver,
    config::Config,
    ctx::Ctx,
    db::Db,
    files::{Files, Signer, Store},
    mail::Mailer,
    outbound::Outbound,
};
use reqwest::StatusCode;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use super::{
    client::Client,
    database::{self, TestDatabase, database},
    server::PASSWORD,
};

/// A start may have to make a database, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// One data folder and one database, on which any number of processes run.
pub struct Installation {
    root: PathBuf,
    variables: Vec<(String, String)>,
    database: Option<TestDatabase>,
    started: AtomicUsize,
}

impl Installation {
    /// On a fresh database of the tests' own PostgreSQL.
    pub async fn external() -> Self {
        let database = database().await;
        let mut installation = Self::embedded().set("DATABASE_URL", &database.url);
        installation.database = Some(database);
        installation.set("KONTOR_DATABASE_ROLES", "kontor_test")
    }

    /// With the PostgreSQL that the program starts itself.
    pub fn embedded() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        database::install_crypto();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // below the temporary folder, where PostgreSQL's user gets to
        let root = std::env::temp_dir().join(format!("kontor-process-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::DirBuilder::new().mode(0o755).create(&root).expect("a folder can be made");
        let variables = [("KONTOR_LISTEN", "127.0.0.1:0"), ("KONTOR_RATE_LIMIT", "off")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { root, variables, database: None, started: AtomicUsize::new(0) }
    }

    /// Sets a variable for all its processes.
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.change(name, value);
        self
    }

    /// The same for those that start from now on.
    pub fn change(&mut self, name: &str, value: impl Into<String>) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.into()));
    }

    pub fn is_embedded(&self) -> bool {
        self.database.is_none()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The program with these arguments and nothing of the tests' own environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).current_dir(&self.root).env_clear().kill_on_drop(true);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("KONTOR_DATA_DIR", self.data_dir());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Starts it and waits for nothing.
    pub fn spawn(&self, arguments: &[&str]) -> Process {
        self.spawn_command(self.command(arguments))
    }

    pub fn spawn_command(&self, mut command: Command) -> Process {
        let path = self.root.join(format!("log-{}", self.started.fetch_add(1, Ordering::Relaxed)));
        let log = fs::File::options().read(true).append(true).create(true).open(path).expect("a log can be made");
        let stderr = log.try_clone().expect("a handle more");
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("piped")).lines();
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).expect("it runs");
        Process { child, pid, output, log, url: String::new(), said: Vec::new() }
    }

    /// A server that is ready.
    pub async fn serve(&self) -> Process {
        self.serve_with(&[]).await
    }

    pub async fn serve_with(&self, flags: &[&str]) -> Process {
        let mut process = self.spawn(&[&["serve"], flags].concat());
        process.ready().await;
        process
    }

    /// A worker that works.
    pub async fn work(&self) -> Process {
        let mut process = self.spawn(&["work"]);
        process.ready().await;
        process
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Finished {
        let mut process = self.spawn(arguments);
        process.finish().await
    }

    /// The database behind the program's back. An embedded one must be running.
    pub fn db(&self) -> Db {
        match &self.database {
            Some(database) => database.db.clone(),
            None => {
                Db::open(&kontor::db::Config { role_prefix: None, ..database::config(&self.url()) }).expect("valid")
            }
        }
    }

    /// The database's URL. An embedded one must be running: where its socket is, its own notes tell.
    pub fn url(&self) -> String {
        if let Some(database) = &self.database {
            return database.url.clone();
        }
        let notes = fs::read_to_string(self.cluster().join("postmaster.pid")).expect("PostgreSQL runs");
        let lines: Vec<_> = notes.lines().collect();
        format!("postgresql://kontor@/kontor?host={}&port={}", lines[4], lines[3])
    }

    /// Where the embedded cluster is.
    pub fn cluster(&self) -> PathBuf {
        let elsewhere = fs::read_to_string(self.data_dir().join("postgres.location")).ok();
        elsewhere.map_or_else(|| self.data_dir(), |place| PathBuf::from(place.trim())).join("postgres")
    }

    /// The embedded PostgreSQL's first process, if it runs.
    pub fn postmaster(&self) -> Option<Pid> {
        let notes = fs::read_to_string(self.cluster().join("postmaster.pid")).ok()?;
        Pid::from_raw(notes.lines().next()?.trim().parse().ok()?)
    }

    /// Handles to the tools over this installation's database, as another node would have.
    pub fn ctx(&self) -> Ctx {
        let config = Config { data_dir: self.data_dir(), ..Config::default() };
        let (db, clock) = (self.db(), kontor::base::Clock::default());
        let store = Store::open(&config.files, &config.data_dir).expect("the store opens");
        Ctx {
            files: Files::new(db.clone(), store, Signer::new(b"secret"), clock.clone(), &config.limits),
            mail: Mailer::new(&config.mail, &config.data_dir, clock.clone()).expect("the default works"),
            outbound: Outbound::new(&config.outbound).expect("the default works"),
            resolver: Resolver::new(db.clone(), clock.clone(), config.auth.clone()),
            db,
            clock,
            limits: Arc::new(config.limits),
            auth: config.auth,
            public_url: "http://kontor.test".into(),
        }
    }

    /// The admin of a new installation, signed in at this server.
    pub async fn admin(&self, server: &Process) -> Client {
        let stranger = Client::new(&server.url, &self.ctx());
        let body = json!({ "email": "ada@kontor.test", "password": PASSWORD, "full_name": "Ada Admin" });
        let answer = stranger.post("/auth/register", body).await.expect(StatusCode::CREATED);
        let mut admin = stranger;
        admin.token = answer["data"]["token"].as_str().map(str::to_owned);
        admin
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        // its server is gone, and so will it be; a folder that is written to cannot be removed
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.postmaster().is_some_and(|pid| test_kill_process(pid).is_ok()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        let elsewhere = self.cluster();
        if !elsewhere.starts_with(&self.root)
            && let Some(place) = elsewhere.parent()
        {
            let _ = fs::remove_dir_all(place);
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The same person at another server.
pub fn at(server: &Process, person: &Client) -> Client {
    let mut person = person.clone();
    person.url.clone_from(&server.url);
    person.root = format!("{}/api/v1", server.url);
    person
}

/// Cargo says where the program is when it builds the tests, and again when it runs them.
fn program() -> PathBuf {
    std::env::var_os("CARGO_BIN_EXE_kontor").map_or_else(|| env!("CARGO_BIN_EXE_kontor").into(), PathBuf::from)
}

/// A running program. Dropped, it is killed.
pub struct Process {
    child: Child,
    pub pid: Pid,
    output: Lines<BufReader<ChildStdout>>,
    log: fs::File,
    /// Where it serves, once it is ready.
    pub url: String,
    /// What it wrote to its standard output so far, line by line.
    pub said: Vec<String>,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub output: String,
    pub log: String,
}

impl Finished {
    /// The output of a command that went well.
    #[track_caller]
    pub fn well(self) -> String {
        assert!(self.status.success(), "{}: {}{}", self.status, self.output, self.log);
        self.output
    }

    /// The one sentence of a command that failed, without the lines of its log.
    #[track_caller]
    pub fn failed(&self) -> &str {
        assert_eq!(self.status.code(), Some(1), "{}{}", self.output, self.log);
        let last = self.log.lines().last().unwrap_or_default();
        last.strip_prefix("kontor: ").unwrap_or_else(|| panic!("no sentence of ours: {}", self.log))
    }
}

impl Process {
    /// Waits for the line that says so.
    pub async fn ready(&mut self) {
        let reading = async {
            while let Some(line) = self.output.next_line().await.expect("text") {
                self.said.push(line.clone());
                if let Some(url) = line.strip_prefix("kontor: ready on ") {
                    url.clone_into(&mut self.url);
                    return true;
                }
                if line == "kontor: working" {
                    return true;
                }
            }
            false
        };
        let ready = timeout(PATIENCE, reading).await;
        assert!(ready == Ok(true), "not ready; its log: {}", self.log());
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        let mut text = vec![0; self.log.metadata().map_or(0, |metadata| metadata.len() as usize)];
        let read = self.log.read_at(&mut text, 0).unwrap_or_default();
        String::from_utf8_lossy(&text[..read]).into_owned()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("it runs");
    }

    /// Kills it where it stands (SIGKILL), and waits until it is gone.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(mut self) -> Finished {
        self.signal(Signal::TERM);
        self.finish().await
    }

    /// Waits until it has ended.
    pub async fn finish(&mut self) -> Finished {
        let mut output = String::new();
        let ending = async {
            self.output.get_mut().read_to_string(&mut output).await.expect("text");
            self.child.wait().await.expect("it ends")
        };
        let status = timeout(PATIENCE * 2, ending).await;
        let status = status.unwrap_or_else(|_| panic!("it does not end; its log: {}", self.log()));
        let said = self.said.iter().map(|line| format!("{line}\n")).collect::<String>();
        Finished { status, output: said + &output, log: self.log() }
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }

    /// The most memory it has held since the last [`Process::forget_peak`], in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(self.proc("status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel counts");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// Lets the peak begin anew at what it holds now.
    pub fn forget_peak(&self) {
        fs::write(self.proc("clear_refs"), "5").expect("a process of ours");
    }

    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(self.pid.as_raw_nonzero().to_string()).join(file)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("the end of the log of process {}:\n{end}", self.pid.as_raw_nonzero());
        }
    }
}
