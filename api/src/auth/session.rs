//! The browser's session: a host-only cookie, made from a link or a token.

use poem::http::StatusCode;
use poem::http::header::{LOCATION, SET_COOKIE};
use poem::web::{Data, Json};
use poem::{Request, Response, handler};
use serde::Deserialize;
use steading_core::access::{Action, Principal};
use steading_core::{Secret, UserId};

use crate::app::App;
use crate::caller::{Caller, SESSION_COOKIE, is_foreign};
use crate::problem::ApiError;

/// Opens a session and says which cookie to set for it. Never `Domain=`: workspaces must not see it.
pub async fn cookie(app: &App, user: UserId) -> Result<String, ApiError> {
    let hours = app.config.auth.session_hours;
    let session = app.store.sessions().open(user, hours).await.map_err(|e| ApiError::from_fault(&e))?;
    Ok(header(app, session.reveal(), u64::from(hours) * 3600))
}

fn header(app: &App, value: &str, max_age: u64) -> String {
    let secure = if app.urls.scheme == "https" { "; Secure" } else { "" };
    format!("{SESSION_COOKIE}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}")
}

/// An answer that sends the browser somewhere.
pub fn redirect(to: &str, cookie: Option<&str>) -> Response {
    let mut response = Response::builder().status(StatusCode::SEE_OTHER).header(LOCATION, to);
    if let Some(cookie) = cookie {
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

/// `POST /session {token}`: signs a browser in with an API token.
#[handler]
pub async fn open(app: Data<&App>, request: &Request, body: Json<NewSession>) -> Result<Response, poem::Error> {
    if is_foreign(request.method(), request.headers()) {
        return Err(
            ApiError::forbidden("cross-site", "The request came from another site.", "Use the sign-in page.").into()
        );
    }
    let principal: Option<Principal> = app.token(body.token.reveal().trim()).await?;
    let holds = principal.filter(|p| steading_core::access::may(p, Action::Enter, steading_core::Owner::User(p.user)));
    let Some(principal) = holds else {
        return Err(ApiError::unauthorized("That token cannot sign a person in.").into());
    };
    let cookie = cookie(&app, principal.user).await?;
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
