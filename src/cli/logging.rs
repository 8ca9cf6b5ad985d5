//! Log lines, on standard error: for people or, as JSON, for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::{
    base::{Error, Result},
    config::{Config, LogFormat},
};

/// Starts logging; a process does it once.
pub fn start(config: &Config) -> Result<()> {
    let filter = EnvFilter::builder()
        .parse(format!("{},sqlx=warn,hyper=warn,tokio_postgres=warn,h2=warn", config.log))
        .map_err(|error| Error::invalid("log", format!("is not understood: {error}")))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => lines.with_target(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}
