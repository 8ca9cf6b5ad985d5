//! Where a request came from: the peer's address, or what a trusted proxy says it is.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{
        HeaderMap, Version,
        header::{FORWARDED, HOST, USER_AGENT, VIA},
        request::Parts,
        uri::Authority,
    },
};

use super::origin::same_origin;

/// Address and program of the client.
#[derive(Debug, Clone, Default)]
pub struct ClientInfo {
    pub address: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// Whether the request was made on this machine, and no proxy or foreign page made it.
    pub local: bool,
}

/// How many proxies stand in front of us; a request extension set by the server. Each appends one
/// address to `X-Forwarded-For`, so only that many, counted from the end, can be believed.
#[derive(Debug, Clone, Copy, Default)]
pub struct TrustedProxies(pub usize);

/// Whether the configuration names no address for strangers; a request extension set by the
/// server. Otherwise nobody counts as local, whatever a proxy leaves out.
#[derive(Debug, Clone, Copy, Default)]
pub struct AtHome(pub bool);

impl AtHome {
    /// `public_url` as configured.
    pub fn of(public_url: Option<&str>) -> Self {
        let is_ours = |url: &str| {
            let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
            is_loopback_name(rest.split('/').next().unwrap_or_default())
        };
        Self(public_url.is_none_or(is_ours))
    }
}

impl ClientInfo {
    pub fn of(parts: &Parts) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
        let proxies = parts.extensions.get::<TrustedProxies>().copied().unwrap_or_default();
        let address = forwarded(&parts.headers, proxies.0).map(|address| address.to_canonical()).or(peer);
        let user_agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).map(ToOwned::to_owned);
        let at_home = parts.extensions.get::<AtHome>().copied().unwrap_or_default();
        let local = at_home.0 && peer.is_some_and(|peer| peer.is_loopback()) && is_direct(parts);
        Self { address, user_agent, local }
    }
}

/// Whether no proxy passed the request on, no page of another site sent it, and it asks for this
/// machine by a name that is nobody else's: another site's name can be made to lead here, and then
/// its pages are of our origin.
fn is_direct(parts: &Parts) -> bool {
    let passed_on = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];
    let passed_on = passed_on.iter().any(|name| parts.headers.contains_key(*name));
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(Authority::as_str));
    // some proxies add no header and hide the host, but speak the old version, as no client does
    parts.version >= Version::HTTP_11
        && !passed_on
        && same_origin(&parts.headers)
        && !parts.headers.contains_key(FORWARDED)
        && !parts.headers.contains_key(VIA)
        && host.is_some_and(is_loopback_name)
}

/// `localhost` or a loopback address, perhaps with a port.
fn is_loopback_name(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.to_canonical().is_loopback())
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

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    /// Whether a request from this peer with these headers is local.
    fn local(peer: [u8; 4], version: Version, headers: &[(&str, &str)]) -> bool {
        let request = Request::builder().version(version).extension(AtHome(true));
        let request = request.extension(ConnectInfo(SocketAddr::from((peer, 4000))));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        ClientInfo::of(&request.body(()).expect("a request").into_parts().0).local
    }

    #[test]
    fn only_a_direct_request_to_a_name_of_this_machine_is_local() {
        let here = [127, 0, 0, 1];
        for host in ["localhost", "LocalHost:8080", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080"] {
            assert!(local(here, Version::HTTP_11, &[("host", host)]), "{host}");
        }
        for host in ["kontor.example.com", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "a@b:c"]
        {
            assert!(!local(here, Version::HTTP_11, &[("host", host)]), "{host}");
        }
        assert!(!local(here, Version::HTTP_11, &[]));
        assert!(!local(here, Version::HTTP_11, &[("host", "localhost"), ("origin", "https://evil.example")]));
        assert!(!local([10, 0, 0, 1], Version::HTTP_11, &[("host", "localhost")]));
        assert!(!local(here, Version::HTTP_10, &[("host", "localhost")]));
        for header in ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via"] {
            assert!(!local(here, Version::HTTP_11, &[("host", "localhost"), (header, "127.0.0.1")]), "{header}");
        }
    }

    #[test]
    fn under_a_public_name_nobody_is_local() {
        assert!(AtHome::of(None).0);
        assert!(AtHome::of(Some("http://127.0.0.1:8080")).0);
        assert!(AtHome::of(Some("http://localhost")).0);
        assert!(!AtHome::of(Some("https://kontor.example.com")).0);
    }
}
