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
    /// Starts our own PostgreSQL where no URL is set.
    pub async fn find(config: &Config) -> Result<Self> {
        let (url, embedded) = match &config.database_url {
            Some(url) => (url.expose().clone(), None),
            None => {
                let mut own = embedded::Config::new(&config.data_dir);
                own.bin_dir.clone_from(&config.postgres_bin);
                let started =
                    Embedded::start(own).await.map_err(|error| Error::Unavailable(error.to_string().into()))?;
                (started.url(), Some(started))
            }
        };
        let config = db::Config {
            url,
            role_prefix: config.database_roles.clone(),
            connections: config.database_connections,
            statement_seconds: config.limits.statement_seconds,
            ca_file: config.database_ca.clone(),
        };
        Ok(Self { config, embedded })
    }

    /// Brings the schema up to date, waiting for a database that is not there yet.
    pub async fn prepare(&self) -> Result<Vec<String>> {
        let connector = Connector::new(&self.config)?;
        let (mut waited, mut pause) = (Duration::ZERO, Duration::from_millis(250));
        loop {
            match migrate::prepare(&connector).await {
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
