//! All settings: defaults, then a TOML file, then `KONTOR_...` variables, then flags; each wins
//! over those before it. Every tool owns the type of its own part.

use std::{
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Profile, Provider,
    error::{Actual, Kind},
    providers::{Format, Serialized, Toml},
    value::{Dict, Map, Value},
};
use serde::{Deserialize, Serialize};

use crate::{
    auth,
    base::{Error, FieldErrors, Limits, Result, Secret},
    files,
    http::cors,
    mail, outbound,
};

/// The sign-in of an installation that the demo filled; known to everybody.
pub const DEMO_EMAIL: &str = "demo@kontor.example";
pub const DEMO_PASSWORD: &str = "welcome-aboard";

/// `KONTOR_...` variables that are no settings.
const NO_SETTINGS: &[&str] = &["config", "user_password", "test_database_url", "test_long", "test_seed"];

/// Everything that can be set. See `docs/configuration.md`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address to listen at.
    pub listen: SocketAddr,
    /// Our own folder: the embedded database, files, mail that was not sent.
    pub data_dir: PathBuf,
    /// The address under which people reach us, for links in mails; `http://<listen>` unless set.
    pub public_url: Option<String>,
    /// Proxies in front of us whose `X-Forwarded-For` can be believed.
    pub trusted_proxies: usize,
    /// Origins of other pages that may call the APIs from a browser, with a token; `*` alone is any.
    #[serde(deserialize_with = "listed")]
    pub cors_origins: Vec<String>,
    /// A `postgresql://` URL; without one, a PostgreSQL of our own is started in the data folder.
    pub database_url: Option<Secret<String>>,
    /// What the two database roles' names begin with; the database's name unless set.
    pub database_roles: Option<String>,
    /// Connections of the requests; chores use a quarter as many besides.
    pub database_connections: usize,
    /// PEM certificates that the database's must be signed by.
    pub database_ca: Option<PathBuf>,
    /// The folder of PostgreSQL's programs, where they are not to be searched for.
    pub postgres_bin: Option<PathBuf>,
    /// Whether `serve` brings the database to this version's schema.
    pub migrate: bool,
    /// Whether `serve` also runs jobs.
    pub work: bool,
    /// Jobs at once, per process.
    pub job_concurrency: usize,
    /// Fills an empty database with an invented company.
    pub demo: bool,
    /// For so many hours after its start the demo's server does things by itself.
    pub demo_hours: u32,
    /// `off` lifts the limit of requests per minute.
    pub rate_limit: RateLimit,
    /// `text` or `json`.
    pub log_format: LogFormat,
    /// What to log, as `RUST_LOG` has it.
    pub log: String,
    /// The first admin of an empty installation.
    pub admin_email: Option<String>,
    pub admin_password: Option<Secret<String>>,
    pub admin_name: String,
    pub workspace_name: Option<String>,
    /// Signs links; the same on every node. Kept in the data folder where it is not set.
    pub secret: Option<Secret<String>>,
    pub auth: auth::Config,
    pub files: files::Config,
    pub mail: mail::Config,
    pub outbound: outbound::Config,
    pub limits: Limits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum RateLimit {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data_dir: PathBuf::from(".kontor"),
            public_url: None,
            trusted_proxies: 0,
            cors_origins: Vec::new(),
            database_url: None,
            database_roles: None,
            database_connections: 24,
            database_ca: None,
            postgres_bin: None,
            migrate: true,
            work: true,
            job_concurrency: 4,
            demo: false,
            demo_hours: 2,
            rate_limit: RateLimit::On,
            log_format: LogFormat::Text,
            log: "info".to_owned(),
            admin_email: None,
            admin_password: None,
            admin_name: "Admin".to_owned(),
            workspace_name: None,
            secret: None,
            auth: auth::Config::default(),
            files: files::Config::default(),
            mail: mail::Config::default(),
            outbound: outbound::Config::default(),
            limits: Limits::default(),
        }
    }
}

/// In days.
const TEN_YEARS: u64 = 3_660;
const GIB: u64 = 1 << 30;

impl Config {
    /// Reads the settings. `file` must exist where it is given; `kontor.toml` need not.
    pub fn load(file: Option<&Path>, flags: impl Serialize) -> Result<Self> {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let environment = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value)));
        Self::load_with(file, environment, flags)
    }

    fn load_with(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: impl Serialize,
    ) -> Result<Self> {
        let file = match file {
            Some(path) if !path.exists() => {
                return Err(Error::invalid("config", format!("file {} does not exist", path.display())));
            }
            Some(path) => Toml::file_exact(path),
            None if Path::new("kontor.toml").exists() => Toml::file_exact("kontor.toml"),
            None => Toml::string(""),
        };
        let mut config = extract(&Figment::new().merge(file), variables(environment), &flags)?;
        config.check()?;
        if config.rate_limit == RateLimit::Off {
            config.limits.requests_per_minute = 0;
        }
        Ok(config)
    }

    /// Without a slash at the end.
    pub fn public_url(&self) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{}", self.listen)).trim_end_matches('/').to_owned()
    }

    fn check(&self) -> Result<()> {
        cors::layer(&self.cors_origins)?;
        if self.demo && !self.listen.ip().is_loopback() {
            return Err(Error::invalid("demo", "has a known password, so it listens on a loopback address only"));
        }
        if self.admin_email.is_some() != self.admin_password.is_some() {
            return Err(Error::invalid("admin_password", "goes with admin_email: set both or neither"));
        }
        let mut wrong = FieldErrors::new();
        let mut range = |name: &'static str, value: u64, allowed: RangeInclusive<u64>| {
            if !allowed.contains(&value) {
                wrong.add(name, format!("must be from {} to {}", allowed.start(), allowed.end()));
            }
        };
        let (auth, limits) = (&self.auth, &self.limits);
        // negative ones become too large
        let hours = |hours: i64| hours as u64;
        range("demo_hours", self.demo_hours.into(), 0..=TEN_YEARS * 24);
        range("database_connections", self.database_connections as u64, 1..=10_000);
        range("limits.connections", limits.connections as u64, 1..=1_000_000);
        range("limits.connections_per_address", limits.connections_per_address as u64, 0..=1_000_000);
        range("limits.idle_seconds", limits.idle_seconds, 1..=86_400);
        range("job_concurrency", self.job_concurrency as u64, 1..=1_000);
        range("auth.access_hours", hours(auth.access_hours), 1..=TEN_YEARS * 24);
        range("auth.refresh_hours", hours(auth.refresh_hours), 1..=TEN_YEARS * 24);
        range("auth.cookie_hours", hours(auth.cookie_hours), 1..=TEN_YEARS * 24);
        range("mail.timeout_seconds", self.mail.timeout_seconds, 1..=3_600);
        range("limits.body_bytes", limits.body_bytes as u64, 1..=GIB);
        range("limits.upload_bytes", limits.upload_bytes, 1..=1_024 * GIB);
        range("limits.user_file_bytes", limits.user_file_bytes, 1..=1_024 * 1_024 * GIB);
        range("limits.unfinished_uploads_per_user", limits.unfinished_uploads_per_user, 1..=1_000_000);
        range("limits.uploads_at_once", limits.uploads_at_once as u64, 1..=1_000_000);
        range("limits.uploads_per_user", limits.uploads_per_user as u64, 1..=1_000_000);
        range("limits.request_seconds", limits.request_seconds, 1..=3_600);
        range("limits.statement_seconds", limits.statement_seconds, 1..=3_600);
        range("limits.criteria_millis", limits.criteria_millis, 1..=3_600_000);
        range("limits.graphql_depth", limits.graphql_depth as u64, 1..=1_000);
        range("limits.graphql_cost", limits.graphql_cost as u64, 1..=1_000_000_000);
        range("limits.graphql_tokens", limits.graphql_tokens as u64, 1..=10_000_000);
        range("limits.graphql_batch", limits.graphql_batch as u64, 1..=1_000);
        range("limits.live_bytes", limits.live_bytes as u64, 1..=1_024 * GIB);
        range("limits.live_user_bytes", limits.live_user_bytes as u64, 1..=1_024 * GIB);
        range("limits.sockets_per_user", limits.sockets_per_user as u64, 1..=1_000_000);
        range("limits.subscriptions_per_socket", limits.subscriptions_per_socket as u64, 1..=1_000_000);
        range("limits.socket_message_bytes", limits.socket_message_bytes as u64, 1_024..=GIB);
        range("limits.socket_queue", limits.socket_queue as u64, 1..=1_000_000);
        range("limits.requests_per_minute", limits.requests_per_minute.into(), 0..=1_000_000_000);
        range("limits.sign_in_attempts", limits.sign_in_attempts.into(), 1..=1_000_000);
        range("limits.sign_in_window_seconds", limits.sign_in_window_seconds, 1..=30 * 86_400);
        range("limits.import_cell_bytes", limits.import_cell_bytes as u64, 1..=GIB);
        range("limits.import_columns", limits.import_columns as u64, 1..=1_000_000);
        range("limits.import_batch_rows", limits.import_batch_rows as u64, 1..=100_000);
        range("limits.import_errors", limits.import_errors as u64, 1..=1_000_000_000);
        // negative ones become too large
        range("limits.open_imports_per_user", limits.open_imports_per_user as u64, 1..=1_000_000);
        range("limits.custom_fields_per_kind", limits.custom_fields_per_kind as u64, 1..=1_000);
        range("limits.static_lists", limits.static_lists as u64, 1..=1_000_000);
        range("limits.dynamic_lists", limits.dynamic_lists as u64, 1..=100_000);
        range("limits.list_ids", limits.list_ids as u64, 1..=1_000_000);
        range("limits.lists_ids", limits.lists_ids as u64, 1..=100_000_000);
        range("limits.bulk_ids", limits.bulk_ids as u64, 1..=1_000_000);
        range("limits.bulk_records", limits.bulk_records as u64, 1..=1_000_000_000);
        range("limits.bulk_batch_records", limits.bulk_batch_records as u64, 1..=100_000);
        range("limits.bulk_failures", limits.bulk_failures as u64, 0..=1_000_000_000);
        range("limits.records_per_merge", limits.records_per_merge as u64, 2..=1_000);
        range("limits.pipelines", limits.pipelines as u64, 1..=10_000);
        range("limits.stages_per_pipeline", limits.stages_per_pipeline as u64, 1..=1_000);
        range("limits.line_items_per_deal", limits.line_items_per_deal as u64, 1..=10_000);
        range("limits.deleted_records_days", hours(limits.deleted_records_days), 1..=TEN_YEARS);
        range("limits.file_days", hours(limits.file_days), 1..=TEN_YEARS);
        wrong.into_result()
    }
}

/// A list, or a text with commas between its items, which is easier in a variable.
fn listed<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Listed {
        Text(String),
        Items(Vec<String>),
    }
    Ok(match Listed::deserialize(from)? {
        Listed::Items(items) => items,
        Listed::Text(text) => {
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(ToOwned::to_owned).collect()
        }
    })
}

/// A setting from a variable.
struct Variable {
    name: String,
    /// As in `limits.body_bytes`.
    setting: String,
    value: Value,
}

impl Provider for &Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("the variable {}", self.name))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Serialized::default(&self.setting, &self.value).data()
    }
}

/// `DATABASE_URL` first, so that our own variable wins over it.
fn variables(environment: impl Iterator<Item = (String, String)>) -> Vec<Variable> {
    let mut variables: Vec<_> = environment
        .filter_map(|(name, text)| {
            let setting = match name.strip_prefix("KONTOR_") {
                Some(rest) => rest.to_ascii_lowercase().replace("__", "."),
                None if name == "DATABASE_URL" => "database_url".to_owned(),
                None => return None,
            };
            let is_one = !NO_SETTINGS.contains(&setting.as_str());
            is_one.then(|| Variable { name, setting, value: Value::from(text) })
        })
        .collect();
    variables.sort_by(|a, b| a.name.cmp(&b.name));
    variables
}

/// A variable is a text until its setting asks for something else: a workspace may be called 2024,
/// and a password may begin with zeros.
fn extract(file: &Figment, mut variables: Vec<Variable>, flags: &impl Serialize) -> Result<Config> {
    loop {
        let layers = variables.iter().fold(file.clone(), |layers, variable| layers.merge(variable));
        let error = match layers.merge(Serialized::defaults(flags)).extract() {
            Ok(config) => return Ok(config),
            Err(error) => error,
        };
        let setting = error.path.join(".");
        let unfit = variables.iter_mut().find(|variable| variable.setting == setting);
        match (&error.kind, unfit.and_then(reread)) {
            (Kind::InvalidType(Actual::Str(_), _), Some(())) => {}
            _ => return Err(Error::invalid("configuration", format!("is wrong: {}", discreet(error)))),
        }
    }
}

/// What is wrong and where, without the value, which may be a password.
fn discreet(error: figment::Error) -> String {
    let described = error.into_iter().map(|mut error| {
        error.kind = match error.kind {
            Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
                Kind::Message(format!("expected {expected}"))
            }
            Kind::Message(text) => Kind::Message(without_excerpt(&text)),
            kind => kind,
        };
        error.to_string()
    });
    described.collect::<Vec<_>>().join("; ")
}

/// A message of the TOML parser without the lines of the file that it shows.
fn without_excerpt(message: &str) -> String {
    let is_excerpt = |line: &str| line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()).starts_with('|');
    message.lines().filter(|line| !is_excerpt(line)).collect::<Vec<_>>().join(", ")
}

/// Takes the text for the number, truth value, list or table that it may stand for.
fn reread(variable: &mut Variable) -> Option<()> {
    let value: Value = variable.value.as_str()?.parse().ok()?;
    value.as_str().is_none().then(|| variable.value = value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(variables: &[(&str, &str)]) -> Result<Config> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load_with(None, variables, serde_json::json!({ "log": "warn" }))
    }

    #[test]
    fn a_variable_is_what_its_setting_asks_for() {
        let config = load(&[
            ("KONTOR_WORKSPACE_NAME", "2024"),
            ("KONTOR_ADMIN_EMAIL", "a@b.de"),
            ("KONTOR_ADMIN_PASSWORD", "00123456"),
            ("KONTOR_ADMIN_NAME", "true"),
            ("KONTOR_JOB_CONCURRENCY", "7"),
            ("KONTOR_WORK", "false"),
            ("KONTOR_LIMITS__BODY_BYTES", "1000"),
            ("KONTOR_MAIL__URL", "1"),
            ("KONTOR_LISTEN", "127.0.0.1:1"),
            ("KONTOR_RATE_LIMIT", "off"),
            ("KONTOR_LOG", "debug"),
            ("DATABASE_URL", "postgresql://there"),
            ("KONTOR_USER_PASSWORD", "for one command"),
            ("KONTOR_CONFIG", "elsewhere"),
            ("HOME", "/nowhere"),
        ])
        .expect("valid");
        assert_eq!(config.workspace_name.as_deref(), Some("2024"));
        assert_eq!(config.admin_password.as_ref().map(|secret| secret.expose().as_str()), Some("00123456"));
        assert_eq!((config.admin_name.as_str(), config.job_concurrency, config.work), ("true", 7, false));
        assert_eq!((config.limits.body_bytes, config.listen.port()), (1_000, 1));
        assert_eq!((config.rate_limit, config.limits.requests_per_minute), (RateLimit::Off, 0));
        assert_eq!(config.log, "warn", "a flag wins over a variable");
        assert_eq!(config.database_url.map(|url| url.expose().clone()).as_deref(), Some("postgresql://there"));
        let both = load(&[("KONTOR_DATABASE_URL", "ours"), ("DATABASE_URL", "anybody's")]).expect("valid");
        assert_eq!(both.database_url.map(|url| url.expose().clone()).as_deref(), Some("ours"));
    }

    #[test]
    fn a_wrong_variable_is_named() {
        let wrong = |name: &str, value: &str| load(&[(name, value)]).expect_err("refused").to_string();
        let text = wrong("KONTOR_LIMITS__BODY_BYTES", "many");
        assert!(text.contains("KONTOR_LIMITS__BODY_BYTES") && text.contains("expected"), "{text}");
        let text = wrong("KONTOR_JOB_CONCURRENCY", "-1");
        assert!(text.contains("KONTOR_JOB_CONCURRENCY"), "{text}");
        let text = wrong("KONTOR_NONSENSE", "1");
        assert!(text.contains("nonsense"), "{text}");
    }

    #[test]
    fn every_limit_has_a_range() {
        let shown = format!("{:?}", Limits::default());
        let fields = shown.trim_start_matches("Limits { ").split(", ");
        let names: Vec<_> = fields.filter_map(|field| field.split_once(": ")).map(|(name, _)| name).collect();
        assert!(names.len() > 40, "{shown}");
        for name in names {
            let variable = format!("KONTOR_LIMITS__{}", name.to_ascii_uppercase());
            let error = load(&[(&variable, "99999999999999999")]).expect_err(name).to_string();
            assert!(error.to_ascii_lowercase().contains(name), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_value() {
        let wrong = |toml: &str| {
            let none = serde_json::json!({});
            let error = extract(&Figment::new().merge(Toml::string(toml)), Vec::new(), &none).expect_err("refused");
            error.to_string()
        };
        let text = wrong("work = true\nadmin_password = \"hush-hush\nlog = \"warn\"\n");
        assert!(text.contains("line 2") && !text.contains("hush"), "{text}");
        let text = wrong("work = \"hush-hush\"\n");
        assert!(text.contains("work") && !text.contains("hush"), "{text}");
    }
}
