//! The front end, embedded.

use poem::endpoint::make_sync;
use poem::error::{MethodNotAllowedError, NotFoundError};
use poem::http::Method;
use poem::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use poem::{Endpoint, Response, Result};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../frontend/dist"]
#[allow_missing = true]
struct Files;

/// Scripts and styles come from here only; the page talks to its own origin, WebSockets included.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

const NOT_BUILT: &str = "<!doctype html><title>Steading</title><p>This binary was built without the web page. \
                         Run <code>npm ci && npm run build</code> in <code>frontend/</code> and build again.";

/// Serves files by their path; any other path without a file ending is the page, which routes by itself.
pub fn page() -> impl Endpoint<Output = Response> {
    make_sync(|request| -> Result<Response> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(MethodNotAllowedError.into());
        }
        let path = request.uri().path().trim_start_matches('/');
        match Files::get(path) {
            Some(_) if path == "index.html" => Ok(index()),
            Some(file) => Ok(file_response(path, file.data.into_owned())),
            None if path.rsplit('/').next().is_some_and(|last| last.contains('.')) => Err(NotFoundError.into()),
            None => Ok(index()),
        }
    })
}

/// The page itself.
pub fn index() -> Response {
    let html = Files::get("index.html").map_or_else(|| NOT_BUILT.as_bytes().to_vec(), |f| f.data.into_owned());
    Response::builder()
        .header(CONTENT_TYPE, "text/html; charset=utf-8")
        .header(CACHE_CONTROL, "no-cache")
        .header(CONTENT_SECURITY_POLICY, POLICY)
        .body(html)
}

fn file_response(path: &str, data: Vec<u8>) -> Response {
    let kind = match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest") => "application/json",
        _ => "application/octet-stream",
    };
    // Vite names files in assets/ by their content.
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    Response::builder().header(CONTENT_TYPE, kind).header(CACHE_CONTROL, cache).body(data)
}
