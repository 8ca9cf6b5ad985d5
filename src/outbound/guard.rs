//! What may be called: public addresses over HTTP. A request that a customer makes us send must
//! not reach this machine, its network or its cloud's metadata service.
//!
//! The check is on the address that is connected to: names are resolved here, and only allowed
//! addresses are handed to the connection. So a name that answers differently the second time
//! gains nothing, and redirects pass through the same gate.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use serde::Deserialize;

/// Why an address may not be called, as a sentence.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// Decides which addresses may be called.
#[derive(Debug)]
pub struct Guard {
    allow: Arc<[Network]>,
}

impl Guard {
    /// `allow` names what may be called although it is not public.
    pub fn new(allow: Vec<Network>) -> Self {
        Self { allow: allow.into() }
    }

    /// Refuses everything but HTTP, and addresses written out that may not be called. A name is
    /// judged when it is resolved.
    pub fn check_url(&self, url: &Url) -> Result<(), Refused> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refused("Only http and https addresses can be called".to_owned()));
        }
        let host = url.host_str().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match host.parse::<IpAddr>() {
            Ok(address) if !allowed(&self.allow, address) => Err(refused(host)),
            _ => Ok(()),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let allow = self.allow.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let good: Vec<SocketAddr> = found.filter(|address| allowed(&allow, address.ip())).collect();
            if good.is_empty() {
                return Err(refused(name.as_str()).into());
            }
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

fn refused(host: &str) -> Refused {
    Refused(format!("{host} is not a public address; the configuration (outbound.allow) can permit it"))
}

fn allowed(allow: &[Network], address: IpAddr) -> bool {
    // an IPv4 address in IPv6 clothes is that IPv4 address
    let address = address.to_canonical();
    allow.iter().any(|network| network.contains(address)) || is_public(address)
}

/// Whether the address is somewhere in the public internet, by the registries of special-purpose
/// addresses (RFC 6890 and its successors).
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|(network, prefix)| within_v4(address, *network, *prefix)),
        // Only 2000::/3 is given out. That leaves out loopback, link-local, unique local, multicast,
        // and the translated IPv4 addresses of NAT64.
        IpAddr::V6(address) => {
            within_v6(address, Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)
                && !NOT_PUBLIC_V6.iter().any(|(network, prefix)| within_v6(address, *network, *prefix))
        }
    }
}

const NOT_PUBLIC_V4: [(Ipv4Addr, u8); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // "this network", and the unspecified address
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // carriers' address translation
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local, and clouds' metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, and broadcast
];

const NOT_PUBLIC_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, Teredo among them
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: any IPv4 address inside
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

fn within_v4(address: Ipv4Addr, network: Ipv4Addr, prefix: u8) -> bool {
    let shift = 32 - u32::from(prefix.min(32));
    // a shift by all bits would overflow; it means that any address is within
    address.to_bits().checked_shr(shift).unwrap_or(0) == network.to_bits().checked_shr(shift).unwrap_or(0)
}

fn within_v6(address: Ipv6Addr, network: Ipv6Addr, prefix: u8) -> bool {
    let shift = 128 - u32::from(prefix.min(128));
    address.to_bits().checked_shr(shift).unwrap_or(0) == network.to_bits().checked_shr(shift).unwrap_or(0)
}

/// A range of addresses, written `10.1.0.0/16` or as one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    pub fn contains(&self, address: IpAddr) -> bool {
        match (address, self.address) {
            (IpAddr::V4(address), IpAddr::V4(network)) => within_v4(address, network, self.prefix),
            (IpAddr::V6(address), IpAddr::V6(network)) => within_v6(address, network, self.prefix),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is not a network such as 10.1.0.0/16");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.trim().parse().map_err(|_| wrong())?,
            None => longest,
        };
        if prefix > longest { Err(wrong()) } else { Ok(Self { address, prefix }) }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "128.0.0.1",
            "169.253.1.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.1.1",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:1.1.1.1",
        ] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
        for hidden in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.170",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "4000::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(hidden.parse().expect("an address")), "{hidden}");
        }
    }

    #[test]
    fn addresses_written_out_are_checked_in_every_spelling() {
        let guard = Guard::new(Vec::new());
        let check = |url: &str| guard.check_url(&Url::parse(url).expect("a URL"));
        for refused in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://[::1]:8080/",
            "http://[::ffff:7f00:1]/",
            "https://user@10.0.0.1/",
            "http://１２７.0.0.1/",
            "ftp://1.1.1.1/",
            "file:///etc/passwd",
            "data:text/plain,x",
        ] {
            assert!(check(refused).is_err(), "{refused}");
        }
        for fine in ["http://1.1.1.1/", "https://example.com/", "https://[2606:4700::1111]/"] {
            assert!(check(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn the_configuration_permits_networks() {
        let network = |text: &str| text.parse::<Network>().expect("a network");
        let guard = Guard::new(vec![network("10.1.0.0/16"), network("127.0.0.1"), network("fd00::/8")]);
        let allows = |address: &str| allowed(&guard.allow, address.parse().expect("an address"));
        assert!(allows("10.1.2.3") && allows("127.0.0.1") && allows("::ffff:10.1.2.3") && allows("fd12::1"));
        assert!(!allows("10.2.0.0") && !allows("127.0.0.2") && !allows("fe80::1") && !allows("::1"));
        assert!(network("0.0.0.0/0").contains("10.0.0.1".parse().expect("an address")));
        for wrong in ["10.0.0.0/33", "::/129", "10.0.0/8", "host/8", "", "10.0.0.0/-1", "10.0.0.0/"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
