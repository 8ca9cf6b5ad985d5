//! Takes connections and serves a router on them, until told to stop. A connection that asks for
//! nothing is closed after a while, and there is a most of them, so that idle ones use nothing up; one
//! address has a most of its own, so that it leaves some to the others.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

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

use crate::auth::throttle;

/// Where there are too many open files, accepting is tried again after this time.
const PAUSE: Duration = Duration::from_secs(1);

/// What a listener allows.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// Connections at once; the next ones wait. A websocket is none of them any more.
    pub connections: usize,
    /// Of these, for one address; more are closed at once. 0 where that is not looked at.
    pub per_address: usize,
    /// How long a connection may be open without asking for anything.
    pub idle: Duration,
}

/// Serves until the token is cancelled and the requests under way are answered. Each request
/// carries its peer's address as `ConnectInfo`.
pub async fn serve(listener: TcpListener, router: Router, allowance: Allowance, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(allowance.connections.min(Semaphore::MAX_PERMITS)));
    let places = Arc::new(Places::new(allowance.per_address));
    let graceful = GracefulShutdown::new();
    while let Some((stream, peer, held)) = stop.run_until_cancelled(accept(&listener, &slots, &places)).await {
        serve_one(stream, peer, held, router.clone(), allowance.idle, &graceful);
    }
    // new connections are refused from now on
    drop(listener);
    graceful.shutdown().await;
}

/// What a connection has of what there is, until it ends.
struct Held {
    _slot: Option<OwnedSemaphorePermit>,
    _place: Place,
}

/// How many connections the networks have open.
struct Places {
    most: usize,
    taken: Mutex<HashMap<IpAddr, Taken>>,
}

#[derive(Default)]
struct Taken {
    connections: usize,
    /// Whether the log says already that these were too many.
    told: bool,
}

/// One connection among those of its network, if they are counted.
struct Place {
    places: Arc<Places>,
    network: Option<IpAddr>,
}

impl Places {
    fn new(most: usize) -> Self {
        Self { most, taken: Mutex::default() }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from there, unless its network has all that it may have. Whoever is
    /// on this machine is not counted: that is a proxy, or somebody who could do worse.
    fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let peer = peer.to_canonical();
        if self.most == 0 || peer.is_loopback() {
            return Some(Place { places: self.clone(), network: None });
        }
        let network = throttle::network(peer);
        let mut all = self.taken();
        let taken = all.entry(network).or_default();
        if taken.connections < self.most {
            taken.connections += 1;
            return Some(Place { places: self.clone(), network: Some(network) });
        }
        if !std::mem::replace(&mut taken.told, true) {
            let most = self.most;
            tracing::warn!(%peer, most, "more connections of one address than limits.connections_per_address; closed");
        }
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut all = self.places.taken();
        if let Some(taken) = all.get_mut(&network) {
            taken.connections -= 1;
            if taken.connections == 0 {
                all.remove(&network);
            }
        }
    }
}

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>, places: &Arc<Places>) -> (TcpStream, SocketAddr, Held) {
    // never closed
    let slot = slots.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Some(place) = places.take(peer.ip()) {
                    return (stream, peer, Held { _slot: slot, _place: place });
                }
            }
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
    held: Held,
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
        let _held = held;
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn v4(last: u8) -> IpAddr {
        Ipv4Addr::new(203, 0, 113, last).into()
    }

    #[test]
    fn one_address_has_so_many_places_and_gets_them_back() {
        let places = Arc::new(Places::new(2));
        let mut held = vec![places.take(v4(1)).expect("one"), places.take(v4(1)).expect("two")];
        assert!(places.take(v4(1)).is_none());
        let mapped = Ipv4Addr::new(203, 0, 113, 1).to_ipv6_mapped();
        assert!(places.take(mapped.into()).is_none(), "however it is written");
        held.push(places.take(v4(2)).expect("another address has its own"));
        held.remove(0);
        let again = places.take(v4(1)).expect("one was given back");
        assert!(places.take(v4(1)).is_none());
        drop((held, again));
        assert!(places.taken().is_empty(), "nobody is remembered");
    }

    #[test]
    fn neighbours_in_an_ipv6_network_share_their_places() {
        let places = Arc::new(Places::new(1));
        let at = |network, host| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, host));
        let _held = [places.take(at(0, 1)).expect("one"), places.take(at(1, 1)).expect("another network")];
        assert!(places.take(at(0, 2)).is_none());
    }

    #[test]
    fn this_machine_is_not_counted_and_without_a_limit_nobody_is() {
        let strict = Arc::new(Places::new(1));
        let here = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
        let _held: Vec<_> = here.iter().chain(&here).map(|peer| strict.take(*peer).expect("not counted")).collect();
        let off = Arc::new(Places::new(0));
        let _all: Vec<_> = (0..9).map(|_| off.take(v4(1)).expect("no limit")).collect();
        assert!(strict.taken().is_empty() && off.taken().is_empty());
    }
}
