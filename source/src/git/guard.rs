//! Which addresses are fetched from: a repository's URL must not be a way into the local network.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// The host has no address that may be fetched from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the host is at a private address")]
pub(crate) struct Denied;

/// Decides about addresses. It stands between the name and the connection, so that a name which
/// answers differently the second time gains nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guard {
    /// Private, loopback and link-local addresses are allowed.
    pub allow_private: bool,
    /// Hosts that the administrator put in place of others; they may be anywhere.
    pub trusted: Arc<BTreeSet<String>>,
}

impl Guard {
    /// Whether a host by this name may have this address.
    pub fn permits(&self, host: &str, address: IpAddr) -> bool {
        self.allow_private || self.trusted.contains(host) || is_public(address)
    }

    /// Looks at a URL whose host is an address; names are looked at when they are resolved.
    pub fn check(&self, url: &Url) -> Result<(), Denied> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Denied),
        };
        let host = url.host_str().unwrap_or_default();
        if self.permits(host, address) { Ok(()) } else { Err(Denied) }
    }

    /// The addresses of a host that may be used.
    pub async fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let all: Vec<SocketAddr> = tokio::net::lookup_host((bare, port)).await?.collect();
        let found = all.len();
        let permitted: Vec<SocketAddr> = all.into_iter().filter(|a| self.permits(host, a.ip())).collect();
        if permitted.is_empty() && found > 0 {
            return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, Denied));
        }
        Ok(permitted)
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let addresses = guard.resolve(name.as_str(), 0).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the open Internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_unspecified()
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        // Shared by carriers, protocol assignments, benchmarks.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b));
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // Addresses that carry an IPv4 address lead where that one leads.
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let s = address.segments();
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        // NAT64 and 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => inner(high, low),
        // Only 2000::/3 is the open Internet; documentation and Teredo are in it.
        [0x2001, 0xdb8 | 0, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_seen_in_every_dress() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.8",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "::127.0.0.1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["140.82.121.3", "8.8.8.8", "2606:50c0:8000::153", "64:ff9b::808:808", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_stand_in_may_be_anywhere() {
        let guard = Guard { allow_private: false, trusted: Arc::new(BTreeSet::from(["127.0.0.1".to_owned()])) };
        assert_eq!(guard.check(&Url::parse("http://127.0.0.1:3000/x").unwrap()), Ok(()));
        assert_eq!(guard.check(&Url::parse("http://127.0.0.2/x").unwrap()), Err(Denied));
        assert_eq!(guard.check(&Url::parse("http://[::1]/x").unwrap()), Err(Denied));
        assert_eq!(guard.check(&Url::parse("http://2130706433/x").unwrap()), Ok(()), "is 127.0.0.1");
    }
}
