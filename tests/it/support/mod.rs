//! What tests need: a database of their own, a running server, clients.

pub mod client;
pub mod database;
pub mod folder;
pub mod import;
pub mod live;
#[allow(dead_code, reason = "each test uses a part of it")]
pub mod process;
pub mod records;
pub mod s3;
pub mod server;
pub mod smtp;
pub mod socket_client;
pub mod source;
pub mod sql;
pub mod statements;
pub mod toy;

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Waits until it holds; fails after twenty seconds, saying what did not come about.
pub async fn eventually(what: &str, holds: impl AsyncFnMut() -> bool) {
    eventually_within(Duration::from_secs(20), what, holds).await;
}

/// The same for what takes longer.
pub async fn eventually_within(patience: Duration, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !holds().await {
        assert!(Instant::now() < deadline, "did not come about: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
