//! Brings a database to this version's schema: makes the roles where it may, then runs the
//! migrations as the system role, one server at a time.

use std::time::Duration;

use diesel::{QueryableByName, migration::MigrationSource, pg::Pg, sql_query, sql_types::Text};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio_postgres::{Client, error::SqlState};

use super::{
    Connector, connect_plain, locks,
    pool::{Role, quote_identifier},
};
use crate::base::{Error, Result};

pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Makes roles and schema ready. Returns the names of the migrations that ran.
/// Errors are sentences for the person who starts the server.
pub async fn prepare(connector: &Connector) -> Result<Vec<String>> {
    let owner = connect_plain(connector).await?;
    check_version(&owner).await?;
    if !folds_all_letters(&owner).await? {
        tracing::warn!("{ENGLISH_ONLY}");
    }
    prepare_roles(&owner, connector).await?;
    run(connector, Way::Up).await
}

/// Takes the newest migration back.
pub async fn revert_last(connector: &Connector) -> Result<Vec<String>> {
    run(connector, Way::DownOne).await
}

/// The migrations that the database still lacks: all of them, where not even the roles are there.
pub async fn pending(connector: &Connector) -> Result<Vec<String>> {
    let owner = connect_plain(connector).await?;
    if role_exists(&owner, &connector.roles().system).await.map_err(Error::internal)? {
        return lacking(&mut connector.open(Role::System, "kontor migrate").await?).await;
    }
    names_without(&[])
}

async fn role_exists(owner: &Client, role: &str) -> Result<bool, tokio_postgres::Error> {
    Ok(owner.query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&role]).await?.is_some())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    DownOne,
}

async fn check_version(owner: &Client) -> Result<()> {
    let row = owner.query_one("SELECT current_setting('server_version_num')::int, version()", &[]).await;
    let row = row.map_err(Error::internal)?;
    let (number, name): (i32, String) = (row.get(0), row.get(1));
    if number < 150_000 {
        return Err(Error::Unavailable(format!("PostgreSQL 15 or newer is needed; this is {name}.").into()));
    }
    Ok(())
}

/// What is amiss where [`folds_all_letters`] says no.
pub const ENGLISH_ONLY: &str = "The database's LC_CTYPE knows upper and lower case of English letters only, so that a \
     search for 'ä' does not find 'Ä'; docs/deployment.md tells how to create one that knows all letters.";

/// Whether a search without regard to case finds the letters of all languages. A database that
/// cannot keep all of them, or not in our encoding, is refused.
pub async fn folds_all_letters(owner: &Client) -> Result<bool> {
    let encoding = owner.query_one("SELECT current_setting('server_encoding')", &[]).await;
    let encoding: String = encoding.map_err(Error::internal)?.get(0);
    if encoding != "UTF8" {
        return Err(Error::Unavailable(
            format!(
                "The encoding of the database is {encoding}, and Kontor needs UTF8: create the database anew, as \
                 docs/deployment.md tells."
            )
            .into(),
        ));
    }
    // other encodings may not even have these letters
    let folds = owner.query_one("SELECT lower('Ä') = 'ä'", &[]).await;
    Ok(folds.map_err(Error::internal)?.get(0))
}

/// Makes the two roles and lets the URL's user act as them. Where the user lacks the right, the
/// roles may have been made by an administrator: then everything is there already.
async fn prepare_roles(owner: &Client, connector: &Connector) -> Result<()> {
    let roles = connector.roles();
    for role in [&roles.app, &roles.system] {
        make_role(owner, role).await.map_err(|error| missing_right(&error, role))?;
    }
    let system = quote_identifier(&roles.system);
    let database = quote_identifier(connector.database());
    let grants = format!(
        "GRANT CREATE, CONNECT, TEMPORARY ON DATABASE {database} TO {system}; \
         GRANT CREATE, USAGE ON SCHEMA public TO {system}; \
         GRANT USAGE ON SCHEMA public TO {}",
        quote_identifier(&roles.app)
    );
    let may: bool = owner
        .query_one(
            "SELECT has_schema_privilege($1, 'public', 'CREATE') AND has_database_privilege($1, current_database(), 'CREATE')",
            &[&roles.system],
        )
        .await
        .map_err(Error::internal)?
        .get(0);
    if !may {
        owner.batch_execute(&grants).await.map_err(|error| missing_right(&error, &roles.system))?;
    }
    Ok(())
}

async fn make_role(owner: &Client, role: &str) -> Result<(), tokio_postgres::Error> {
    if !role_exists(owner, role).await? {
        let made = owner.batch_execute(&format!("CREATE ROLE {} NOLOGIN", quote_identifier(role))).await;
        // another server may have made it at the same moment
        let raced = |error: &tokio_postgres::Error| matches!(error.code(), Some(code) if *code == SqlState::DUPLICATE_OBJECT || *code == SqlState::UNIQUE_VIOLATION);
        if let Err(error) = made
            && !raced(&error)
        {
            return Err(error);
        }
    }
    // From PostgreSQL 16 on, who may make roles is a member of those it makes, but may not act as
    // them until it says so.
    let may_act = "SELECT pg_has_role(current_user, $1, CASE WHEN current_setting('server_version_num')::int >= 160000
                                                         THEN 'SET' ELSE 'MEMBER' END)";
    if !owner.query_one(may_act, &[&role]).await?.get::<_, bool>(0) {
        owner.batch_execute(&format!("GRANT {} TO CURRENT_USER", quote_identifier(role))).await?;
    }
    Ok(())
}

fn missing_right(error: &tokio_postgres::Error, role: &str) -> Error {
    let message = error.as_db_error().map_or_else(|| error.to_string(), |database| database.message().to_owned());
    Error::Unavailable(
        format!(
            "The user of DATABASE_URL may not prepare the role {role} ({message}). Give it CREATEROLE and ownership of \
             the database, or let an administrator run the SQL in docs/deployment.md."
        )
        .into(),
    )
}

async fn run(connector: &Connector, way: Way) -> Result<Vec<String>> {
    let mut connection = connector.open(Role::System, "kontor migrate").await?;
    let roles = connector.roles();
    let settings = format!(
        "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
         SELECT set_config('kontor.app_role', '{}', false), set_config('kontor.system_role', '{}', false)",
        roles.app.replace('\'', "''"),
        roles.system.replace('\'', "''")
    );
    connection.batch_execute(&settings).await?;
    wait_for_lock(&mut connection).await?;
    let mut harness = AsyncMigrationHarness::new(connection);
    let names = match way {
        Way::Up => {
            harness.run_pending_migrations(MIGRATIONS).map(|done| done.iter().map(ToString::to_string).collect())
        }
        Way::DownOne => harness.revert_last_migration(MIGRATIONS).map(|name| vec![name.to_string()]),
    };
    // closing the connection gives the lock back
    names.map_err(Error::internal)
}

async fn wait_for_lock(connection: &mut AsyncPgConnection) -> Result<()> {
    let lock = format!("SELECT pg_advisory_lock({})", locks::MIGRATION);
    let waited = tokio::time::timeout(Duration::from_secs(600), connection.batch_execute(&lock)).await;
    waited
        .map_err(|_| Error::Unavailable("Another server has been migrating for ten minutes.".into()))?
        .map_err(Into::into)
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

/// The migrations that a database lacks, by a connection of the system role. Only reads, and waits
/// for nobody who migrates.
pub async fn lacking(connection: &mut AsyncPgConnection) -> Result<Vec<String>> {
    let begun = "SELECT table_name::text AS version FROM information_schema.tables \
                  WHERE table_schema = 'public' AND table_name = '__diesel_schema_migrations'";
    if sql_query(begun).load::<Version>(connection).await?.is_empty() {
        return names_without(&[]);
    }
    let done = sql_query("SELECT version FROM __diesel_schema_migrations").load(connection).await?;
    names_without(&done)
}

/// The names of this version's migrations without these, in their order.
fn names_without(done: &[Version]) -> Result<Vec<String>> {
    let all = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(Error::Internal)?;
    let names = all.iter().map(|migration| migration.name());
    let lacking = names.filter(|name| !done.iter().any(|done| done.version == name.version().to_string()));
    let mut names: Vec<_> = lacking.map(ToString::to_string).collect();
    names.sort();
    Ok(names)
}
