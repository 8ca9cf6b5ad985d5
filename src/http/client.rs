//! Where a request came from: the peer's address, or what a trusted proxy says it is.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, header::USER_AGENT, request::Parts},
};

/// Address and program of the client.
#[derive(Debug, Clone, Default)]
pub struct ClientInfo {
    pub address: Option<IpAddr>,
    pub user_agent: Option<String>,
}

/// How many proxies stand in front of us; a request extension set by the server. Each appends one
/// address to `X-Forwarded-For`, so only that many, counted from the end, can be believed.
#[derive(Debug, Clone, Copy, Default)]
pub struct TrustedProxies(pub usize);

impl ClientInfo {
    pub fn of(parts: &Parts) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let proxies = parts.extensions.get::<TrustedProxies>().copied().unwrap_or_default();
        let address = forwarded(&parts.headers, proxies.0).or(peer).map(|address| address.to_canonical());
        let user_agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).map(ToOwned::to_owned);
        Self { address, user_agent }
    }
}

fn forwarded(headers: &HeaderMap, proxies: usize) -> Option<IpAddr> {
    let hops: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let index = hops.len().checked_sub(proxies).filter(|_| proxies > 0)?;
    hops.get(index)?.trim().parse().ok()
}

impl<S: Send + Sync> FromRequestParts<S> for ClientInfo {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(parts))
    }
}
