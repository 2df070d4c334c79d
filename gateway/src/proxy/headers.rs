//! What changes in the headers on the way through, and nothing else does.

use std::net::IpAddr;

use http::header::{
    CONNECTION, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};

use super::cookie;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const PROXY_AUTHORIZATION: HeaderName = HeaderName::from_static("proxy-authorization");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What belongs to one hop only, `Connection` first.
static HOPS: [HeaderName; 6] = [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TE, TRANSFER_ENCODING, UPGRADE];

/// The protocol a request asks to switch to, if it does so properly.
///
/// HTTP/2 in the clear is left out: the switch is each hop's own affair (RFC 9110, section 7.8), and
/// inside such a tunnel our header rules would not hold.
pub fn wanted_upgrade(headers: &HeaderMap) -> Option<&HeaderValue> {
    let protocol = headers.get(UPGRADE)?;
    let asked = tokens(headers).any(|t| t.eq_ignore_ascii_case("upgrade"));
    let h2c = protocol.as_bytes().get(..3).is_some_and(|p| p.eq_ignore_ascii_case(b"h2c"));
    (asked && !h2c).then_some(protocol)
}

/// The names that `Connection` lists.
fn tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(CONNECTION).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).map(str::trim)
}

/// Removes what belongs to one hop only (RFC 9110, section 7.6.1), the names in `Connection` included.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    remove(headers, |_| false);
}

/// The same, and whatever else `which` says. Names are compared in one pass before anything is looked up by
/// its hash: this runs twice for every request, and mostly finds `Connection` alone.
fn remove(headers: &mut HeaderMap, which: impl Fn(&HeaderName) -> bool) {
    let (mut hops, mut others) = ([false; HOPS.len()], Vec::new());
    for name in headers.keys() {
        match HOPS.iter().position(|hop| hop == name) {
            Some(hop) => hops[hop] = true,
            None if which(name) => others.push(name.clone()),
            None => {}
        }
    }
    if hops[0] {
        let listed = tokens(headers).filter(|token| !HOPS.iter().any(|hop| token.eq_ignore_ascii_case(hop.as_str())));
        let listed = listed.filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok());
        others.extend(listed.filter(|name| name != HOST));
    }
    for (hop, _) in HOPS.iter().zip(hops).filter(|(_, found)| *found) {
        headers.remove(hop);
    }
    for name in others {
        headers.remove(name);
    }
}

/// Whether a request's header must not pass beside the hop-by-hop ones.
fn is_ours_to_set(name: &HeaderName) -> bool {
    // `Expect: 100-continue` was between the client and us: we answer it when the body is wanted.
    [EXPECT, FORWARDED, PROXY_AUTHORIZATION, HTTP2_SETTINGS, X_REAL_IP].iter().any(|own| own == name)
        || name.as_str().strip_prefix("x-").is_some_and(|n| n.starts_with("steading-") || n.starts_with("forwarded-"))
}

/// Makes a request's headers ready for the container. `Host` stays: VS Code compares it with `Origin`.
pub fn for_container(
    headers: &mut HeaderMap,
    upgrade: Option<&HeaderValue>,
    client: Option<IpAddr>,
    proto: &HeaderValue,
) {
    let trailers = headers.get_all(TE).iter().any(|v| v.as_bytes().eq_ignore_ascii_case(b"trailers"));
    let chunked = headers.contains_key(TRANSFER_ENCODING);
    remove(headers, is_ours_to_set);
    cookie::strip(headers);

    if let Some(address) = client.and_then(|ip| HeaderValue::from_str(&ip.to_string()).ok()) {
        headers.insert(X_FORWARDED_FOR, address);
    }
    headers.insert(X_FORWARDED_PROTO, proto.clone());
    if let Some(host) = headers.get(HOST).cloned() {
        headers.insert(X_FORWARDED_HOST, host);
    }
    if chunked {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    match upgrade {
        Some(protocol) => {
            headers.insert(UPGRADE, protocol.clone());
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        }
        None if trailers => {
            headers.insert(TE, HeaderValue::from_static("trailers"));
            headers.insert(CONNECTION, HeaderValue::from_static("te"));
        }
        None => {}
    }
}

/// Makes an answer's headers ready for the browser.
pub fn for_browser(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers);
    cookie::confine(headers);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn what_belongs_to_one_hop_stays_on_it() {
        let mut headers = map(&[
            ("connection", "keep-alive, X-Private"),
            ("connection", "host"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip"),
            ("host", "fox.localhost"),
            ("accept", "*/*"),
        ]);
        remove_hop_by_hop(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "host"]);
    }

    #[test]
    fn nobody_outside_speaks_in_our_name() {
        let mut headers = map(&[
            ("host", "fox.localhost:8080"),
            ("x-steading-user", "root"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-prefix", "/evil"),
            ("x-real-ip", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
        ]);
        let proto = HeaderValue::from_static("https");
        for_container(&mut headers, None, Some(IpAddr::from([10, 0, 0, 7])), &proto);
        let mut left: Vec<_> = headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        left.sort_unstable();
        assert_eq!(
            left,
            [
                "host: fox.localhost:8080",
                "x-forwarded-for: 10.0.0.7",
                "x-forwarded-host: fox.localhost:8080",
                "x-forwarded-proto: https",
            ]
        );
    }

    #[test]
    fn only_a_proper_upgrade_is_one() {
        assert!(wanted_upgrade(&map(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")])).is_some());
        assert!(wanted_upgrade(&map(&[("upgrade", "websocket")])).is_none());
        assert!(wanted_upgrade(&map(&[("connection", "upgrade, HTTP2-Settings"), ("upgrade", "h2c")])).is_none());
    }
}
