//! The small commands, as the program that people start.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use tokio::process::Command;

use crate::support::{
    database::{TestDatabase, database},
    eventually,
    folder::Folder,
    sql,
};

/// The program with these arguments, on this database, and nothing of the tests' own environment.
fn command(database: &TestDatabase, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kontor"));
    command.args(arguments).current_dir(folder).env_clear().kill_on_drop(true).stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("KONTOR_DATA_DIR", folder).env("DATABASE_URL", &database.url);
    command.env("KONTOR_DATABASE_ROLES", "kontor_test");
    command
}

#[track_caller]
fn said(output: Output) -> String {
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out
}

#[tokio::test]
async fn the_first_user_and_one_more_are_added_with_a_password_from_a_variable() {
    let (database, folder) = (database().await, Folder::new());
    let add = async |email: &str, role: &str| {
        let mut add = command(&database, folder.path(), &["user", "add", email, "--name", "2024", "--role", role]);
        add.env("KONTOR_USER_PASSWORD", "00123456").output().await.expect("it runs")
    };
    assert!(said(add("ada@cli.test", "admin").await).contains("first workspace"));
    assert!(said(add("ben@cli.test", "support").await).contains("added ben@cli.test as support"));
    let again = add("ben@cli.test", "support").await;
    assert!(!again.status.success());
    assert!(!String::from_utf8_lossy(&again.stderr).contains("00123456"));
    let people = "SELECT email || ' ' || role AS value FROM users JOIN members ON user_id = id ORDER BY email";
    assert_eq!(sql::texts(&database.db, people).await, ["ada@cli.test admin", "ben@cli.test support"]);
}

#[tokio::test]
async fn a_demo_that_is_stopped_goes_on_where_it_was() {
    let (database, folder) = (database().await, Folder::new());
    let db = &database.db;
    let contacts = "SELECT count(*) AS value FROM contacts";
    let mut first = command(&database, folder.path(), &["demo"]);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    eventually("some contacts are there", async || sql::number(db, contacts).await > 100).await;
    first.kill().await.expect("killed");
    let left = sql::number(db, contacts).await;
    assert!(left < 3_000, "too quick to be stopped");
    let shape = "SELECT concat_ws(' ', count(*), count(DISTINCT email), count(DISTINCT account_id), \
                 (SELECT count(*) FROM accounts), (SELECT count(*) FROM users), (SELECT count(*) FROM workspaces)) \
                 AS value FROM contacts";
    for _ in 0..2 {
        let output = command(&database, folder.path(), &["demo"]).output().await.expect("it runs");
        assert!(said(output).contains("demo@kontor.example"));
        let shape = sql::texts(db, shape).await;
        let [contacts, addresses, _, accounts, users, workspaces] = shape[0].split(' ').collect::<Vec<_>>()[..] else {
            panic!("{shape:?}")
        };
        assert_eq!((contacts, addresses, accounts, users, workspaces), ("3085", "3085", "340", "5", "1"));
        let others = "SELECT concat_ws(' ', (SELECT count(*) FROM leads), (SELECT count(DISTINCT email) FROM leads), \
                      (SELECT count(*) FROM deals), (SELECT count(*) FROM products), (SELECT count(*) FROM tasks), \
                      (SELECT count(*) FROM notes), (SELECT count(*) FROM contact_lists), \
                      (SELECT count(DISTINCT name) FROM contact_lists)) AS value";
        assert_eq!(sql::texts(db, others).await, ["500 500 425 48 500 120 13 13"]);
    }
}

#[tokio::test]
async fn a_demo_leaves_the_data_of_people_alone() {
    let (database, folder) = (database().await, Folder::new());
    let mut add = command(&database, folder.path(), &["user", "add", "ada@cli.test", "--name", "Ada"]);
    said(add.env("KONTOR_USER_PASSWORD", "12345678").output().await.expect("it runs"));
    let refused = command(&database, folder.path(), &["demo"]).output().await.expect("it runs");
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("data of its own"));
}
