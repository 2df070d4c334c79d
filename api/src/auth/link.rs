//! The one-time link that the server prints.

use poem::http::HeaderValue;
use poem::http::header::SET_COOKIE;
use poem::web::{Data, Query};
use poem::{Request, Response, handler};
use serde::Deserialize;
use steading_core::route::is_local;

use super::session;
use crate::app::App;
use crate::caller::cookies;
use crate::problem::ApiError;

/// How long somebody who was sent to sign in may look for the link, in seconds.
const PATIENCE: u64 = 15 * 60;

/// The longest way back that is remembered.
const LONGEST: usize = 2048;

/// What the link carries.
#[derive(Debug, Deserialize)]
pub struct Link {
    /// The secret; without it the page says how to get one.
    #[serde(default)]
    link: String,
    /// Where somebody was going when they were sent here.
    #[serde(default)]
    next: String,
}

/// Mints a link that signs the local administrator in, once.
pub async fn mint(app: &App) -> Result<String, ApiError> {
    let secret = app.store.links().mint().await.map_err(|e| ApiError::from_fault(&e))?;
    Ok(format!("{}/sign-in?link={}", app.urls, secret.reveal()))
}

/// `GET /sign-in?link=…`: trades the link for a session. A link that is spent leads to the page, which
/// says how to get another one. `GET /sign-in?next=…` is the page, and the browser remembers for a while
/// where it was going: the link is printed elsewhere and knows nothing of that.
#[handler]
pub async fn sign_in(app: Data<&App>, request: &Request, Query(query): Query<Link>) -> Result<Response, poem::Error> {
    if query.link.is_empty() {
        let mut page = crate::assets::index();
        if let Some(cookie) = remembered(&app, &query.next) {
            page.headers_mut().insert(SET_COOKIE, cookie);
        }
        return Ok(page);
    }
    let user = app.store.links().redeem(&query.link).await.map_err(|e| ApiError::from_fault(&e))?;
    let Some(user) = user else {
        return Ok(session::redirect("/sign-in?spent=1", &[]));
    };
    let name = app.cookie_name("next");
    let next = cookies(request.headers(), &name).find_map(|value| decoded(value).filter(|path| is_local(path)));
    let forget = next.is_some().then(|| session::set(&app, &name, "", 0));
    let opened: Vec<String> = forget.into_iter().chain([session::cookie(&app, user).await?]).collect();
    Ok(session::redirect(next.as_deref().unwrap_or("/"), &opened))
}

/// The cookie that keeps a way back, if it is one.
fn remembered(app: &App, next: &str) -> Option<HeaderValue> {
    if next == "/" || !is_local(next) || next.len() > LONGEST {
        return None;
    }
    let value: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    HeaderValue::from_str(&session::set(app, &app.cookie_name("next"), &value, PATIENCE)).ok()
}

/// The path in such a cookie, as a header may hold it.
fn decoded(value: &str) -> Option<String> {
    let (path, _) = url::form_urlencoded::parse(value.as_bytes()).next()?;
    path.is_ascii().then(|| path.into_owned())
}

/// `HEAD /sign-in`: the page, and the link stays good. Programs that look at links before people follow
/// them ask this way.
#[handler]
pub fn peek() -> Response {
    crate::assets::index()
}
