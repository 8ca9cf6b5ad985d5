//! Getting to the database: the one of `DATABASE_URL`, or our own in the data folder.

use std::time::Duration;

use crate::{
    base::{Error, Result},
    config::Config,
    db::{
        self, Connector,
        embedded::{self, Embedded},
        migrate,
    },
};

/// How long `serve` goes on trying to reach the database before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The database, and our own PostgreSQL if it runs there.
pub struct Database {
    pub config: db::Config,
    pub embedded: Option<Embedded>,
}

impl Database {
    /// Starts our own PostgreSQL where no URL is set. Refused while another process has it.
    pub async fn find(config: &Config) -> Result<Self> {
        match &config.database_url {
            Some(url) => Ok(Self::at(config, url.expose().clone(), None)),
            None => Self::start(config).await.map_err(|error| Error::Unavailable(error.to_string().into())),
        }
    }

    /// The same for commands that a person uses while the server runs: where that has started our own
    /// PostgreSQL, they use it too.
    pub async fn share(config: &Config) -> Result<Self> {
        if config.database_url.is_some() {
            return Self::find(config).await;
        }
        match Self::start(config).await {
            Err(error @ embedded::Error::InUse { .. }) => match embedded::url_of_running(&embedded_config(config)) {
                Some(url) => Ok(Self::at(config, url, None)),
                None => Err(Error::Unavailable(error.to_string().into())),
            },
            started => started.map_err(|error| Error::Unavailable(error.to_string().into())),
        }
    }

    async fn start(config: &Config) -> Result<Self, embedded::Error> {
        let started = Embedded::start(embedded_config(config)).await?;
        Ok(Self::at(config, started.url(), Some(started)))
    }

    fn at(config: &Config, url: String, embedded: Option<Embedded>) -> Self {
        let config = db::Config {
            url,
            role_prefix: config.database_roles.clone(),
            connections: config.database_connections,
            statement_seconds: config.limits.statement_seconds,
            ca_file: config.database_ca.clone(),
        };
        Self { config, embedded }
    }

    /// Brings the schema up to date, waiting for a database that is not there yet.
    pub async fn prepare(&self) -> Result<Vec<String>> {
        let connector = Connector::new(&self.config)?;
        self.patiently(async || migrate::prepare(&connector).await).await
    }

    /// Waits until somebody else has brought the schema up to date.
    pub async fn prepared(&self) -> Result<()> {
        let connector = Connector::new(&self.config)?;
        let look = async || match migrate::pending(&connector).await?.len() {
            0 => Ok(()),
            lacking => Err(Error::Unavailable(
                format!("The database lacks {lacking} migrations of this version; run kontor migrate.").into(),
            )),
        };
        self.patiently(look).await
    }

    /// Tries again, for a while, what a database keeps from working that is not ours to mend.
    async fn patiently<T>(&self, work: impl AsyncFn() -> Result<T>) -> Result<T> {
        let (mut waited, mut pause) = (Duration::ZERO, Duration::from_millis(250));
        loop {
            match work().await {
                Err(Error::Unavailable(reason)) if waited < PATIENCE && self.embedded.is_none() => {
                    tracing::warn!(%reason, "trying again in {} s", pause.as_secs_f32());
                    tokio::time::sleep(pause).await;
                    waited += pause;
                    pause = (pause * 2).min(Duration::from_secs(10));
                }
                done => return done,
            }
        }
    }

    /// Stops our own PostgreSQL.
    pub async fn stop(self, within: Duration) {
        if let Some(embedded) = self.embedded
            && let Err(error) = embedded.stop(within).await
        {
            tracing::warn!(%error, "the embedded PostgreSQL did not stop in order");
        }
    }
}

/// Our own PostgreSQL, as it is configured.
pub fn embedded_config(config: &Config) -> embedded::Config {
    let mut own = embedded::Config::new(&config.data_dir);
    own.bin_dir.clone_from(&config.postgres_bin);
    own
}
