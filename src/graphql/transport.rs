//! What all requests, streams and sockets of the GraphQL face share, and how they end together.

use std::{sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{fanout::Fanout, gateway::Gateway, seats::Seats};

/// The transport around one [`Gateway`]; cheap to clone, clones are the same.
#[derive(Clone)]
pub struct Transport<G> {
    pub gateway: G,
    pub(super) fanout: Arc<Fanout<G>>,
    pub(super) seats: Seats,
    pub(super) timings: Timings,
    /// Cancelled when the server stops: sockets and event streams say good-bye.
    pub(super) stopping: CancellationToken,
    /// The sockets that are still open; the HTTP server forgets a connection once it is upgraded.
    pub(super) sockets: TaskTracker,
}

/// The waiting times of sockets and event streams.
#[derive(Debug, Clone, Copy)]
pub struct Timings {
    /// For `connection_init` after the upgrade.
    pub init: Duration,
    /// Between two signs of life that we ask of a socket, or send on an event stream. A socket
    /// that shows none for two of these is gone.
    pub ping: Duration,
    /// For a closed socket to take what was sent before, so that it learns why.
    pub goodbye: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { init: seconds(10), ping: seconds(20), goodbye: seconds(5) }
    }
}

impl<G: Gateway> Transport<G> {
    pub fn new(gateway: G) -> Self {
        Self::with_timings(gateway, Timings::default())
    }

    pub fn with_timings(gateway: G, timings: Timings) -> Self {
        let fanout = Fanout::new(gateway.clone());
        let (stopping, sockets) = (CancellationToken::new(), TaskTracker::new());
        sockets.close();
        Self { gateway, fanout, seats: Seats::default(), timings, stopping, sockets }
    }

    /// Ends every socket with 1012 and every event stream, so that their clients come back to the
    /// next server, and waits until they are gone. Takes [`Timings::goodbye`] at most.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.sockets.wait().await;
    }

    /// Executions that run for shared subscriptions at the moment; for metrics.
    pub fn shared_executions(&self) -> usize {
        self.fanout.groups()
    }

    /// Bytes of answers that are held for them; for metrics.
    pub fn shared_bytes(&self) -> usize {
        self.fanout.bytes()
    }

    /// Open sockets; for metrics.
    pub fn open_sockets(&self) -> usize {
        self.sockets.len()
    }
}
