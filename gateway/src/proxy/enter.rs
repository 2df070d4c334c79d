//! The way in: a one-time ticket from the control plane becomes a cookie of this very host.

use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue, LOCATION, REFERRER_POLICY, SET_COOKIE};
use poem::Response;
use steading_core::Slug;
use steading_core::route::is_local;
use url::form_urlencoded;

use super::cookie;

/// What our own addresses on workspace hosts start with.
pub const OURS: &str = "/.steading/";

/// Where to get a ticket for a host and come back to a path.
pub fn ask(control: &str, label: &str, path: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("host", label)
        .append_pair("path", local(path))
        .finish();
    format!("{control}/enter?{query}")
}

/// The ticket and the path of an entry; `None` if there is no ticket.
pub fn read(query: &str) -> Option<(String, String)> {
    let mut ticket = None;
    let mut path = String::from("/");
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "ticket" => ticket = Some(value.into_owned()),
            "path" => path = local(&value).to_owned(),
            _ => {}
        }
    }
    ticket.filter(|t| !t.is_empty()).map(|t| (t, path))
}

/// The path if it stays on this host and is no address of ours, `/` otherwise.
pub fn local(path: &str) -> &str {
    if is_local(path) && !path.starts_with(OURS) { path } else { "/" }
}

/// Where somebody may start a workspace and come back to this path of the host.
pub fn start(control: &str, slug: &Slug, label: &str, path: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("start", "1")
        .append_pair("host", label)
        .append_pair("path", local(path))
        .finish();
    format!("{control}/workspaces/{slug}?{query}")
}

/// Off to another address, by GET.
pub fn redirect(to: &str) -> Response {
    // A path typed by a person may hold what a header may not; it then stands percent-encoded.
    let to: String = to.chars().map(|c| if c.is_ascii_graphic() { c.to_string() } else { encode(c) }).collect();
    let mut response = Response::builder().status(StatusCode::SEE_OTHER).finish();
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/")));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The ticket is in the address: it must not be told to anybody.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn encode(c: char) -> String {
    let mut buffer = [0; 4];
    c.encode_utf8(&mut buffer).bytes().map(|b| format!("%{b:02X}")).collect()
}

/// In: with the cookie, to the path.
pub fn admit(cookie: &str, path: &str, secure: bool) -> Response {
    let mut response = redirect(path);
    if let Ok(value) = HeaderValue::from_str(&cookie::entry(cookie, secure)) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_host_are_followed() {
        for good in ["/", "/a/b?c=d#e", "/a//b", "/?folder=/work"] {
            assert_eq!(local(good), good);
        }
        for bad in
            ["", "a", "//evil", "/\\evil", "\\\\evil", "/\t/evil", "https://evil", "/a\r\nb", "/.steading/enter?x"]
        {
            assert_eq!(local(bad), "/", "{bad:?}");
        }
    }

    #[test]
    fn the_way_there_and_back_keeps_the_path() {
        let there = ask("http://localhost:8080", "3000-fox", "/a b?x=1&y=ü");
        let query = there.strip_prefix("http://localhost:8080/enter?").unwrap();
        assert!(query.starts_with("host=3000-fox&path="));
        let back = format!("ticket=t&{query}");
        assert_eq!(read(&back), Some(("t".to_owned(), "/a b?x=1&y=ü".to_owned())));
        assert_eq!(redirect("/a b?ü").header(LOCATION), Some("/a%20b?%C3%BC"));
        assert_eq!(read("path=/"), None);
    }

    #[test]
    fn over_https_no_other_host_can_plant_the_cookie() {
        let cookie = |secure| admit("x", "/", secure).header(SET_COOKIE).unwrap_or_default().to_owned();
        assert_eq!(cookie(true), "__Host-steading_entry=x; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(cookie(false), "steading_entry=x; Path=/; HttpOnly; SameSite=Lax");
    }
}
