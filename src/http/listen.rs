//! Takes connections and serves a router on them, until told to stop. A connection that asks for
//! nothing is closed after a while, and there is a most of them, so that idle ones use nothing up.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;
use tower::Service;

/// Where there are too many open files, accepting is tried again after this time.
const PAUSE: Duration = Duration::from_secs(1);

/// What a listener allows.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// Connections at once; the next ones wait. A websocket is none of them any more.
    pub connections: usize,
    /// How long a connection may be open without asking for anything.
    pub idle: Duration,
}

/// Serves until the token is cancelled and the requests under way are answered. Each request
/// carries its peer's address as `ConnectInfo`.
pub async fn serve(listener: TcpListener, router: Router, allowance: Allowance, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(allowance.connections.min(Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    while let Some((stream, peer, slot)) = stop.run_until_cancelled(accept(&listener, &slots)).await {
        serve_one(stream, peer, slot, router.clone(), allowance.idle, &graceful);
    }
    // new connections are refused from now on
    drop(listener);
    graceful.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // never closed
    let slot = slots.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, slot),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn serve_one(
    stream: TcpStream,
    peer: SocketAddr,
    slot: Option<OwnedSemaphorePermit>,
    router: Router,
    idle: Duration,
    graceful: &GracefulShutdown,
) {
    // answers are written as a whole: waiting for more to send only delays them
    let _ = stream.set_nodelay(true);
    let asked = Arc::new(Notify::new());
    let first = asked.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        asked.notify_one();
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request.map(Body::new))
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(idle);
    // websockets come by CONNECT there
    builder.http2().enable_connect_protocol();
    // a peer that is gone does not answer
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(idle).keep_alive_timeout(idle);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        let _slot = slot;
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = first.notified() => connection.await,
            // nothing else looks at a peer that has not even said which version it speaks
            () = tokio::time::sleep(idle) => return,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, %peer, "a connection broke off");
        }
    });
}
