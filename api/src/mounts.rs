//! Everything that the control plane answers, as one table: where, and for whom.
//!
//! What is not public is asked for a credential before anything else looks at the request: an operation
//! that forgets to ask, a path that does not exist and a method that is not served all refuse strangers.

use std::collections::BTreeMap;
use std::sync::Arc;

use poem::endpoint::{BoxEndpoint, make_sync};
use poem::http::Method;
use poem::middleware::SetHeader;
use poem::web::Data;
use poem::{Endpoint, EndpointExt as _, FromRequest as _, IntoEndpoint, Request, Response, Result, Route, RouteMethod};

use crate::app::App;
use crate::bodies::{self, Bounded};
use crate::caller::Caller;
use crate::panics::Panics;
use crate::problem::catch_all;
use crate::{assets, auth, idempotency, request_id, routes, spec};

/// Who is answered.
#[derive(Debug, Clone, Copy)]
pub enum Audience {
    /// Anybody, for this reason.
    Public(&'static str),
    /// Whoever shows a credential that holds.
    SignedIn,
    /// The same, but for a few paths that are public.
    SignedInBut(&'static [Exception]),
}

/// A path below a mount that anybody may GET.
#[derive(Debug, Clone, Copy)]
pub struct Exception {
    /// The path, without the mount's own.
    pub path: &'static str,
    /// Why.
    pub reason: &'static str,
}

const PUBLIC_OPERATIONS: &[Exception] = &[
    Exception { path: "/health/live", reason: "probes have no credential" },
    Exception { path: "/health/ready", reason: "probes have no credential" },
    Exception { path: "/version", reason: "clients learn whom they talk to before they sign in" },
];

/// One row of the table.
pub struct Mount {
    /// The method; a folder takes all and everything below it.
    pub method: Option<Method>,
    /// Where.
    pub path: &'static str,
    /// For whom.
    pub audience: Audience,
    /// How many bytes a request may bring.
    pub largest: usize,
    endpoint: BoxEndpoint<'static, Response>,
}

impl Mount {
    fn at<E>(method: Method, path: &'static str, audience: Audience, endpoint: E) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        let endpoint = endpoint.into_endpoint().map_to_response().boxed();
        Self { method: Some(method), path, audience, largest: bodies::SMALL, endpoint }
    }

    fn folder<E>(path: &'static str, audience: Audience, endpoint: E) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        Self { method: None, ..Self::at(Method::GET, path, audience, endpoint) }
    }

    fn taking(self, largest: usize) -> Self {
        Self { largest, ..self }
    }

    fn guarded(self) -> BoxEndpoint<'static, Response> {
        let inner = Bounded::new(self.endpoint, self.largest);
        match self.audience {
            Audience::Public(_) => inner.boxed(),
            Audience::SignedIn => Guarded { public: &[], inner }.boxed(),
            Audience::SignedInBut(public) => Guarded { public, inner }.boxed(),
        }
    }
}

/// The table.
#[must_use]
pub fn all() -> Vec<Mount> {
    let service = spec::service(routes::all());
    let docs = service.swagger_ui();
    let document: Arc<str> = spec::document().into();
    let document = make_sync(move |_| Response::builder().content_type("application/json").body(document.to_string()));
    vec![
        Mount::folder("/v1", Audience::SignedInBut(PUBLIC_OPERATIONS), service.with(idempotency::Replay))
            .taking(bodies::LARGE),
        Mount::at(Method::GET, "/openapi.json", Audience::Public("says what the API is, not what is here"), document),
        Mount::folder("/docs", Audience::Public("the same for people"), docs),
        Mount::at(Method::GET, "/sign-in", Audience::Public("the way in"), auth::link::sign_in),
        Mount::at(Method::HEAD, "/sign-in", Audience::Public("the way in"), auth::link::peek),
        Mount::at(Method::POST, "/session", Audience::Public("takes a credential in its body"), auth::session::open),
        Mount::at(Method::DELETE, "/session", Audience::SignedIn, auth::session::close),
        Mount::at(Method::GET, "/enter", Audience::Public("sends strangers to sign in first"), auth::enter::enter),
        Mount::folder("/", Audience::Public("the page's files, the same for everybody"), assets::page()),
    ]
}

/// Everything of the control plane as one endpoint: API, its document, sign-in and the page.
pub fn endpoint(app: App) -> impl Endpoint<Output = Response> {
    let mut route = Route::new();
    let mut methods: BTreeMap<&'static str, RouteMethod> = BTreeMap::new();
    for mut mount in all() {
        let (path, method) = (mount.path, mount.method.take());
        let endpoint = mount.guarded();
        match method {
            Some(method) => {
                let known = methods.remove(path).unwrap_or_default();
                methods.insert(path, known.method(method, endpoint));
            }
            None => route = route.nest(path, endpoint),
        }
    }
    let route = methods.into_iter().fold(route, |route, (path, methods)| route.at(path, methods));
    route
        .catch_all_error(catch_all)
        .data(app)
        .with(
            SetHeader::new()
                .overriding("x-content-type-options", "nosniff")
                .overriding("x-frame-options", "DENY")
                .overriding("referrer-policy", "same-origin"),
        )
        .with(Panics)
        .with(request_id::Named)
}

/// Asks for a credential first.
struct Guarded<E> {
    public: &'static [Exception],
    inner: E,
}

impl<E: Endpoint> Endpoint for Guarded<E> {
    type Output = E::Output;

    async fn call(&self, mut request: Request) -> Result<E::Output> {
        let looks = matches!(*request.method(), Method::GET | Method::HEAD);
        let is_public = looks && self.public.iter().any(|exception| exception.path == request.uri().path());
        if !is_public {
            let app = Data::<&App>::from_request_without_body(&request).await?;
            let caller = Caller::authenticate(&app, &request).await?;
            request.extensions_mut().insert(caller);
        }
        self.inner.call(request).await
    }
}
