//! How connections are opened: transport security, the step down to a role, the pools.

use std::{pin::Pin, sync::Arc, time::Duration};

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{
    AsyncPgConnection,
    pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod, deadpool},
};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio::time::timeout;
use tokio_postgres::{CancelToken, Client, Socket, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Config, errors};
use crate::base::{Error, Result};

/// A request that finds no free connection for this long is told to come back.
pub const WAIT_FOR_CONNECTION: Duration = Duration::from_secs(10);

/// How soon a machine that is gone without a word is noticed from here: when it does not take what
/// we send, and when it is silent.
const UNACKNOWLEDGED: Duration = Duration::from_secs(15);
const KEEPALIVE_AFTER: Duration = Duration::from_secs(10);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);
const KEEPALIVES: u32 = 3;

/// What connections are called in `pg_stat_activity` unless they have a name of their own.
const NAME: &str = "kontor";

const SILENT: &str = "PostgreSQL takes connections and does not answer.";

/// Which of the two roles a connection steps down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    App,
    System,
}

/// The names of the two roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    pub app: String,
    pub system: String,
}

impl Roles {
    pub fn new(prefix: &str) -> Self {
        Self { app: format!("{prefix}_app"), system: format!("{prefix}_system") }
    }
}

/// Opens connections to the configured database.
pub struct Connector {
    target: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    roles: Roles,
    statement_seconds: u64,
}

type Connection =
    tokio_postgres::Connection<Socket, <MakeRustlsConnect as tokio_postgres::tls::MakeTlsConnect<Socket>>::Stream>;

impl Connector {
    /// Fails with a plain sentence where the URL cannot be read.
    pub fn new(config: &Config) -> Result<Self> {
        let mut target: tokio_postgres::Config = config
            .url
            .parse()
            .map_err(|error| Error::invalid("DATABASE_URL", format!("is not a PostgreSQL URL: {error}")))?;
        target.application_name(NAME).connect_timeout(WAIT_FOR_CONNECTION);
        target.tcp_user_timeout(UNACKNOWLEDGED);
        target.keepalives_idle(KEEPALIVE_AFTER).keepalives_interval(KEEPALIVE_EVERY).keepalives_retries(KEEPALIVES);
        let name = target.get_dbname().or(target.get_user()).unwrap_or("kontor").to_owned();
        let roles = Roles::new(config.role_prefix.as_deref().unwrap_or(&name));
        let tls = MakeRustlsConnect::new(tls_config(target.get_ssl_mode(), config)?);
        Ok(Self { target, tls, roles, statement_seconds: config.statement_seconds })
    }

    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    /// The database's name, for messages.
    pub fn database(&self) -> &str {
        self.target.get_dbname().unwrap_or("the user's own database")
    }

    /// Connects and steps down to the role.
    async fn connect(&self, role: Role, name: &str) -> Result<(Client, Connection), tokio_postgres::Error> {
        let mut target = self.target.clone();
        target.application_name(name);
        let (client, mut connection) = target.connect(self.tls.clone()).await?;
        let step_down = self.step_down(role);
        {
            let set_up = client.batch_execute(&step_down);
            tokio::pin!(set_up);
            // The connection's own future moves the bytes: it has to run beside the statement.
            tokio::select! {
                done = &mut set_up => done?,
                ended = &mut connection => {
                    ended?;
                    set_up.await?;
                }
            }
        }
        Ok((client, connection))
    }

    /// A connection of its own, outside the pools, that shows up under `name` in
    /// `pg_stat_activity`.
    pub async fn open(&self, role: Role, name: &str) -> Result<AsyncPgConnection> {
        let opened = self.connect_diesel(role, name).await;
        opened.map_err(|error| Error::Unavailable(error.to_string().into()))
    }

    async fn connect_diesel(&self, role: Role, name: &str) -> ConnectionResult<AsyncPgConnection> {
        let connect = async {
            let (client, connection) = self.connect(role, name).await.map_err(connection_error)?;
            AsyncPgConnection::try_from_client_and_connection(client, connection).await
        };
        // the time that the configuration allows ends where the other side has taken the connection
        let connected = timeout(WAIT_FOR_CONNECTION, connect).await;
        connected.unwrap_or_else(|_| Err(ConnectionError::BadConnection(SILENT.to_owned())))
    }

    /// Asks PostgreSQL to end what the connection of this token is doing.
    pub(super) async fn cancel(&self, token: &CancelToken) -> Result<(), tokio_postgres::Error> {
        token.cancel_query(self.tls.clone()).await
    }

    /// The settings of every connection. PostgreSQL has to notice, too, that one of us is gone:
    /// when a machine of ours loses its power, for the sake of the locks that it held; and while a
    /// statement runs, for the sake of the work that nobody waits for. The list before a search index
    /// is kept short, for whoever fills it up empties it (some milliseconds), and searches read it.
    fn step_down(&self, role: Role) -> String {
        let (role, seconds) = match role {
            Role::App => (&self.roles.app, self.statement_seconds),
            // chores go through more rows than requests do
            Role::System => (&self.roles.system, self.statement_seconds * 4),
        };
        format!(
            "SET ROLE {}; SET statement_timeout = '{seconds}s'; SET idle_in_transaction_session_timeout = '60s'; \
             SET timezone = 'UTC'; SET jit = off; SET client_min_messages = warning; \
             SET gin_pending_list_limit = '256kB'; \
             SET client_connection_check_interval = '1s'; SET tcp_user_timeout = '10s'; \
             SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3",
            quote_identifier(role)
        )
    }
}

/// A name as SQL writes it, safe whatever it holds.
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Connects as the URL's user, without stepping down, and drives the connection in a task; for
/// set-up and tools. `Unavailable` says why it cannot.
pub async fn connect_plain(connector: &Connector) -> Result<Client> {
    let connected = timeout(WAIT_FOR_CONNECTION, connector.target.connect(connector.tls.clone())).await;
    let (client, connection) = connected
        .map_err(|_| Error::Unavailable(SILENT.into()))?
        .map_err(|error| Error::Unavailable(errors::connect_sentence(&error).into()))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a set-up connection ended");
        }
    });
    Ok(client)
}

pub fn diesel(connector: &Arc<Connector>, role: Role, size: usize) -> Result<deadpool::Pool<AsyncPgConnection>> {
    let connector = connector.clone();
    let mut config = ManagerConfig::<AsyncPgConnection>::default();
    // The first statement of a transaction tells soon enough: see Tx::begin.
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |_| {
        let connector = connector.clone();
        Box::pin(async move { connector.connect_diesel(role, NAME).await })
    });
    pool(AsyncDieselConnectionManager::new_with_config(String::new(), config), size)
}

/// The pool of connections that can COPY; see `Db::copy`.
pub fn copy(connector: &Arc<Connector>, size: usize) -> Result<deadpool_postgres::Pool> {
    let manager = deadpool_postgres::Manager::from_connect(
        connector.target.clone(),
        CopyConnect(connector.clone()),
        deadpool_postgres::ManagerConfig { recycling_method: deadpool_postgres::RecyclingMethod::Fast },
    );
    pool(manager, size)
}

fn pool<M: ::deadpool::managed::Manager>(manager: M, size: usize) -> Result<::deadpool::managed::Pool<M>> {
    ::deadpool::managed::Pool::builder(manager)
        .max_size(size)
        .runtime(::deadpool::Runtime::Tokio1)
        .wait_timeout(Some(WAIT_FOR_CONNECTION))
        .create_timeout(Some(WAIT_FOR_CONNECTION))
        .build()
        .map_err(Error::internal)
}

struct CopyConnect(Arc<Connector>);

type Connecting<'a> =
    Pin<Box<dyn Future<Output = Result<(Client, tokio::task::JoinHandle<()>), tokio_postgres::Error>> + Send + 'a>>;

impl deadpool_postgres::Connect for CopyConnect {
    fn connect(&self, _: &tokio_postgres::Config) -> Connecting<'_> {
        Box::pin(async move {
            let (client, connection) = self.0.connect(Role::System, NAME).await?;
            let task = tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a copy connection ended");
                }
            });
            Ok((client, task))
        })
    }
}

pub fn unavailable(error: &(dyn std::error::Error + 'static)) -> Error {
    tracing::warn!(error, "no database connection");
    Error::Unavailable("The database does not answer; try again in a moment".into())
}

fn connection_error(error: tokio_postgres::Error) -> ConnectionError {
    ConnectionError::BadConnection(errors::connect_sentence(&error))
}

/// `sslmode=require` and stricter verify the server's certificate; `prefer`, the default, encrypts
/// where the server can and verifies nothing, as every PostgreSQL client does.
fn tls_config(mode: SslMode, config: &Config) -> Result<ClientConfig> {
    let builder = ClientConfig::builder();
    if mode != SslMode::Require && config.ca_file.is_none() {
        let provider = builder.crypto_provider().clone();
        return Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
            .with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &config.ca_file {
        let unreadable = |error| Error::invalid("database_ca", format!("cannot be read ({}): {error}", path.display()));
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            roots.add(certificate.map_err(unreadable)?).map_err(Error::internal)?;
        }
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Accepts any certificate, for opportunistic encryption.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
