//! `make bench`: what the release build does on this machine, beside what PostgreSQL alone and a
//! bare handler can do on it, in turns, and writes the figures into `docs/performance.md`.
//!
//! `cargo bench --bench kontor [-- [--quick] [--print] [start|import|pages|live|lists]...]`. Without names, all.
//! `rehearse` alone makes the lists of the part `lists` on a few contacts, to see whether they are taken.
//! `--quick` is a tenth of the work, to see whether it runs; `--print` leaves the page alone.
//! Load comes from this process; the server, the floor and PostgreSQL are processes of their own,
//! so that the operating system tells their processor time and memory apart.

#![allow(clippy::cast_precision_loss, reason = "figures for people")]

mod data;
mod floor;
mod imports;
mod lists;
mod live;
mod load;
mod machine;
mod pages;
mod report;
mod server;
mod start;

use std::{fs, path::Path};

use self::{
    machine::Busy,
    report::Report,
    server::{Database, Server},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, Failure>;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Contacts in the table; the smaller imports are a tenth of it.
    pub contacts: usize,
    pub rounds: usize,
    /// Of load, per way and round.
    pub seconds: f64,
    pub sockets: usize,
}

const FULL: Scale = Scale { contacts: 1_000_000, rounds: 5, seconds: 3.0, sockets: 5_000 };
const QUICK: Scale = Scale { contacts: 100_000, rounds: 2, seconds: 1.0, sockets: 500 };

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [word, database, workspace] = arguments.as_slice()
        && word == "floor"
    {
        return floor::serve(database, workspace).await;
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let names: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let wants = |name: &str| names.is_empty() || names.iter().any(|wanted| *wanted == name);
    let scale = if has("--quick") { QUICK } else { FULL };
    let _ = rustls::crypto::ring::default_provider().install_default();
    allow_many_files()?;

    let folder = server::folder();
    // what the last run has left would be in the way of this one's figures
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let busy = Busy::begin()?;
    let database = Database::start(&folder.join("database")).await?;
    let mut report = Report::default();
    if wants("start") {
        start::measure(&mut report, scale, &folder, &database).await?;
    }
    let server = Server::start(&folder.join("server"), Some(&database.url)).await?;
    if names == ["rehearse"] {
        lists::rehearse(&mut report, &folder, &database, &server).await?;
        server.stop().await?;
        database.stop().await?;
        return Ok(fs::remove_dir_all(&folder)?);
    }
    // the others need its contacts
    imports::measure(&mut report, scale, &folder, &database, &server).await?;
    // autovacuum would do it at some moment of what follows
    server::connect(&database.url).await?.batch_execute("VACUUM ANALYZE").await?;
    let floor = Server::start_floor(&database.url, &server.workspace).await?;
    if wants("pages") {
        pages::measure(&mut report, scale, &database, &server, &floor).await?;
    }
    if wants("live") {
        live::measure(&mut report, scale, &server, &floor).await?;
    }
    // last, for it makes other contacts of them
    if wants("lists") {
        lists::measure(&mut report, scale, &folder, &database, &server).await?;
    }
    server.stop().await?;
    floor.stop().await?;
    report.line(format!(
        "\nMachine: {}; on average {:.1} cores were busy, with this bench's own work and whatever else ran.",
        machine::description(),
        busy.cores()?
    ));
    database.stop().await?;
    if !has("--print") && !has("--quick") && names.is_empty() {
        report.write_into(Path::new("docs/performance.md"))?;
    }
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Sockets are files; the usual limit is a thousand.
fn allow_many_files() -> Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}
