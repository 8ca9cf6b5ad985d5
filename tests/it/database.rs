//! Migrations, tenancy and transactions on a real database.

use std::pin::pin;

use diesel::{QueryableByName, sql_query, sql_types::Text};
use diesel_async::RunQueryDsl;
use kontor::{
    base::{
        Error,
        ids::{UserId, WorkspaceId},
    },
    db::{self, Connector, Db, Role, connect_plain, migrate},
};

use crate::support::{
    database::{self, database},
    eventually, sql,
};

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Tables of the public schema that hold no tenant's rows, by decision.
const GLOBAL: &[&str] = &[
    "__diesel_schema_migrations",
    "instance_settings",
    "workspaces",
    "users",
    "members",
    "sessions",
    "session_secrets",
    "tokens",
    "one_time_links",
    "sign_in_failures",
    "outbox",
    "events",
    "event_log_state",
    "reactors",
    "jobs",
    "schedules",
];

/// Of eight connections one workspace has four for looking through its records.
#[tokio::test]
async fn who_looks_through_records_leaves_connections_to_the_others() {
    let test = database().await;
    let (one, other) = (WorkspaceId::new(), WorkspaceId::new());
    let mut looking = Vec::new();
    for _ in 0..4 {
        looking.push(test.db.look(&one).await.expect("a transaction"));
    }
    let mut fifth = pin!(test.db.look(&one));
    assert!(futures_util::poll!(&mut fifth).is_pending());
    let others = (test.db.read(&one).await, test.db.look(&other).await, test.db.begin(&other).await);
    assert!(others.0.is_ok() && others.1.is_ok() && others.2.is_ok());
    drop(looking.pop());
    assert!(fifth.await.is_ok());
}

#[tokio::test]
async fn who_follows_much_holds_up_nobody_else() {
    let test = database().await;
    let (workspace, one, other) = (WorkspaceId::new(), UserId::new(), UserId::new());
    let first = test.db.follow_in(workspace, one).await.expect("a transaction");
    let mut second = pin!(test.db.follow_in(workspace, one));
    assert!(futures_util::poll!(&mut second).is_pending());
    assert!(test.db.follow_in(workspace, other).await.is_ok());
    drop(first);
    assert!(second.await.is_ok());
}

#[tokio::test]
async fn every_tenant_table_has_both_locks() {
    let test = database().await;
    let mut tx = test.db.system().await.expect("a transaction");
    let unlocked: Vec<Name> = sql_query(
        "SELECT relname::text AS name FROM pg_class t
          WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
            AND NOT (relname = ANY($1))
            AND NOT (relrowsecurity AND relforcerowsecurity
                 AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = t.oid AND attname = 'workspace_id' AND attnotnull)
                 AND EXISTS (SELECT FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
                              WHERE c.conrelid = t.oid AND c.contype = 'p' AND a.attname = 'workspace_id')
                 AND (SELECT array_agg(polname::text ORDER BY polname) FROM pg_policy WHERE polrelid = t.oid) = '{system,tenant}')",
    )
    .bind::<diesel::sql_types::Array<Text>, _>(GLOBAL)
    .load(tx.connection())
    .await
    .expect("the catalogue answers");
    let names: Vec<_> = unlocked.into_iter().map(|table| table.name).collect();
    assert!(names.is_empty(), "without workspace_id in the key or without forced row-level security: {names:?}");
}

#[tokio::test]
async fn another_workspaces_rows_cannot_be_seen_or_made() {
    let test = database().await;
    let (ours, theirs) = (WorkspaceId::new(), WorkspaceId::new());
    let mut tx = test.db.system().await.expect("a transaction");
    for workspace in [ours, theirs] {
        let make = format!(
            "INSERT INTO workspaces (id, name) VALUES ('{workspace}', 'w');
             INSERT INTO accounts (workspace_id, id, name, created_by, created_at, updated_at)
             VALUES ('{workspace}', gen_random_uuid(), 'a', gen_random_uuid(), now(), now())"
        );
        diesel_async::SimpleAsyncConnection::batch_execute(tx.connection(), &make).await.expect("inserted");
    }
    tx.commit().await.expect("committed");

    let mut tx = test.db.begin(&ours).await.expect("a transaction");
    let seen: Vec<Name> =
        sql_query("SELECT workspace_id::text AS name FROM accounts").load(tx.connection()).await.expect("read");
    assert_eq!(seen.into_iter().map(|row| row.name).collect::<Vec<_>>(), [ours.to_string()]);
    let smuggle = format!(
        "INSERT INTO accounts (workspace_id, id, name, created_by, created_at, updated_at)
         VALUES ('{theirs}', gen_random_uuid(), 'a', gen_random_uuid(), now(), now())"
    );
    sql_query(smuggle).execute(tx.connection()).await.expect_err("row-level security refuses it");
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing_and_its_connection_is_used_again() {
    let test = database().await;
    for _ in 0..50 {
        let mut tx = test.db.system().await.expect("a transaction");
        sql_query("INSERT INTO workspaces (id, name) VALUES (gen_random_uuid(), 'w')")
            .execute(tx.connection())
            .await
            .expect("inserted");
    }
    let mut tx = test.db.system().await.expect("a transaction");
    let left: Vec<Name> = sql_query("SELECT name FROM workspaces").load(tx.connection()).await.expect("read");
    assert!(left.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_migration_goes_down_and_up_again() {
    let test = database().await;
    let connector = Connector::new(&database::config(&test.url)).expect("valid");
    let mut reverted = 0;
    while migrate::revert_last(&connector).await.is_ok() {
        reverted += 1;
        assert!(reverted < 1000);
    }
    assert_eq!(migrate::pending(&connector).await.expect("looked").len(), reverted);
    // looking changes nothing
    sql::run(&test.db, "DROP TABLE __diesel_schema_migrations").await;
    assert_eq!(migrate::pending(&connector).await.expect("looked").len(), reverted);
    let table = "SELECT count(*) AS value FROM pg_tables WHERE tablename = '__diesel_schema_migrations'";
    assert_eq!(sql::number(&test.db, table).await, 0);
    let ran = migrate::prepare(&connector).await.expect("up again");
    assert_eq!(ran.len(), reverted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_encoding_is_refused_and_one_of_english_letters_is_told() {
    let test = database().await;
    let connector = |url: &str| Connector::new(&database::config(url)).expect("valid");
    let usual = connect_plain(&connector(&test.url)).await.expect("connected");
    assert!(migrate::folds_all_letters(&usual).await.expect("looked"));

    let name = format!("kontor_in_c_{}", std::process::id());
    database::make_in_c(&name, "SQL_ASCII").await;
    let ascii = connector(&database::server_url(&name));
    let refused = migrate::prepare(&ascii).await.expect_err("nothing is kept there");
    assert!(matches!(&refused, Error::Unavailable(sentence) if sentence.contains("is SQL_ASCII")), "{refused:?}");
    let made = connect_plain(&ascii).await.expect("connected");
    let made = made.query_one("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", &[]).await;
    assert_eq!(made.expect("counted").get::<_, i64>(0), 0, "it is left as it was");

    database::make_in_c(&name, "UTF8").await;
    let english = connector(&database::server_url(&name));
    let client = connect_plain(&english).await.expect("connected");
    assert!(!migrate::folds_all_letters(&client).await.expect("looked"));
    assert!(!migrate::prepare(&english).await.expect("prepared all the same").is_empty());
    database::run_as_admin(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
}

/// What docs/deployment.md asks of the user in `DATABASE_URL`, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_owns_the_database_and_may_make_roles_is_enough() {
    database::install_crypto();
    let name = format!("kontor_owner_{}", std::process::id());
    let remove = [
        format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        format!("DROP ROLE IF EXISTS {name}_app, {name}_system, {name}"),
    ];
    for statement in &remove {
        database::run_as_admin(statement).await;
    }
    database::run_as_admin(&format!("CREATE ROLE {name} LOGIN NOSUPERUSER CREATEROLE PASSWORD 'secret'")).await;
    database::run_as_admin(&format!("CREATE DATABASE {name} OWNER {name}")).await;
    let url = database::url_of(&name, "secret", &name);
    let config = db::Config { role_prefix: Some(name.clone()), ..database::config(&url) };

    let connector = Connector::new(&config).expect("valid");
    assert!(!migrate::prepare(&connector).await.expect("prepared").is_empty());
    assert!(migrate::prepare(&connector).await.expect("prepared again").is_empty());
    let db = Db::open(&config).expect("valid");
    let workspace = WorkspaceId::new();
    sql::run(&db, &format!("INSERT INTO workspaces (id, name) VALUES ('{workspace}', 'w')")).await;
    let mut tx = db.begin(&workspace).await.expect("a transaction of the app role");
    assert_eq!(sql::number_in(&mut tx, "SELECT count(*) AS value FROM workspaces").await, 1);
    tx.commit().await.expect("committed");
    db.close();
    for statement in &remove {
        database::run_as_admin(statement).await;
    }
}

#[tokio::test]
async fn functions_with_their_owners_rights_are_not_everybodys() {
    let test = database().await;
    // an owner's rights need a search path of their own, too, or the caller's tables stand in
    let open = "SELECT proname::text AS value FROM pg_proc
                 WHERE prosecdef AND pronamespace = 'public'::regnamespace
                   AND (proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0)
                        OR NOT EXISTS (SELECT FROM unnest(proconfig) AS setting WHERE setting LIKE 'search_path=%'))";
    assert_eq!(sql::texts(&test.db, open).await, [""; 0]);
    let all = "SELECT count(*) AS value FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace";
    assert!(sql::number(&test.db, all).await > 0, "the test looks at something");
}

#[tokio::test]
async fn a_statement_that_nobody_waits_for_is_ended_and_its_connection_replaced() {
    let test = database().await;
    // who steps down to a role does not see what others do, not even in the same role
    let connector = Connector::new(&database::config(&test.url)).expect("valid");
    let superuser = connect_plain(&connector).await.expect("connected");
    let sleeping = async || {
        let count = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND state = 'active' AND query = 'SELECT pg_sleep(59)'";
        superuser.query_one(count, &[]).await.expect("counted").get::<_, i64>(0)
    };
    // more often than there are connections
    for _ in 0..10 {
        let mut tx = test.db.system().await.expect("a connection is free");
        {
            let mut sleep = pin!(sql_query("SELECT pg_sleep(59)").execute(tx.connection()));
            tokio::select! {
                ended = &mut sleep => panic!("it sleeps: {ended:?}"),
                () = eventually("it runs", async || sleeping().await > 0) => {}
            }
        }
        drop(tx);
    }
    eventually("nothing sleeps any more", async || sleeping().await == 0).await;
}

#[tokio::test]
async fn a_server_that_takes_connections_and_says_nothing_is_given_up() {
    database::install_crypto();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let _silent = tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            taken.push(connection);
        }
    });
    let connector = Connector::new(&database::config(&format!("postgresql://k@127.0.0.1:{port}/k"))).expect("valid");
    let (own, plain) = tokio::join!(connector.open(Role::System, "kontor test"), connect_plain(&connector));
    assert!(matches!(own.map(drop), Err(Error::Unavailable(_))));
    assert!(matches!(plain.map(drop), Err(Error::Unavailable(_))));
}
