//! How a notice is shown: a small page that stands alone for people, problem+json for programs.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, REFERRER_POLICY, RETRY_AFTER,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use poem::Response;
use sha2::{Digest as _, Sha256};

use super::notice::{Notice, State};
use crate::request_id::RequestId;

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");

/// Nothing may be loaded or run but our own few lines, named by their hash.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(SCRIPT));
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// Whether somebody looks at a page: then they get one.
pub fn is_wanted(method: &Method, headers: &HeaderMap) -> bool {
    let safe = method == Method::GET || method == Method::HEAD;
    safe && headers.get_all(ACCEPT).iter().filter_map(|v| v.to_str().ok()).any(|v| v.contains("text/html"))
}

impl Notice {
    /// It as an answer. With the request's id it can be found again in the log.
    #[must_use]
    pub fn show(&self, as_page: bool, request_id: Option<RequestId>) -> Response {
        let id = request_id.map(|id| id.to_string());
        if let Some(id) = &id {
            tracing::debug!(request.id = id, code = self.code, status = self.status.as_u16(), "a notice was shown");
        }
        show(self, as_page, id.as_deref())
    }
}

fn show(notice: &Notice, as_page: bool, request_id: Option<&str>) -> Response {
    let (kind, body) = if as_page {
        ("text/html; charset=utf-8", page(notice))
    } else {
        ("application/problem+json", problem(notice, request_id))
    };
    let mut response = Response::builder().status(notice.status).body(body);
    let headers = response.headers_mut();
    if let Some(id) = request_id.and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert(RequestId::HEADER, id);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    if let Some(seconds) = notice.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// RFC 9457, with the members that the API uses too.
fn problem(notice: &Notice, request_id: Option<&str>) -> String {
    let mut problem = serde_json::json!({
        "status": notice.status.as_u16(),
        "title": notice.title,
        "code": notice.code,
        "message": notice.message,
        "hint": notice.hint,
    });
    if let Some(phase) = notice.phase {
        problem["phase"] = phase.as_str().into();
    }
    if let Some(id) = request_id {
        problem["request_id"] = id.into();
    }
    problem.to_string()
}

fn page(notice: &Notice) -> String {
    let mut rest = String::new();
    if let Some(hint) = &notice.hint {
        rest += &format!("<p class=\"hint\">{}</p>\n", escape(hint));
    }
    if let Some(output) = &notice.output {
        rest += &format!("<pre tabindex=\"0\" aria-label=\"Output\">{}</pre>\n", escape(output));
    }
    if let Some((address, text)) = &notice.link {
        rest += &format!("<a class=\"act\" href=\"{}\">{text}</a>\n", escape(address));
    }
    // Without scripts the page loads itself anew; with them only its status line changes.
    let (refresh, script) = if notice.watches.is_some() {
        let refresh = "<noscript><meta http-equiv=\"refresh\" content=\"3\"></noscript>\n";
        (refresh, format!("<script>{SCRIPT}</script>\n"))
    } else {
        ("", String::new())
    };
    let mut page = String::with_capacity(PAGE.len() + SCRIPT.len() + rest.len() + 256);
    let mut template = PAGE;
    // Filled in one pass, so that a text which looks like a place is only a text.
    while let Some((before, (name, after))) =
        template.split_once("{{").and_then(|(before, at)| Some((before, at.split_once("}}")?)))
    {
        page += before;
        match name {
            "state" => page += notice.watches.map_or("", State::as_str),
            "title" => page += &escape(&notice.title),
            "message" => page += &escape(&notice.message),
            "rest" => page += &rest,
            "refresh" => page += refresh,
            "script" => page += &script,
            _ => {}
        }
        template = after;
    }
    page + template
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_repository_says_is_text_and_no_markup() {
        let mut notice = Notice::hidden();
        notice.message = "<script>alert(1)</script> {{script}} {{rest}}".to_owned();
        notice.output = Some("</pre><img src=x onerror=alert(1)>".to_owned());
        notice.watches = Some(State::Starting);
        let page = show(&notice, true, None).into_body().into_string().await.unwrap();
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; {{script}} {{rest}}"));
        assert_eq!(page.matches("<script>").count(), 1);
        assert!(!page.contains("<img"));
        assert!(!page.contains("{{title}}"));
    }

    #[tokio::test]
    async fn programs_get_a_problem() {
        let response = Notice::hidden().show(false, Some(RequestId::new(0xf0)));
        assert_eq!(response.status(), 404);
        assert_eq!(response.header("x-request-id"), Some("00000000000000f0"));
        let problem: serde_json::Value = response.into_body().into_json().await.unwrap();
        assert_eq!(problem["code"], "not-found");
        assert_eq!(problem["request_id"], "00000000000000f0");
    }
}
