//! The data plane: from `<slug>.<domain>` and `<port>-<slug>.<domain>` into a workspace.
//!
//! [`Gateway`] is a poem endpoint for every request whose host is a workspace's. It knows the database and
//! the container engine only as [`Routes`] and [`Runtime`]. [`serve`] is the listener that suits it.
//!
//! Workspaces are hostile: their programs answer on our domain. What keeps them apart is in
//! `proxy/admit.rs` (who may enter), `proxy/origin.rs` (which page asks), `proxy/cookie.rs` and
//! `proxy/headers.rs` (what passes), `proxy/enter.rs` (how somebody gets in).

mod cache;
mod directory;
mod lanes;
mod proxy;
mod pulse;
mod request_id;
mod server;

use std::fmt;
use std::sync::Arc;

use poem::{Endpoint, Request, Response};
use steading_core::config::Config;
use steading_core::route::Host;
use steading_core::routes::Routes;
use steading_core::runtime::Runtime;

use crate::proxy::Proxy;
pub use crate::proxy::{Notice, is_page_wanted};
pub use crate::pulse::{Activity, Pulse};
pub use crate::request_id::RequestId;
pub use crate::server::{Hangup, serve, tune};

/// The way into workspaces, as a poem endpoint. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Proxy>);

impl Gateway {
    /// A gateway over a directory of routes and a container engine. Call it inside a tokio runtime: it
    /// listens for changes in the background until its last clone is dropped.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "the shape all parts are put together by")]
    pub fn new(config: Arc<Config>, routes: Arc<dyn Routes>, runtime: Arc<dyn Runtime>) -> Self {
        Self(Arc::new(Proxy::new(&config, routes, runtime)))
    }

    /// Whether a request is the gateway's: its host is below the domain, workspace or not. A request
    /// whose host cannot be told belongs to the control plane.
    #[must_use]
    pub fn wants(&self, request: &Request) -> bool {
        proxy::authority(request).is_some_and(|host| self.wants_host(host))
    }

    /// The same for the text of a `Host` header.
    #[must_use]
    pub fn wants_host(&self, header: &str) -> bool {
        self.0.host(header) != Host::Control
    }

    /// How much the workspaces are used.
    #[must_use]
    pub fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(self.0.pulse())
    }
}

impl Endpoint for Gateway {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(self.0.call(request).await)
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gateway")
    }
}
