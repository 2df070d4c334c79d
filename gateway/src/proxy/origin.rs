//! Which page a browser's request comes from, as the browser itself says.
//!
//! A page of another host, even of another workspace, must not act with our cookie (RFC 6454; Fetch
//! Metadata). Programs other than browsers send neither header and have no cookie by accident.

use http::Method;
use http::header::{HeaderMap, HeaderName, ORIGIN, REFERER};
use steading_core::Slug;
use steading_core::route::Host;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Whether `Origin` names another host than the one that is asked. `null` does.
pub fn is_foreign(headers: &HeaderMap, authority: &str) -> bool {
    headers.get_all(ORIGIN).iter().any(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        !origin.split_once("://").is_some_and(|(scheme, named)| same(scheme, named, authority))
    })
}

fn same(scheme: &str, left: &str, right: &str) -> bool {
    let own = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let bare = |text: &str| text.strip_suffix(own).unwrap_or(text).trim_end_matches('.').to_ascii_lowercase();
    bare(left) == bare(right)
}

/// Whether a request that carries our cookie may be acted on.
pub fn may_act(method: &Method, headers: &HeaderMap, authority: &str, slug: &Slug, domain: &str) -> bool {
    let own_site = headers.get(SEC_FETCH_SITE).is_none_or(|site| site == "same-origin" || site == "none");
    if own_site && !is_foreign(headers, authority) {
        return true;
    }
    let safe = method == Method::GET || method == Method::HEAD;
    let navigates = headers.get(SEC_FETCH_MODE).is_some_and(|mode| mode == "navigate");
    if !safe || !navigates {
        return false;
    }
    // A link from elsewhere may open a page at the top; only the workspace itself may frame one of its
    // ports, as the editor's simple browser does. Pages cannot forge `Referer`.
    match headers.get(SEC_FETCH_DEST).map(http::HeaderValue::as_bytes) {
        None | Some(b"document") => true,
        Some(_) => referer(headers).is_some_and(|host| Host::parse(host, domain).slug() == Some(slug)),
    }
}

fn referer(headers: &HeaderMap) -> Option<&str> {
    let (_, rest) = headers.get(REFERER)?.to_str().ok()?.split_once("://")?;
    rest.split(['/', '?', '#']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(method: Method, pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, http::HeaderValue::from_static(value));
        }
        may_act(&method, &headers, "fox.localhost:8080", &"fox".parse().unwrap(), "localhost")
    }

    #[test]
    fn its_own_pages_and_programs_may() {
        assert!(may(Method::POST, &[]));
        assert!(may(Method::POST, &[("origin", "http://fox.localhost:8080"), ("sec-fetch-site", "same-origin")]));
        assert!(may(Method::GET, &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")]));
    }

    #[test]
    fn other_hosts_may_not() {
        assert!(!may(Method::GET, &[("origin", "http://evil.example")]));
        assert!(!may(Method::GET, &[("origin", "null")]));
        assert!(!may(Method::GET, &[("origin", "http://hare.localhost:8080")]));
        assert!(!may(Method::GET, &[("origin", "http://3000-fox.localhost:8080")]));
        assert!(!may(Method::GET, &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "cors")]));
        assert!(!may(Method::GET, &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")]));
        assert!(!may(Method::POST, &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]));
    }

    #[test]
    fn links_open_pages_and_only_the_workspace_frames_itself() {
        let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert!(may(Method::GET, &link));
        let frame = |referer| {
            [
                ("sec-fetch-site", "same-site"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "iframe"),
                ("referer", referer),
            ]
        };
        assert!(may(Method::GET, &frame("http://3000-fox.localhost:8080/x")));
        assert!(!may(Method::GET, &frame("http://hare.localhost:8080/fox.localhost")));
        assert!(!may(Method::GET, &frame("http://evil.example/?http://fox.localhost")));
    }

    #[test]
    fn a_default_port_is_no_difference() {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, http::HeaderValue::from_static("https://fox.ws.example.com"));
        assert!(!is_foreign(&headers, "fox.ws.example.com:443"));
        assert!(is_foreign(&headers, "fox.ws.example.com:80"));
    }
}
