//! From the control plane into a workspace: a one-time ticket for one host name.

use poem::web::{Data, Query};
use poem::{Request, Response, handler};
use serde::Deserialize;
use steading_core::access::Action;
use steading_core::route::{Host, is_local};
use steading_gateway::{Notice, RequestId, is_page_wanted};

use super::session;
use crate::app::App;
use crate::caller::{Caller, Enter, Granted};
use crate::problem::ApiError;

/// Where the browser wants to go.
#[derive(Debug, Deserialize)]
pub struct Wish {
    /// The first label of the workspace's host name; without one there is nowhere to go.
    #[serde(default)]
    host: String,
    /// Path and query there.
    #[serde(default)]
    path: String,
}

/// `GET /enter?host=…&path=…`: issues a ticket and sends the browser there with it. Who is not signed in
/// goes to the sign-in page; what is not there and what is not theirs get the gateway's one answer for both.
#[handler]
pub async fn enter(app: Data<&App>, request: &Request, Query(wish): Query<Wish>) -> Result<Response, poem::Error> {
    let caller = match Caller::authenticate(&app, request).await {
        Ok(caller) => caller,
        Err(ApiError::Unauthorized(_)) => {
            let next = request.uri().path_and_query().map_or("/", |p| p.as_str());
            let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
            return Ok(session::redirect(&format!("/sign-in?next={next}"), &[]));
        }
        Err(error) => return Err(error.into()),
    };
    // An entry is as good as its person: a narrower credential must not become one.
    caller.can(Action::Enter)?;
    let (as_page, id) = (is_page_wanted(request), request.extensions().get::<RequestId>().copied());
    let hidden = || Notice::hidden().show(as_page, id);
    let host = Host::parse(&format!("{}.{}", wish.host, app.urls.domain), &app.urls.domain);
    let (Some(slug), Some(label)) = (host.slug(), host.label()) else {
        return Ok(hidden());
    };
    // A signed-in stranger may still see a port that was shared; the gateway decides that by the route.
    if let Host::Ide(_) = host {
        let granted: Result<Granted<Enter>, _> = caller.may(&app, slug.as_str()).await;
        match granted {
            Ok(_) => {}
            Err(ApiError::NotFound(_) | ApiError::Forbidden(_)) => return Ok(hidden()),
            Err(error) => return Err(error.into()),
        }
    }
    let ticket = app.store.tickets().issue(&label, caller.principal().user, caller.credential()).await;
    let ticket = ticket.map_err(|e| ApiError::from_fault(&e))?;
    let path = if is_local(&wish.path) { wish.path.as_str() } else { "/" };
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("ticket", ticket.reveal())
        .append_pair("path", path)
        .finish();
    let base = match &host {
        Host::Port(slug, port) => app.urls.port(slug, *port),
        _ => app.urls.ide(slug),
    };
    Ok(session::redirect(&format!("{base}.steading/enter?{query}"), &[]))
}
