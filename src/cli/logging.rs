//! Log lines, on standard error: for people or, as JSON, for machines.

use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, Layer, filter::filter_fn, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    base::{Error, Result},
    config::{Config, LogFormat},
};

/// Libraries that, below a warning, write down what goes over the wire: passwords, tokens, people's
/// data. No setting makes them.
const WIRE: &[&str] =
    &["h2", "hyper", "hyper_util", "lettre", "object_store", "reqwest", "rustls", "tokio_postgres", "tungstenite"];

/// Starts logging; a process does it once.
pub fn start(config: &Config) -> Result<()> {
    let filter = EnvFilter::builder()
        .parse(&config.log)
        .map_err(|error| Error::invalid("log", format!("is not understood: {error}")))?;
    let lines = fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
    let lines = match config.log_format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(filter_fn(keeps_secrets)).with(lines).init();
    Ok(())
}

fn keeps_secrets(line: &Metadata<'_>) -> bool {
    let library = line.target().split("::").next().unwrap_or_default();
    *line.level() <= Level::WARN || !WIRE.contains(&library)
}
