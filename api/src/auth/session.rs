//! The browser's session: a host-only cookie, made from a link or a token.

use poem::http::StatusCode;
use poem::http::header::{LOCATION, SET_COOKIE};
use poem::web::{Data, Json};
use poem::{Request, Response, handler};
use serde::Deserialize;
use steading_core::access::{Action, Credential, may};
use steading_core::{Owner, Secret, UserId};

use crate::app::App;
use crate::caller::{Caller, is_foreign};
use crate::problem::ApiError;

/// Opens a session and says which cookie to set for it.
pub async fn cookie(app: &App, user: UserId) -> Result<String, ApiError> {
    let opened = app.store.sessions().open(user, app.config.auth.session_hours).await;
    let session = opened.map_err(|e| ApiError::from_fault(&e))?;
    Ok(opening(app, session.reveal()))
}

/// The cookie of a session that was opened. The server ends it; the browser's own date is the latest.
fn opening(app: &App, session: &str) -> String {
    header(app, session, u64::from(app.config.auth.session_hours) * 3600)
}

fn header(app: &App, value: &str, max_age: u64) -> String {
    set(app, &app.session_cookie, value, max_age)
}

/// A cookie of the control plane's. Never `Domain=`: workspaces must not see it.
pub fn set(app: &App, name: &str, value: &str, max_age: u64) -> String {
    let secure = if app.urls.scheme == "https" { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}")
}

/// An answer that sends the browser somewhere, with cookies.
pub fn redirect(to: &str, cookies: &[String]) -> Response {
    let mut response = Response::builder().status(StatusCode::SEE_OTHER).header(LOCATION, to);
    for cookie in cookies {
        response = response.header(SET_COOKIE, cookie);
    }
    response.header("cache-control", "no-store").finish()
}

/// A token to trade for a session.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    token: Secret<String>,
}

/// `POST /session {token}`: signs a browser in with an API token or the configured one. The session ends with
/// the token.
#[handler]
pub async fn open(app: Data<&App>, request: &Request, body: Json<NewSession>) -> Result<Response, poem::Error> {
    if is_foreign(request.method(), request.headers()) {
        return Err(
            ApiError::forbidden("cross-site", "The request came from another site.", "Use the sign-in page.").into()
        );
    }
    let refused = || ApiError::unauthorized("That token cannot sign a person in.");
    let shown = app.token(body.token.reveal().trim()).await?;
    let (credential, _) =
        shown.filter(|(_, who)| may(who, Action::Enter, Owner::User(who.user))).ok_or_else(refused)?;
    let (sessions, hours) = (app.store.sessions(), app.config.auth.session_hours);
    let opened = match credential {
        Credential::Token(token) => sessions.open_by(token, hours).await,
        Credential::Configured => sessions.open_by_configured(hours).await,
        Credential::Session(_) => return Err(refused().into()),
    };
    let session = opened.map_err(|e| ApiError::from_fault(&e))?.ok_or_else(refused)?;
    let cookie = opening(&app, session.reveal());
    Ok(Response::builder().status(StatusCode::NO_CONTENT).header(SET_COOKIE, cookie).finish())
}

/// `DELETE /session`: signs out, here and in every workspace that was entered from here.
#[handler]
pub async fn close(app: Data<&App>, request: &Request) -> Result<Response, poem::Error> {
    let caller = Caller::authenticate(&app, request).await?;
    if let Some(session) = caller.session() {
        app.store.sessions().close(session).await.map_err(|e| ApiError::from_fault(&e))?;
    }
    Ok(Response::builder().status(StatusCode::NO_CONTENT).header(SET_COOKIE, header(&app, "", 0)).finish())
}
