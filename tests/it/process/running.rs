//! Starting and using the program as a person at a terminal does: what it prints where, how it ends,
//! and what it says when something is wrong.

use std::{process::Stdio, time::Duration};

use kontor::db::Db;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, UnixStream},
};

use crate::support::{
    client::Client,
    database::{make_in_c, run_as_admin, server_url},
    eventually, eventually_within,
    process::{Installation, Process},
    server::PASSWORD,
    sql,
};

/// A sign-in from somewhere else than this machine: behind a proxy that is believed.
async fn register_from_afar(server: &Process, set_up_key: Option<&str>) -> Value {
    let query = "mutation($input: RegisterInput!) { register(input: $input) { token } }";
    let input = json!({ "email": "ada@kontor.test", "password": PASSWORD, "fullName": "Ada", "setUpKey": set_up_key });
    let post = reqwest::Client::new().post(format!("{}/graphql", server.url)).header("x-forwarded-for", "203.0.113.9");
    let answer = post.json(&json!({ "query": query, "variables": { "input": input } })).send().await.expect("answered");
    answer.json().await.expect("JSON")
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no code: {answer}"))
}

/// The key in the set-up link that this server printed.
fn set_up_key(server: &Process) -> String {
    let line = server.said.iter().find(|line| line.contains("#set-up=")).expect("a link");
    let link = line.split_whitespace().find_map(|word| word.strip_prefix(&format!("{}/#set-up=", server.url)));
    link.unwrap_or_else(|| panic!("the link leads elsewhere than to {}: {line}", server.url)).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_prints_a_link_to_set_it_up_once() {
    let installation = Installation::external().await.set("KONTOR_TRUSTED_PROXIES", "1");
    let server = installation.serve().await;
    let first = set_up_key(&server);
    assert_eq!(server.said.len(), 2, "a link and the ready line, nothing else: {:?}", server.said);
    assert!(!server.log().contains(&first), "it is a secret");
    assert!(server.stop().await.status.success());

    let server = installation.serve().await;
    let second = set_up_key(&server);
    assert_eq!(code(&register_from_afar(&server, None).await), "FORBIDDEN");
    assert_eq!(code(&register_from_afar(&server, Some(&first)).await), "FORBIDDEN", "replaced by the second");
    let made = register_from_afar(&server, Some(&second)).await;
    assert!(made["data"]["register"]["token"].is_string(), "{made}");
    assert_eq!(code(&register_from_afar(&server, Some(&second)).await), "FORBIDDEN");
    assert!(server.stop().await.status.success());

    let server = installation.serve().await;
    assert_eq!(server.said, [format!("kontor: ready on {}", server.url)]);
}

async fn sign_in(installation: &Installation, server: &Process, email: &str, password: &str) -> StatusCode {
    let client = Client::new(&server.url, &installation.ctx());
    client.post("/auth/login", json!({ "email": email, "password": password })).await.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn variables_make_the_first_admin_and_only_that() {
    let mut installation = Installation::external().await.set("KONTOR_ADMIN_EMAIL", "Grace@Kontor.test");
    let half = installation.run(&["serve"]).await;
    assert_eq!(half.failed(), "admin_password goes with admin_email: set both or neither");
    installation.change("KONTOR_ADMIN_PASSWORD", "short");
    let weak = installation.run(&["serve"]).await;
    assert!(weak.failed().starts_with("password "), "{}", weak.log);
    installation.change("KONTOR_ADMIN_PASSWORD", "a first password");
    let server = installation.serve().await;
    assert_eq!(server.said, [format!("kontor: ready on {}", server.url)]);
    assert_eq!(sign_in(&installation, &server, "grace@kontor.test", "a first password").await, StatusCode::OK);
    assert!(server.stop().await.status.success());

    // of no use any more, so that nobody minds what it is
    installation.change("KONTOR_ADMIN_PASSWORD", "other");
    let server = installation.serve().await;
    assert_eq!(sign_in(&installation, &server, "grace@kontor.test", "a first password").await, StatusCode::OK);
    assert_eq!(sign_in(&installation, &server, "grace@kontor.test", "other").await, StatusCode::UNAUTHORIZED);
    let users = "SELECT count(*) AS value FROM users";
    assert_eq!(sql::number(&installation.db(), users).await, 1);

    // one more from the command line, while the server runs
    let mut add = installation.command(&[
        "user",
        "add",
        "joan@kontor.test",
        "--name",
        "Joan",
        "--role",
        "support",
        "--password-stdin",
    ]);
    add.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut add = add.spawn().expect("it starts");
    add.stdin.take().expect("piped").write_all(b"a typed password\n").await.expect("read");
    let added = add.wait_with_output().await.expect("it ends");
    assert_eq!(String::from_utf8_lossy(&added.stdout), "added joan@kontor.test as support\n", "{added:?}");
    assert_eq!(sign_in(&installation, &server, "joan@kontor.test", "a typed password").await, StatusCode::OK);
    let again = installation.run(&["user", "add", "joan@kontor.test", "--name", "Joan"]).await;
    assert_eq!(again.failed(), "KONTOR_USER_PASSWORD is not set; set it, or use --password-stdin");
}

const EACH_KIND: &str = "SELECT concat_ws(' ', (SELECT count(*) FROM accounts), (SELECT count(*) FROM contacts),
      (SELECT count(*) FROM leads), (SELECT count(*) FROM deals), (SELECT count(*) FROM products),
      (SELECT count(*) FROM tasks), (SELECT count(*) FROM notes), (SELECT count(*) FROM deal_products),
      (SELECT count(*) FROM contact_lists)) AS value";

/// All six kinds, each record once although it was made in two goes, and what stands beside them.
async fn the_demo_is_all_there(db: &Db) {
    for (what, expected) in [
        ("count(DISTINCT account_number) FROM accounts", 300),
        ("count(DISTINCT email) FROM contacts WHERE email NOT LIKE 'lead%'", 3_036),
        ("count(email) - count(DISTINCT email) FROM contacts", 0),
        ("count(DISTINCT sku) FROM products", 48),
        ("count(*) FROM products", 48),
        ("count(DISTINCT email) FROM leads", 500),
        ("count(*) FROM leads", 500),
        ("count(DISTINCT title) FROM tasks", 500),
        ("count(*) FROM tasks", 500),
        ("count(DISTINCT name) FROM deals WHERE name LIKE '%, contract %'", 400),
        ("count(*) FROM deals WHERE name LIKE '%, contract %'", 400),
        ("count(*) FROM notes", 120),
        ("count(*) FROM custom_fields", 10),
        ("count(*) FROM contacts WHERE custom_fields ? 'birthday'", 3_000),
        ("count(*) FROM deals WHERE custom_fields ? 'decided_by'", 400),
        // on every stage of both pipelines
        ("count(DISTINCT pipeline_id) FROM deals", 2),
        ("count(*) FROM pipeline_stages s WHERE NOT EXISTS (SELECT FROM deals WHERE stage_id = s.id)", 0),
        // where their histories say, which go forward
        (
            "count(*) FROM deals d WHERE stage_id <> (SELECT (after ->> 'stage_id')::uuid FROM record_changes c
              WHERE c.record_id = d.id AND after ? 'stage_id' ORDER BY version DESC LIMIT 1)",
            0,
        ),
        (
            "count(*) FROM record_changes c
              JOIN record_changes n ON n.record_id = c.record_id AND n.version = c.version + 1
              WHERE c.kind = 'deal' AND n.at < c.at",
            0,
        ),
        ("count(*) FROM tasks WHERE created_at > now()", 0),
        ("count(*) FROM contacts WHERE created_at > now()", 0),
        ("count(*) FROM contact_lists", 13),
        ("count(*) FROM contact_lists WHERE folder_id IS NULL", 0),
        ("count(*) FROM list_folders", 3),
        ("count(*) FROM list_shares", 2),
        ("count(*) FROM list_favorites", 5),
    ] {
        let found = sql::number(db, &format!("SELECT {}", what.replacen(" FROM", " AS value FROM", 1))).await;
        assert_eq!(found, expected, "{what}");
    }
    for (what, least) in [
        ("count(*) FROM lead_conversions", 30),
        ("count(*) FROM lead_conversions WHERE deal_id IS NOT NULL", 10),
        ("count(DISTINCT deal_id) FROM deal_products", 250),
        ("count(*) FROM record_changes WHERE kind = 'deal' AND after ? 'stage_id'", 400),
        ("count(*) FROM tasks WHERE status = 'completed'", 100),
        ("count(*) FROM tasks WHERE status <> 'completed' AND due_date < now()", 20),
        ("count(*) FROM tasks WHERE status <> 'completed' AND reminder > now()", 50),
        ("count(*) FROM contacts WHERE created_at < now() - interval '400 days'", 500),
        ("count(*) FROM (SELECT FROM contacts GROUP BY phone_key(phone) HAVING count(*) > 1) twice", 15),
    ] {
        let found = sql::number(db, &format!("SELECT {}", what.replacen(" FROM", " AS value FROM", 1))).await;
        assert!(found >= least, "{what}: {found}");
    }
    let empty = "SELECT count(*) AS value FROM contact_lists
                  WHERE member_count = 0 OR built_version < version OR broken IS NOT NULL";
    let built = "every list has members";
    eventually_within(Duration::from_secs(60), built, async || sql::number(db, empty).await == 0).await;
    let dynamic = "SELECT count(*) AS value FROM contact_lists WHERE list_type = 'dynamic'";
    assert_eq!(sql::number(db, dynamic).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_fills_its_own_database_and_no_other() {
    let installation = Installation::external().await;
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let refused = installation.run(&["serve", "--demo", "--listen", address]).await;
        assert!(refused.failed().contains("loopback"), "{}", refused.log);
    }
    // killed half-way, it goes on where it was
    let db = installation.db();
    let records = "SELECT (SELECT count(*) FROM contacts) + (SELECT count(*) FROM accounts) AS value";
    let dies = installation.spawn(&["serve", "--demo"]);
    eventually("it fills", async || sql::number(&db, records).await > 100).await;
    dies.kill().await;
    let there = sql::number(&db, records).await;
    assert!(there < 3_300, "too quick to die in the middle: {there}");
    let still = ["--demo", "--demo-hours", "0"];
    let server = installation.serve_with(&still).await;
    let sign_in_line = "kontor: demo: sign in as demo@kontor.example with the password welcome-aboard";
    assert_eq!(server.said, [sign_in_line.to_owned(), format!("kontor: ready on {}", server.url)]);
    let welcome = sign_in(&installation, &server, "demo@kontor.example", "welcome-aboard").await;
    assert_eq!(welcome, StatusCode::OK);
    the_demo_is_all_there(&db).await;
    let filled = sql::texts(&db, EACH_KIND).await;
    assert!(server.stop().await.status.success());
    let server = installation.serve_with(&still).await;
    assert_eq!(server.said[0], sign_in_line);
    // while it is told to keep still
    let chores = "SELECT count(*) AS value FROM jobs WHERE kind = 'lists.tell_time' AND state = 'completed'";
    let before = sql::number(&db, chores).await;
    let late = "schedules fire";
    eventually_within(Duration::from_secs(60), late, async || sql::number(&db, chores).await > before + 2).await;
    assert_eq!(sql::texts(&db, EACH_KIND).await, filled, "it is left as it is");
    assert_eq!(sql::number(&db, "SELECT count(*) AS value FROM jobs WHERE kind = 'demo.play'").await, 0);
    assert!(server.stop().await.status.success());

    // and else it goes on by itself: only a person moves to Hamburg, or orders the newsletter
    let moved = "SELECT count(*) AS value FROM list_log g JOIN contact_lists l ON l.id = g.list_id
                  WHERE l.name IN ('People in Hamburg', 'Newsletter')";
    let before = sql::number(&db, moved).await;
    let server = installation.serve_with(&["--demo"]).await;
    let lively = "a list gains or loses a member";
    eventually_within(Duration::from_secs(90), lively, async || sql::number(&db, moved).await > before).await;
    let done = "SELECT count(*) AS value FROM record_changes c JOIN jobs j ON j.id = (c.actor ->> 'through')::uuid
                 WHERE j.kind = 'demo.play'";
    assert!(sql::number(&db, done).await > 0);
    assert_eq!(sql::texts(&db, EACH_KIND).await, filled, "with what is there");
    drop(server);
    let told = installation.run(&["demo"]).await.well();
    assert_eq!(told, "sign in as demo@kontor.example with the password welcome-aboard\n");

    let other = Installation::external().await;
    let server = other.serve().await;
    other.admin(&server).await;
    for command in [["serve", "--demo"].as_slice(), &["demo"]] {
        let refused = other.run(command).await;
        assert!(refused.failed().contains("has data of its own"), "{}", refused.log);
    }
    assert_eq!(sql::number(&other.db(), "SELECT count(*) AS value FROM users").await, 1);
}

/// A server that cannot use its database says so in a sentence, goes on trying, and serves as soon as
/// it is right.
async fn until_mended(installation: &Installation, says: &str, mend: impl Future<Output = ()>) {
    let mut server = installation.spawn(&["serve"]);
    eventually("it tries again, and later each time", async || {
        let log = server.log();
        log.contains("trying again in 0.25 s") && log.contains("trying again in 0.5 s")
    })
    .await;
    let log = server.log();
    assert!(log.contains(says), "{says}: {log}");
    assert!(!log.contains("a-wrong-password") && !log.contains("a-right-password"), "{log}");
    assert!(server.is_running());
    mend.await;
    server.ready().await;
    assert!(server.stop().await.status.success());
}

/// A PostgreSQL that asks for passwords.
async fn cluster_with_passwords(folder: &crate::support::folder::Folder) -> kontor::db::embedded::Embedded {
    let rules = std::env::temp_dir().join(format!("kontor-process-{}-rules", std::process::id()));
    std::fs::write(&rules, "local all kontor trust\nlocal all all scram-sha-256\n").expect("written");
    let mut config = kontor::db::embedded::Config::new(folder.path());
    config.settings.push(("hba_file".to_owned(), rules.display().to_string()));
    kontor::db::embedded::Embedded::start(config).await.expect("PostgreSQL starts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_and_tried_again() {
    let folder = crate::support::folder::Folder::new();
    let cluster = cluster_with_passwords(&folder).await;
    let (owner, connection) = cluster.connection().connect(tokio_postgres::NoTls).await.expect("trusted");
    tokio::spawn(connection);
    let make = "CREATE ROLE clerk LOGIN CREATEROLE PASSWORD 'a-right-password'; CREATE EXTENSION pg_trgm";
    owner.batch_execute(make).await.expect("made");
    owner.batch_execute("CREATE DATABASE office OWNER clerk").await.expect("made");
    let url = cluster.url().replace("kontor@/kontor", "clerk:a-wrong-password@/office");
    let installation = Installation::embedded().set("DATABASE_URL", url);
    let mend = async { owner.batch_execute("ALTER ROLE clerk PASSWORD 'a-wrong-password'").await.expect("altered") };
    until_mended(&installation, "PostgreSQL refused the user or the password of DATABASE_URL", mend).await;
    drop(installation);
    cluster.stop(Duration::from_secs(10)).await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_rights_are_told_and_tried_again() {
    let name = format!("kontor_poor_{}", std::process::id());
    run_as_admin(&format!("CREATE ROLE {name} LOGIN")).await;
    run_as_admin(&format!("CREATE DATABASE {name} OWNER {name}")).await;
    let url = server_url(&name);
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let host = rest.split_once('@').map_or(rest, |(_, host)| host);
    let installation = Installation::embedded().set("DATABASE_URL", format!("{scheme}://{name}@{host}"));
    let grant = format!("ALTER ROLE {name} CREATEROLE");
    let mend = run_as_admin(&grant);
    until_mended(&installation, &format!("may not prepare the role {name}_app"), mend).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_does_not_answer_is_told_and_tried_again() {
    let installation = Installation::external().await;
    let real: tokio_postgres::Config = installation.url().parse().expect("a URL");
    let tokio_postgres::config::Host::Unix(sockets) = real.get_hosts()[0].clone() else { return };
    // a port that is ours, and closed
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = closed.local_addr().expect("bound");
    drop(closed);
    let (user, name) = (real.get_user().expect("a user"), real.get_dbname().expect("a database"));
    let installation = installation.set("DATABASE_URL", format!("postgresql://{user}@{address}/{name}"));
    let socket = sockets.join(format!(".s.PGSQL.{}", real.get_ports().first().unwrap_or(&5432)));
    let mend = async {
        let listener = TcpListener::bind(address).await.expect("still free");
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let socket = socket.clone();
                tokio::spawn(async move {
                    let mut far = UnixStream::connect(socket).await?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
    };
    until_mended(&installation, "PostgreSQL cannot be reached", mend).await;
    for (url, says) in [
        ("postgresql://nobody.invalid/x", "PostgreSQL cannot be reached"),
        ("mysql://localhost/x", "DATABASE_URL is not a PostgreSQL URL"),
    ] {
        let installation = Installation::embedded().set("DATABASE_URL", url);
        let doctor = installation.run(&["doctor"]).await;
        assert_eq!(doctor.status.code(), Some(1));
        assert!(doctor.output.contains(says), "{} {}", doctor.output, doctor.log);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_a_data_folder_or_an_address_is_refused_at_once() {
    let mut installation = Installation::embedded();
    let server = installation.serve().await;
    for command in ["serve", "work"] {
        let refused = installation.run(&[command]).await;
        let sentence = refused.failed();
        let pid = server.pid.as_raw_nonzero().to_string();
        assert!(sentence.contains("is in use by another Kontor") && sentence.contains(&pid), "{sentence}");
        assert!(!refused.log.contains("trying again"), "{}", refused.log);
    }
    let other = Installation::external().await;
    let address = server.url.trim_start_matches("http://");
    let refused = other.run(&["serve", "--listen", address]).await;
    assert!(refused.failed().starts_with(&format!("Cannot listen at {address}: ")), "{}", refused.log);
    assert!(!refused.log.contains("trying again") && refused.output.is_empty(), "{}", refused.log);

    // what needs the database beside the running server gets it
    let doctor = installation.run(&["doctor"]).await;
    assert!(doctor.output.ends_with("all is well\n"), "{} {}", doctor.output, doctor.log);
    installation.change("KONTOR_USER_PASSWORD", PASSWORD);
    let added = installation.run(&["user", "add", "ada@kontor.test", "--name", "Ada"]).await.well();
    assert_eq!(added, "made the first workspace, with ada@kontor.test as its admin\n");
    assert_eq!(sign_in(&installation, &server, "ada@kontor.test", PASSWORD).await, StatusCode::OK);
    assert!(installation.run(&["migrate"]).await.well().starts_with("nothing to do"));
    assert!(server.stop().await.status.success());

    // and by itself afterwards
    let doctor = installation.run(&["doctor"]).await;
    assert!(doctor.output.ends_with("all is well\n"), "{} {}", doctor.output, doctor.log);
    assert!(installation.postmaster().is_none());
    installation.run(&["user", "add", "joan@kontor.test", "--name", "Joan"]).await.well();
    assert!(installation.postmaster().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_finds_what_is_wrong_and_changes_nothing() {
    let installation = Installation::external().await;
    let folder = installation.data_dir();
    let well = installation.run(&["doctor"]).await;
    assert!(well.output.ends_with("all is well\n"), "{}", well.output);
    assert_eq!(well.status.code(), Some(0));
    assert!(!folder.exists(), "it makes no folder");

    let ill = async |installation: Installation, says: &[&str]| {
        let told = installation.run(&["doctor"]).await;
        assert_eq!(told.status.code(), Some(1), "{}", told.output);
        for says in says {
            assert!(told.output.contains(says), "{says}: {}", told.output);
        }
        assert!(told.output.lines().any(|line| line.starts_with("ILL ")), "{}", told.output);
    };
    let empty = format!("kontor_empty_{}", std::process::id());
    run_as_admin(&format!("CREATE DATABASE {empty}")).await;
    let unprepared = Installation::embedded().set("DATABASE_URL", server_url(&empty));
    ill(unprepared, &["run kontor migrate"]).await;
    let in_c = format!("kontor_doctor_in_c_{}", std::process::id());
    for (encoding, says) in [("SQL_ASCII", "encoding of the database is SQL_ASCII"), ("UTF8", "English letters only")] {
        make_in_c(&in_c, encoding).await;
        let installation = Installation::embedded().set("DATABASE_URL", server_url(&in_c));
        ill(installation, &[says, "docs/deployment.md"]).await;
    }
    ill(Installation::embedded().set("DATABASE_URL", server_url("kontor_nowhere")), &["make it with createdb"]).await;
    let file = Installation::external().await.set("KONTOR_DATA_DIR", "/dev/null/kontor");
    ill(file, &["data folder: /dev/null/kontor cannot be written"]).await;
    ill(Installation::external().await.set("KONTOR_LISTEN", "192.0.2.1:80"), &["address: 192.0.2.1:80"]).await;
    ill(Installation::embedded().set("KONTOR_POSTGRES_BIN", "/nonexistent"), &["holds no PostgreSQL"]).await;

    // an installation that was never started has nothing wrong with it
    let new = Installation::embedded();
    let told = new.run(&["doctor"]).await;
    assert_eq!(told.status.code(), Some(0), "{}", told.output);
    assert!(told.output.contains("kontor serve makes it"), "{}", told.output);
    assert!(!new.data_dir().exists(), "it makes no database");
}

#[tokio::test]
async fn every_command_explains_itself() {
    let installation = Installation::embedded();
    let all = installation.run(&["--help"]).await.well();
    let commands = ["serve", "work", "migrate", "schema", "user", "demo", "doctor", "completions"];
    for command in commands {
        assert!(all.lines().any(|line| line.trim_start().starts_with(command)), "{command}: {all}");
        let help = installation.run(&[command, "--help"]).await;
        assert!(help.log.is_empty(), "{}", help.log);
        let help = help.well();
        assert!(help.contains("Usage: kontor ") && help.contains("--data-dir <FOLDER>"), "{command}: {help}");
    }
    assert!(installation.run(&["user", "add", "--help"]).await.well().contains("--password-stdin"));
    let serve = installation.run(&["serve", "--help"]).await.well();
    for flag in ["--listen", "--data-dir", "--demo", "--rate-limit", "--no-work", "--no-migrate", "--log"] {
        assert!(serve.contains(flag), "{flag}: {serve}");
    }
    assert!(installation.run(&["--version"]).await.well().starts_with("kontor "));
    for shell in ["bash", "zsh", "fish"] {
        assert!(installation.run(&["completions", shell]).await.well().contains("kontor"));
    }
    let schema = installation.run(&["schema"]).await;
    let file = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql")).expect("the file");
    assert!(schema.well() == file, "schema.graphql is stale; run make schema");

    for wrong in [["serve", "--nonsense"].as_slice(), &["nonsense"], &[], &["user", "add"]] {
        let refused = installation.run(wrong).await;
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}");
        assert!(refused.output.is_empty() && refused.log.contains("Usage"), "{}", refused.log);
    }
    for (name, value, says) in [
        ("KONTOR_NONSENSE", "1", "nonsense"),
        ("KONTOR_LIMITS__BODY_BYTES", "many", "body_bytes"),
        ("KONTOR_LISTEN", "here", "listen"),
        ("KONTOR_CONFIG", "/nonexistent.toml", "/nonexistent.toml does not exist"),
        ("KONTOR_SECRET", "short", "at least 32 characters"),
        ("KONTOR_LOG", "info,[", "log is not understood"),
    ] {
        let refused = Installation::external().await.set(name, value).run(&["serve"]).await;
        assert!(refused.failed().to_lowercase().contains(says), "{name}: {}", refused.log);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_goes_up_and_down_by_command() {
    let name = format!("kontor_steps_{}", std::process::id());
    run_as_admin(&format!("CREATE DATABASE {name}")).await;
    let installation = Installation::embedded().set("DATABASE_URL", server_url(&name));
    let lines = |output: String| output.lines().map(str::to_owned).collect::<Vec<_>>();
    let would = lines(installation.run(&["migrate", "--dry-run"]).await.well());
    assert!(would.len() > 3 && would.iter().all(|line| line.starts_with("would run ")), "{would:?}");
    let ran = lines(installation.run(&["migrate"]).await.well());
    assert_eq!(ran.len(), would.len());
    assert_eq!(installation.run(&["migrate"]).await.well(), "nothing to do: the database has this version's schema\n");
    let down = lines(installation.run(&["migrate", "--down"]).await.well());
    assert_eq!(down, [ran[ran.len() - 1].replace("ran", "reverted")]);

    let mut waiting = installation.spawn(&["serve", "--no-migrate"]);
    eventually("it waits", async || waiting.log().contains("lacks 1 migrations of this version")).await;
    assert!(waiting.said.is_empty() && waiting.is_running());
    installation.run(&["migrate"]).await.well();
    waiting.ready().await;
    assert!(waiting.stop().await.status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standard_output_has_the_ready_line_and_the_log_goes_elsewhere() {
    let installation = Installation::external().await.set("KONTOR_LOG_FORMAT", "json").set("KONTOR_LOG", "debug");
    let server = installation.serve().await;
    let admin = installation.admin(&server).await;
    let mut answer = admin.get("/contacts/nonsense").await;
    let id = answer.headers["x-request-id"].to_str().expect("text").to_owned();
    assert_eq!(answer.body["requestId"].take(), json!(id));
    eventually("the log has the request", async || server.log().contains(&id)).await;
    let worker = installation.work().await;
    assert_eq!(worker.said, ["kontor: working"]);
    for ended in [server.stop().await, worker.stop().await] {
        assert!(ended.status.success());
        assert!(ended.output.lines().all(|line| line.starts_with("kontor: ")), "{}", ended.output);
        for line in ended.log.lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
            assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
        }
    }
    eventually("its connections are closed", async || {
        let others = "SELECT count(*) AS value FROM pg_stat_activity
                       WHERE datname = current_database() AND application_name IN ('kontor relay', 'kontor listen')";
        sql::number(&installation.db(), others).await == 0
    })
    .await;
}
