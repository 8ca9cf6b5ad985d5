//! The public clients and audits, run by Node.js from `tests/clients/`. Where that is not
//! installed, or their packages cannot be had, the tests say so and pass: the protocols are tested
//! in Rust as well.

use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Output,
};

use kontor::{base::Limits, graphql::Timings};
use serde_json::{Value, json};
use tokio::{process::Command, sync::OnceCell};

use crate::support::toy::{self, cursor};

/// What the packages ask for.
const OLDEST_NODE: u32 = 20;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Whether the scripts can run; installs their packages the first time.
async fn can_run() -> bool {
    static INSTALLED: OnceCell<bool> = OnceCell::const_new();
    let install = async {
        let Err(why) = install().await else { return true };
        // not eprintln, which the test runner swallows
        let _ = writeln!(std::io::stderr(), "skipped: the public GraphQL clients need {why}");
        false
    };
    *INSTALLED.get_or_init(|| install).await
}

/// What is missing, if anything is.
async fn install() -> Result<(), String> {
    let node = version_of("node").await;
    if node.is_none_or(|node| node < OLDEST_NODE) || version_of("npm").await.is_none() {
        return Err(format!("Node.js {OLDEST_NODE} or newer and npm"));
    }
    if is_installed() {
        return Ok(());
    }
    let installed = output("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).await;
    if installed.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&installed.stderr);
    Err(format!("packages that npm cannot install: {}", said.lines().next().unwrap_or("it gives no reason")))
}

/// The major version of a tool, if it is installed.
async fn version_of(tool: &str) -> Option<u32> {
    let output = Command::new(tool).arg("--version").output().await.ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    version.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

/// npm writes its own copy of the lock file last.
fn is_installed() -> bool {
    let changed = |path: &str| folder().join(path).metadata().and_then(|file| file.modified()).ok();
    changed("node_modules/.package-lock.json").is_some_and(|installed| Some(installed) >= changed("package-lock.json"))
}

/// Runs a tool in the clients' folder; its output, if it ends well.
async fn run(tool: &str, arguments: &[&str]) -> String {
    let output = output(tool, arguments).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{tool} {arguments:?}\n{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

async fn output(tool: &str, arguments: &[&str]) -> Output {
    let output = Command::new(tool).args(arguments).current_dir(folder()).kill_on_drop(true).output().await;
    output.expect("started")
}

async fn server() -> SocketAddr {
    toy::serve(Limits::default(), Timings::default()).await.2
}

#[tokio::test]
async fn the_public_audit_of_graphql_over_http_passes_whole() {
    if !can_run().await {
        return;
    }
    let url = format!("http://{}/graphql", server().await);
    let said = run("node", &["audit.mjs", &url, r#"{"authorization":"Bearer alice"}"#]).await;
    assert!(said.contains("61 of 61"), "{said}");
}

#[tokio::test]
async fn the_public_websocket_client_subscribes_pings_and_resumes() {
    if !can_run().await {
        return;
    }
    let settings = json!({
        "url": format!("ws://{}/graphql", server().await),
        "connectionParams": { "authorization": "Bearer alice" },
        "subscription": "subscription($topic: String!, $after: String) {
            ticks(topic: $topic, after: $after) { number cursor }
        }",
        "variables": { "topic": "a" },
        "after": cursor(0),
        "field": "ticks",
        "key": "number",
        "mutation": "mutation($text: String!) { tick(topic: \"a\", text: $text) }",
        "input": { "text": "tick #" },
    });
    let said = run("node", &["socket.mjs", &settings.to_string()]).await;
    assert!(said.ends_with("all is well\n"), "{said}");
}

#[test]
fn packages_come_from_the_public_registry() {
    let lock = std::fs::read_to_string(folder().join("package-lock.json")).expect("there is one");
    let lock: Value = serde_json::from_str(&lock).expect("JSON");
    for (name, package) in lock["packages"].as_object().expect("packages") {
        let source = package["resolved"].as_str().unwrap_or("https://registry.npmjs.org/");
        assert!(source.starts_with("https://registry.npmjs.org/"), "{name} comes from {source}");
    }
}
