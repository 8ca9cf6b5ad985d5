//! What tests need: a database of their own, a running server, clients.

pub mod database;
pub mod socket_client;
pub mod toy;

use std::time::Duration;

/// Waits until a condition holds that nothing announces; fails after 20 s.
pub async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..4_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("in vain waited for: {what}");
}
