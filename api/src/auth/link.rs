//! The one-time link that the server prints.

use poem::web::{Data, Query};
use poem::{Response, handler};
use serde::Deserialize;

use super::session;
use crate::app::App;
use crate::problem::ApiError;

/// What the link carries.
#[derive(Debug, Deserialize)]
pub struct Link {
    /// The secret; without it the page says how to get one.
    #[serde(default)]
    link: String,
}

/// Mints a link that signs the local administrator in, once.
pub async fn mint(app: &App) -> Result<String, ApiError> {
    let secret = app.store.links().mint().await.map_err(|e| ApiError::from_fault(&e))?;
    Ok(format!("{}/sign-in?link={}", app.urls, secret.reveal()))
}

/// `GET /sign-in?link=…`: trades the link for a session. A link that is spent leads to the page, which
/// says how to get another one.
#[handler]
pub async fn sign_in(app: Data<&App>, Query(query): Query<Link>) -> Result<Response, poem::Error> {
    if query.link.is_empty() {
        return Ok(crate::assets::index());
    }
    let user = app.store.links().redeem(&query.link).await.map_err(|e| ApiError::from_fault(&e))?;
    match user {
        Some(user) => {
            let cookie = session::cookie(&app, user).await?;
            Ok(session::redirect("/", Some(&cookie)))
        }
        None => Ok(session::redirect("/sign-in?spent=1", None)),
    }
}

/// `HEAD /sign-in`: the page, and the link stays good. Programs that look at links before people follow
/// them ask this way.
#[handler]
pub fn peek() -> Response {
    crate::assets::index()
}
