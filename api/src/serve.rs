//! The listener: one socket for API, page and gateway, told apart by the Host header.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use poem::http::StatusCode;
use poem::{Endpoint, EndpointExt as _, Request, Response};
use steading_core::route::Host;
use steading_gateway::{Gateway, Notice, is_page_wanted};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::app::App;
use crate::panics::Panics;
use crate::{mounts, request_id};

/// How long open requests may take to end once the server is told to stop. Streams never end by
/// themselves, so this is what a stop costs while somebody is connected.
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
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    /// The address it was given, with its real port.
    pub address: SocketAddr,
}

/// Takes the address. Done before everything else, so that URLs know the port and a taken address fails early.
///
/// # Errors
/// When the address cannot be had.
pub async fn listen(address: SocketAddr) -> io::Result<Listening> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok(Listening { listener, address })
}

/// Serves until `shutdown`.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listening: Listening, domain: &str, roles: Roles, shutdown: CancellationToken) -> io::Result<()> {
    let control =
        roles.control.map(|app| Elsewhere { endpoint: Arc::new(mounts::endpoint(app)), main: Handle::current() });
    let gateway = roles.gateway.map(|gateway| gateway.with(Panics));
    let endpoint = ByHost { domain: domain.to_owned(), control, gateway };
    steading_gateway::serve(listening.listener, endpoint, DRAIN, shutdown).await
}

/// Answers on the threads of the whole process: an operation that computes for a while must not hold up the
/// connections that share its listener's thread.
struct Elsewhere<E> {
    endpoint: Arc<E>,
    main: Handle,
}

impl<E: Endpoint<Output = Response> + 'static> Endpoint for Elsewhere<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let endpoint = Arc::clone(&self.endpoint);
        // Whoever goes away takes the operation along, as ever.
        let answer = AbortOnDropHandle::new(self.main.spawn(async move { endpoint.call(request).await }));
        answer.await.map_err(poem::error::InternalServerError)?
    }
}

/// Sends a request to the control plane or to the gateway.
struct ByHost<C, G> {
    domain: String,
    control: Option<C>,
    gateway: Option<G>,
}

impl<C: Endpoint<Output = Response>, G: Endpoint<Output = Response>> Endpoint for ByHost<C, G> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let id = request_id::of(&mut request);
        let host = request.header("host").unwrap_or_default();
        let leads_inside = Host::parse(host, &self.domain) != Host::Control;
        match (&self.control, &self.gateway) {
            (_, Some(gateway)) if leads_inside => gateway.call(request).await,
            (Some(control), _) if !leads_inside => control.call(request).await,
            _ => {
                let (title, message) = ("Not here", "This server does not answer for that name.");
                let notice = Notice::new(StatusCode::MISDIRECTED_REQUEST, "wrong-server", title, message);
                let notice = notice.with_hint("Check the address, or where the proxy in front sends it.");
                Ok(notice.show(is_page_wanted(&request), Some(id)))
            }
        }
    }
}
