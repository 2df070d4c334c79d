//! From the control plane into a workspace: a one-time ticket for one host name.

use poem::web::{Data, Query};
use poem::{Request, Response, handler};
use serde::Deserialize;
use steading_core::route::Host;

use super::session;
use crate::app::App;
use crate::caller::{Caller, Enter, Granted};
use crate::problem::ApiError;

/// Where the browser wants to go.
#[derive(Debug, Deserialize)]
pub struct Wish {
    /// The first label of the workspace's host name.
    host: String,
    /// Path and query there.
    #[serde(default)]
    path: String,
}

/// `GET /enter?host=…&path=…`: issues a ticket and sends the browser there with it. Who is not signed in
/// goes to the sign-in page; what is not theirs goes to the page's "no such workspace".
#[handler]
pub async fn enter(app: Data<&App>, request: &Request, Query(wish): Query<Wish>) -> Result<Response, poem::Error> {
    let caller = match Caller::authenticate(&app, request).await {
        Ok(caller) => caller,
        Err(ApiError::Unauthorized(_)) => {
            let next = request.uri().path_and_query().map_or("/", |p| p.as_str());
            let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
            return Ok(session::redirect(&format!("/sign-in?next={next}"), None));
        }
        Err(error) => return Err(error.into()),
    };
    let host = Host::parse(&format!("{}.{}", wish.host, app.urls.domain), &app.urls.domain);
    let (Some(slug), Some(label)) = (host.slug(), host.label()) else {
        return Ok(session::redirect("/workspaces/unknown", None));
    };
    // A signed-in stranger may still see a port that was shared; the gateway decides that by the route.
    if let Host::Ide(_) = host {
        let granted: Result<Granted<Enter>, _> = caller.may(&app, slug.as_str()).await;
        if granted.is_err() {
            return Ok(session::redirect(&format!("/workspaces/{slug}"), None));
        }
    }
    let session = caller.session();
    let ticket = app.store.tickets().issue(&label, caller.principal().user, session).await;
    let ticket = ticket.map_err(|e| ApiError::from_fault(&e))?;
    let path = if wish.path.starts_with('/') { wish.path.as_str() } else { "/" };
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("ticket", ticket.reveal())
        .append_pair("path", path)
        .finish();
    let base = match &host {
        Host::Port(slug, port) => app.urls.port(slug, *port),
        _ => app.urls.ide(slug),
    };
    Ok(session::redirect(&format!("{base}.steading/enter?{query}"), None))
}
