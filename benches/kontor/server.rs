//! What is measured: a PostgreSQL of its own, and the release build of the server on it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use kontor::db::embedded::{self, Embedded};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{
    Result,
    load::{Connection, Watched, get, post},
    machine::Process,
};

const EMAIL: &str = "bench@kontor.example";
pub const PASSWORD: &str = "a password for benches";

/// A PostgreSQL with its data in a folder, which is emptied first.
pub struct Database {
    embedded: Embedded,
    pub url: String,
    pub process: Process,
}

impl Database {
    pub async fn start(folder: &Path) -> Result<Self> {
        let embedded = Embedded::start(embedded::Config::new(folder)).await?;
        let url = embedded.url();
        let client = connect(&url).await?;
        let directory: String = client.query_one("SHOW data_directory", &[]).await?.get(0);
        let pid = fs::read_to_string(Path::new(&directory).join("postmaster.pid"))?;
        let process = Process(pid.lines().next().unwrap_or_default().parse()?);
        Ok(Self { embedded, url, process })
    }

    pub async fn stop(self) -> Result<()> {
        Ok(self.embedded.stop(Duration::from_secs(60)).await?)
    }
}

/// A plain connection, as the superuser.
pub async fn connect(url: &str) -> Result<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The server, or the floor handler, as a process of its own.
pub struct Server {
    child: Child,
    pub address: String,
    pub process: Process,
    /// From the start of the process to its ready line.
    pub ready_after: Duration,
    pub token: String,
    pub workspace: String,
}

impl Server {
    /// Starts `kontor serve` on the database and signs in.
    pub async fn start(folder: &Path, database: Option<&str>) -> Result<Self> {
        let mut server = Self::launch(folder, database).await?;
        server.sign_in().await?;
        Ok(server)
    }

    /// Starts it, on an embedded database of its own where none is given.
    pub async fn launch(folder: &Path, database: Option<&str>) -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kontor"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--rate-limit", "off", "--log", "warn"])
            .arg("--data-dir")
            .arg(folder)
            .env("KONTOR_ADMIN_EMAIL", EMAIL)
            .env("KONTOR_ADMIN_PASSWORD", PASSWORD)
            .env("KONTOR_LIMITS__SOCKETS_PER_USER", "1000000")
            .env_remove("DATABASE_URL");
        if let Some(url) = database {
            command.env("DATABASE_URL", url);
        }
        Self::spawn(command).await
    }

    pub async fn sign_in(&mut self) -> Result<()> {
        self.token = self.token_of(EMAIL).await?;
        let mut connection = Connection::open(&self.address).await?;
        let query = json!({ "query": "{ viewer { workspace { id } } }" }).to_string();
        let answer: Value = serde_json::from_slice(connection.ask(&post("/graphql", &self.token, &query)).await?)?;
        self.workspace = answer["data"]["viewer"]["workspace"]["id"].as_str().ok_or("no workspace")?.to_owned();
        Ok(())
    }

    /// Signs somebody in who has the password of everybody here.
    pub async fn token_of(&self, email: &str) -> Result<String> {
        let body = json!({ "email": email, "password": PASSWORD }).to_string();
        let mut connection = Connection::open(&self.address).await?;
        let answer: Value = serde_json::from_slice(connection.ask(&post("/api/v1/auth/login", "", &body)).await?)?;
        Ok(answer["data"]["token"].as_str().ok_or("no token")?.to_owned())
    }

    /// Starts the bare handler, which is this program.
    pub async fn start_floor(database: &str, workspace: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["floor", database, workspace]);
        Self::spawn(command).await
    }

    async fn spawn(mut command: Command) -> Result<Self> {
        let began = Instant::now();
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let address = loop {
            let line = lines.next_line().await?.ok_or("the server ended")?;
            if let Some((_, address)) = line.split_once("ready on http://") {
                break address.to_owned();
            }
        };
        let ready_after = began.elapsed();
        // a full pipe would hold the server up
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let process = Process(child.id().ok_or("no process")?);
        Ok(Self { child, address, process, ready_after, token: String::new(), workspace: String::new() })
    }

    pub fn watched_with(&self, database: &Database) -> Watched {
        Watched { server: self.process, database: database.process }
    }

    /// The data of a GraphQL request.
    pub async fn graphql(&self, query: &str, variables: Value) -> Result<Value> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let mut connection = Connection::open(&self.address).await?;
        let answer = connection.ask(&post("/graphql", &self.token, &body)).await?;
        Ok(serde_json::from_slice::<Value>(answer)?["data"].take())
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        let mut connection = Connection::open(&self.address).await?;
        Ok(serde_json::from_slice(connection.ask(&get(path, &self.token)).await?)?)
    }

    /// Ends it in its own time.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        {
            rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        }
        self.child.wait().await?;
        Ok(())
    }
}

/// Where all of this lives, below the build folder.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench")
}
