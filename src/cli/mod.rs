//! The command line: one file per command.

mod commands;
mod database;
mod demo;
mod doctor;
mod instance;
mod logging;
mod serve;
mod tools;
mod user;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};
use serde::Serialize;

use crate::{
    base::{Error, Result},
    config::{Config, LogFormat, RateLimit},
};

/// The backend and web app that a company runs its customer data on.
///
/// Settings come from a TOML file, then KONTOR_... variables, then flags; each wins over those before it.
/// A setting of a table has two underscores: KONTOR_LIMITS__BODY_BYTES.
#[derive(Parser)]
#[command(name = "kontor", version, propagate_version = true, max_term_width = 100)]
struct Arguments {
    /// Read settings from this file [default: kontor.toml, if it exists]
    #[arg(long, global = true, env = "KONTOR_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    common: Common,

    #[command(subcommand)]
    command: Command,
}

/// Flags of every command. Unset ones are left to file, variables and defaults.
#[derive(clap::Args, Serialize)]
struct Common {
    /// Our own folder: the embedded database, files, unsent mail [default: .kontor]
    #[arg(long, global = true, value_name = "FOLDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<PathBuf>,

    /// What to log: error, warn, info, debug, or as RUST_LOG has it [default: info]
    #[arg(long, global = true, value_name = "LEVEL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,

    /// How log lines look on standard error [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    log_format: Option<LogFormat>,
}

/// Flags of `serve` that are settings.
#[derive(clap::Args, Serialize, Default)]
struct ServeFlags {
    /// Listen at this address [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<String>,

    /// The address under which people reach this server, for links in mails
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    public_url: Option<String>,

    /// Fill an empty database with a small invented company and a sign-in to try
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    demo: bool,

    /// The demo changes by itself for so many hours, for one to watch; 0: not at all [default: 2]
    #[arg(long, value_name = "HOURS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    demo_hours: Option<u32>,

    /// Whether requests per minute are limited [default: on]
    #[arg(long, value_name = "ON|OFF")]
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<RateLimit>,

    /// Serve only; jobs are run by `kontor work` elsewhere
    #[arg(long)]
    #[serde(skip)]
    no_work: bool,

    /// Do not bring the database to this version's schema; `kontor migrate` does
    #[arg(long)]
    #[serde(skip)]
    no_migrate: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API and the web app, and run jobs
    Serve {
        #[command(flatten)]
        flags: ServeFlags,
    },
    /// Run jobs only, beside servers on the same database
    Work,
    /// Bring the database to this version's schema
    Migrate {
        /// Only tell what would run
        #[arg(long)]
        dry_run: bool,
        /// Take the newest migration back instead
        #[arg(long, conflicts_with = "dry_run")]
        down: bool,
    },
    /// Print the GraphQL schema
    Schema,
    /// Manage users
    #[command(subcommand)]
    User(user::UserCommand),
    /// Fill an empty database with a small invented company
    Demo,
    /// Say what is wrong with this installation, and how to mend it
    Doctor,
    /// Print a completion script for your shell
    Completions {
        /// For example: kontor completions bash > /etc/bash_completion.d/kontor
        shell: clap_complete::Shell,
    },
}

/// Parses the command line, runs the command, and says in one sentence what went wrong.
#[expect(clippy::print_stderr, reason = "the person at the command line reads it")]
pub fn run() -> ExitCode {
    // fails only where one is installed already
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse();
    match start(arguments) {
        Ok(code) => code,
        Err(Error::Internal(source)) => {
            eprintln!("kontor: {source}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("kontor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: Arguments) -> Result<ExitCode> {
    let file = arguments.config.as_deref();
    let config = match &arguments.command {
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Arguments::command(), "kontor", &mut std::io::stdout());
            return Ok(ExitCode::SUCCESS);
        }
        Command::Schema => {
            commands::schema();
            return Ok(ExitCode::SUCCESS);
        }
        Command::Serve { flags } => {
            let mut config = Config::load(file, Flags { common: &arguments.common, serve: Some(flags) })?;
            config.work &= !flags.no_work;
            config.migrate &= !flags.no_migrate;
            config
        }
        _ => Config::load(file, Flags { common: &arguments.common, serve: None })?,
    };
    logging::start(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::internal)?;
    let code = runtime.block_on(async {
        match arguments.command {
            Command::Serve { .. } => Box::pin(serve::serve(config)).await.map(|()| ExitCode::SUCCESS),
            Command::Work => Box::pin(serve::work(config)).await.map(|()| ExitCode::SUCCESS),
            Command::Migrate { dry_run, down } => commands::migrate(config, dry_run, down).await,
            Command::User(command) => user::run(config, command).await,
            Command::Demo => demo::run(config).await,
            Command::Doctor => doctor::run(config).await,
            Command::Schema | Command::Completions { .. } => Ok(ExitCode::SUCCESS),
        }
    });
    // a blocking task that hangs must not hold the process
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    code
}

/// All flags as one layer of settings.
#[derive(Serialize)]
struct Flags<'a> {
    #[serde(flatten)]
    common: &'a Common,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    serve: Option<&'a ServeFlags>,
}
