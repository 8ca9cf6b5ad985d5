//! A database per test, cloned from a template that was migrated once.
//!
//! The PostgreSQL is `KONTOR_TEST_DATABASE_URL` (a superuser's URL) where that is set, otherwise
//! one of our own in a temporary folder, stopped when the test process ends.

use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use kontor::db::{self, Connector, Db, connect_plain, embedded};
use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};
use tokio::sync::OnceCell;

/// All test databases share the two roles.
const ROLES: &str = "kontor_test";

/// One test's own database.
pub struct TestDatabase {
    pub url: String,
    pub db: Db,
}

/// Makes a fresh, migrated, empty database.
pub async fn database() -> TestDatabase {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    // cloning needs a template that nobody is connected to
    static CLONING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

    install_crypto();
    let template = TEMPLATE.get_or_init(make_template).await;
    let name = format!("kontor_test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    {
        let _one_at_a_time = CLONING.lock().await;
        run_as_admin(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
    }
    let url = server_url(&name);
    let db = Db::open(&config(&url)).expect("the test database's URL is valid");
    TestDatabase { url, db }
}

/// How a test reaches its database.
pub fn config(url: &str) -> db::Config {
    db::Config {
        url: url.to_owned(),
        role_prefix: Some(ROLES.to_owned()),
        connections: 8,
        statement_seconds: 15,
        ca_file: None,
    }
}

/// The cluster's URL with this database's name.
pub fn server_url(database: &str) -> String {
    let url = cluster();
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let root = base.rfind('/').map_or(base, |at| &base[..at]);
    query.map_or_else(|| format!("{root}/{database}"), |query| format!("{root}/{database}?{query}"))
}

/// The cluster's URL with this database's name, for somebody else than the superuser.
pub fn url_of(user: &str, password: &str, database: &str) -> String {
    let url = server_url(database);
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (authority, path) = rest.split_once('/').expect("a URL with a database");
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{user}:{password}@{host}/{path}")
}

/// In a runtime of its own: migrating needs the multi-threaded one, and tests run in the other.
async fn make_template() -> String {
    let make = async {
        let name = format!("kontor_test_{}_template", std::process::id());
        run_as_admin(&format!("CREATE DATABASE {name}")).await;
        let connector = Connector::new(&config(&server_url(&name))).expect("valid");
        db::migrate::prepare(&connector).await.expect("migrations run on an empty database");
        name
    };
    let in_own_runtime = || tokio::runtime::Runtime::new().expect("a runtime").block_on(make);
    tokio::task::spawn_blocking(in_own_runtime).await.expect("the template is made")
}

/// Makes an empty database in the locale C, which knows upper and lower case of English letters
/// only.
pub async fn make_in_c(name: &str, encoding: &str) {
    run_as_admin(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    let make = format!(
        "CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE_PROVIDER libc
                                LC_COLLATE 'C' LC_CTYPE 'C'"
    );
    run_as_admin(&make).await;
}

/// Runs a statement in the cluster's own database, as its superuser.
pub async fn run_as_admin(statement: &str) {
    let connector = Connector::new(&config(&server_url("postgres"))).expect("valid");
    let client = connect_plain(&connector).await.expect("the test cluster answers");
    client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
}

fn cluster() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| std::env::var("KONTOR_TEST_DATABASE_URL").unwrap_or_else(|_| start_own_cluster()))
}

/// Starts a cluster that lives as long as this process: the kernel stops it when we end.
fn start_own_cluster() -> String {
    remove_folders_of_the_dead();
    let start = async {
        let folder = std::env::temp_dir().join(format!("kontor-test-{}", std::process::id()));
        let mut config = embedded::Config::new(folder);
        // Tests commit a lot and lose nothing that matters.
        for (name, value) in [("fsync", "off"), ("synchronous_commit", "off"), ("max_connections", "400")] {
            config.settings.push((name.to_owned(), value.to_owned()));
        }
        let cluster = embedded::Embedded::start(config).await.expect("PostgreSQL starts");
        let url = cluster.url();
        std::mem::forget(cluster);
        url
    };
    // its supervisor is a thread of its own and outlives the runtime
    std::thread::spawn(|| tokio::runtime::Runtime::new().expect("a runtime").block_on(start)).join().expect("started")
}

/// A test process cannot clean up after its own end: the next one does.
fn remove_folders_of_the_dead() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.strip_prefix("kontor-test-")) else { continue };
        let Some(pid) = pid.parse().ok().filter(|pid| *pid > 0).and_then(Pid::from_raw) else { continue };
        // one that is there and is somebody else's is refused, and not missed
        if test_kill_process(pid) == Err(Errno::SRCH) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

pub fn install_crypto() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        super::statements::listen();
    });
}
