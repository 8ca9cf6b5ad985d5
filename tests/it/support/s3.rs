//! A server that speaks the S3 protocol, from the Python package index.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use kontor::files::S3Config;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

/// The running server with one bucket; stopped when dropped.
pub struct S3 {
    pub config: S3Config,
    _server: Child,
}

/// Starts one on a free port. `None`, with a line that says so, where Python cannot provide it.
pub async fn start() -> Option<S3> {
    let python = match tokio::task::spawn_blocking(python).await.expect("no panic") {
        Ok(python) => python,
        Err(why) => {
            // not println, which the test runner swallows
            let _ = writeln!(std::io::stderr(), "skipped: the S3 tests need python3 with venv and packages: {why}");
            return None;
        }
    };
    let mut server = tokio::process::Command::new(python)
        .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the S3 server starts");
    let mut lines = BufReader::new(server.stderr.take().expect("piped")).lines();
    let endpoint = loop {
        let line = lines.next_line().await.expect("readable").expect("the S3 server says where it listens");
        if let Some((_, url)) = line.split_once("Running on ") {
            break url.trim().to_owned();
        }
    };
    // its log must go somewhere, or the server blocks
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });

    let made = client().put(format!("{endpoint}/kontor-test")).send().await.expect("the S3 server answers");
    assert!(made.status().is_success(), "{made:?}");
    let config = S3Config {
        bucket: "kontor-test".to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: Some(endpoint),
        access_key: Some("key".to_owned()),
        secret_key: Some("secret".to_owned().into()),
        path_style: true,
    };
    Some(S3 { config, _server: server })
}

fn client() -> reqwest::Client {
    super::database::install_crypto();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

fn python() -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/python");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let made = Command::new(script).arg(folder).output().map_err(|error| error.to_string())?;
    if made.status.success() {
        return Ok(String::from_utf8_lossy(&made.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&made.stderr);
    Err(said.lines().last().unwrap_or("no reason given").to_owned())
}
