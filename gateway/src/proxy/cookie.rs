//! Our cookies and the container's: they share a `Cookie` header and must not meet.
//!
//! Ours never reach the container, and the container cannot set one that we would read.

use http::HeaderValue;
use http::header::{COOKIE, HeaderMap, SET_COOKIE};

/// Proves on one workspace host that somebody was let in. Slugs are random, so installations that share a
/// domain do not share host names.
const ENTRY: &str = "steading_entry";

/// The same over https, where browsers see to it that no other host plants one (`__Host-`: RFC 6265bis,
/// section 4.1.3.2).
const SAFE_ENTRY: &str = "__Host-steading_entry";

/// Every cookie of ours starts with this, maybe behind `__Host-`; the container may neither see nor set
/// such a one.
const OURS: &[u8] = b"steading_";

/// What browsers compare without regard to case.
const HOST_PREFIX: &[u8] = b"__Host-";

/// How many entry cookies are looked at. Another host can add some of the same name (RFC 6265, section
/// 8.6), so the first need not be the right one.
const MOST_ENTRIES: usize = 4;

/// The longest cookie value that can be ours.
const LONGEST: usize = 256;

/// The entry cookie as it is set on a workspace's host: until the browser ends, for this host alone.
pub fn entry(value: &str, secure: bool) -> String {
    let (name, secure) = if secure { (SAFE_ENTRY, "; Secure") } else { (ENTRY, "") };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}")
}

/// The values of our entry cookies, in the order they came; those that cannot be planted come first.
pub fn entries(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    named(headers, SAFE_ENTRY).chain(named(headers, ENTRY))
}

fn named<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|header| header.as_bytes().split(|b| *b == b';'))
        .filter_map(|pair| {
            let pair = pair.trim_ascii();
            let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            std::str::from_utf8(value).ok().filter(|v| !v.is_empty() && v.len() <= LONGEST)
        })
        .take(MOST_ENTRIES)
}

/// Whether a cookie that begins like this is ours.
fn is_ours(pair: &[u8]) -> bool {
    let prefixed = pair.get(..HOST_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(HOST_PREFIX));
    let name = if prefixed { &pair[HOST_PREFIX.len()..] } else { pair };
    name.starts_with(OURS)
}

/// Takes our cookies out of a request. The others keep their bytes and their order.
pub fn strip(headers: &mut HeaderMap) {
    let mut all = headers.get_all(COOKIE).iter();
    let (Some(first), more) = (all.next(), all.next().is_some()) else { return };
    if !more {
        // Nearly always: browsers send one.
        if contains(first.as_bytes(), OURS) {
            match without_ours(first) {
                Some(rest) => drop(headers.insert(COOKIE, rest)),
                None => drop(headers.remove(COOKIE)),
            }
        }
        return;
    }
    let kept: Vec<HeaderValue> = headers.get_all(COOKIE).iter().filter_map(without_ours).collect();
    headers.remove(COOKIE);
    for value in kept {
        headers.append(COOKIE, value);
    }
}

fn without_ours(header: &HeaderValue) -> Option<HeaderValue> {
    let mut kept = Vec::with_capacity(header.len());
    for pair in header.as_bytes().split(|b| *b == b';').map(<[u8]>::trim_ascii) {
        if pair.is_empty() || is_ours(pair) {
            continue;
        }
        if !kept.is_empty() {
            kept.extend_from_slice(b"; ");
        }
        kept.extend_from_slice(pair);
    }
    if kept.is_empty() { None } else { HeaderValue::from_bytes(&kept).ok() }
}

/// Keeps the container's cookies on its own host: no `Domain`, and no name of ours.
pub fn confine(headers: &mut HeaderMap) {
    let suspect = |h: &HeaderValue| {
        let bytes = h.as_bytes();
        contains(bytes, OURS) || bytes.windows(6).any(|w| w.eq_ignore_ascii_case(b"domain"))
    };
    if !headers.get_all(SET_COOKIE).iter().any(suspect) {
        return;
    }
    let kept: Vec<HeaderValue> = headers.get_all(SET_COOKIE).iter().filter_map(confined).collect();
    headers.remove(SET_COOKIE);
    for value in kept {
        headers.append(SET_COOKIE, value);
    }
}

fn confined(header: &HeaderValue) -> Option<HeaderValue> {
    let mut parts = header.as_bytes().split(|b| *b == b';');
    let pair = parts.next()?;
    // A cookie without a name, `=steading_entry=x`, would come back as `steading_entry=x`.
    let name = pair.iter().position(|b| *b != b'=' && !b.is_ascii_whitespace()).map_or(&pair[..0], |at| &pair[at..]);
    if is_ours(name) {
        return None;
    }
    let mut kept = pair.to_vec();
    for attribute in parts {
        let name = attribute.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"domain") {
            continue;
        }
        kept.push(b';');
        kept.extend_from_slice(attribute);
    }
    HeaderValue::from_bytes(&kept).ok()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|w| w == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(COOKIE, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn ours_go_and_theirs_stay() {
        let ours = "a=1; steading_entry=x; b=\"2; steading_session_0a1b2c3d=y; __Host-steading_session_0a1b2c3d=y";
        let mut headers = cookies(&[ours, "steading_entry=z; __Host-steading_entry=z", "c=3"]);
        strip(&mut headers);
        let left: Vec<_> = headers.get_all(COOKIE).iter().collect();
        assert_eq!(left, ["a=1; b=\"2", "c=3"]);

        let mut untouched = cookies(&["a=1;b=2;  c=3"]);
        strip(&mut untouched);
        assert_eq!(untouched[COOKIE], "a=1;b=2;  c=3");
    }

    #[test]
    fn every_entry_cookie_is_found_up_to_a_bound() {
        let headers = cookies(&["xsteading_entry=no; steading_entry=a; steading_entry_b=no", "steading_entry=b"]);
        assert_eq!(entries(&headers).collect::<Vec<_>>(), ["a", "b"]);
        let safe = cookies(&["steading_entry=planted; __Host-steading_entry=mine"]);
        assert_eq!(entries(&safe).collect::<Vec<_>>(), ["mine", "planted"]);
        let many =
            cookies(&["steading_entry=1; steading_entry=2; steading_entry=3; steading_entry=4; steading_entry=5"]);
        assert_eq!(entries(&many).count(), MOST_ENTRIES);
    }

    #[test]
    fn the_containers_cookies_stay_on_its_host() {
        let mut headers = HeaderMap::new();
        for value in [
            "sid=1; Domain=.example.com; Path=/; HttpOnly",
            "steading_entry=evil",
            "=steading_session=evil",
            " steading_x=evil",
            "__Host-steading_entry=evil; Secure; Path=/",
            "__hOST-steading_session_0a1b2c3d=evil; Secure; Path=/",
            "__Host-own=1; Secure; Path=/",
            "plain=domain; Max-Age=5; DOMAIN = x",
        ] {
            headers.append(SET_COOKIE, HeaderValue::from_str(value).unwrap());
        }
        confine(&mut headers);
        let left: Vec<_> = headers.get_all(SET_COOKIE).iter().collect();
        assert_eq!(left, ["sid=1; Path=/; HttpOnly", "__Host-own=1; Secure; Path=/", "plain=domain; Max-Age=5"]);
    }
}
