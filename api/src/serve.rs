//! The listener: one socket for API, page and gateway, told apart by the Host header.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use poem::http::StatusCode;
use poem::listener::{Acceptor as _, Listener as _, TcpAcceptor, TcpListener};
use poem::{Endpoint, EndpointExt as _, IntoResponse as _, Request, Response, Server};
use steading_core::route::Host;
use steading_gateway::Gateway;
use tokio_util::sync::CancellationToken;

use crate::app::{self, App};

/// How long open requests may take to end once the server is told to stop. Streams and tunnels never
/// end by themselves, so this is what a stop costs while somebody is connected.
const DRAIN: Duration = Duration::from_secs(2);

/// What this process answers to.
#[derive(Clone)]
pub struct Roles {
    /// The control plane: API and page.
    pub control: Option<App>,
    /// The data plane: workspaces' hosts.
    pub gateway: Option<Arc<Gateway>>,
}

/// A socket that listens already.
pub struct Listening {
    acceptor: TcpAcceptor,
    /// The address it was given, with its real port.
    pub address: SocketAddr,
}

/// Takes the address. Done before everything else, so that URLs know the port and a taken address fails early.
///
/// # Errors
/// When the address cannot be had.
pub async fn listen(address: SocketAddr) -> io::Result<Listening> {
    let acceptor = TcpListener::bind(address).into_acceptor().await?;
    let bound = acceptor.local_addr().iter().find_map(|a| a.as_socket_addr().copied());
    Ok(Listening { acceptor, address: bound.unwrap_or(address) })
}

/// Serves until `shutdown`.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listening: Listening, domain: &str, roles: Roles, shutdown: CancellationToken) -> io::Result<()> {
    let endpoint = by_host(domain.to_owned(), roles);
    Server::new_with_acceptor(listening.acceptor)
        .run_with_graceful_shutdown(endpoint, async move { shutdown.cancelled().await }, Some(DRAIN))
        .await
}

/// Sends a request to the control plane or to the gateway.
fn by_host(domain: String, roles: Roles) -> impl Endpoint {
    let control = roles.control.map(|app| Arc::new(app::endpoint(app).map_to_response()));
    let gateway = roles.gateway;
    poem::endpoint::make(move |request: Request| {
        let host = request.header("host").unwrap_or_default();
        let leads_inside = Host::parse(host, &domain) != Host::Control;
        let (control, gateway) = (control.clone(), gateway.clone());
        async move {
            match (leads_inside, control, gateway) {
                (true, _, Some(gateway)) => gateway.call(request).await.map(poem::IntoResponse::into_response),
                (false, Some(control), _) => control.call(request).await,
                _ => Ok::<Response, poem::Error>(StatusCode::MISDIRECTED_REQUEST.into_response()),
            }
        }
    })
}
