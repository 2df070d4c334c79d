//! What every operation may touch, and the assembly of all routes.

use std::sync::Arc;

use poem::middleware::{CatchPanic, SetHeader};
use poem::{Endpoint, EndpointExt as _, IntoEndpoint as _, Route, get, post};
use poem_openapi::OpenApiService;
use steading_core::access::Principal;
use steading_core::config::Config;
use steading_core::queue::{Job, Queue};
use steading_core::route::PublicUrl;
use steading_core::runtime::Runtime;
use steading_core::{UserId, WorkspaceId, report};
use steading_store::Store;

use crate::problem::{ApiError, catch_all};
use crate::routes::templates::TemplateView;
use crate::{assets, auth, idempotency, request_id, routes, spec, stream, templates};

/// What every operation may touch. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// What was configured.
    pub config: Arc<Config>,
    /// Everything durable.
    pub store: Store,
    /// Where containers live: for exec, terminals and ports. Only workers change it.
    pub runtime: Arc<dyn Runtime>,
    /// Rings workers.
    pub queue: Arc<dyn Queue>,
    /// How URLs look from outside.
    pub urls: Arc<PublicUrl>,
    /// What can be chosen where a repository has no configuration.
    pub templates: Arc<[TemplateView]>,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(config: Arc<Config>, store: Store, runtime: Arc<dyn Runtime>) -> Self {
        Self {
            queue: store.queue(),
            urls: Arc::new(config.public_url()),
            templates: templates::all().into(),
            config,
            store,
            runtime,
        }
    }

    /// The local administrator.
    #[must_use]
    pub fn admin(&self) -> UserId {
        self.store.users().admin()
    }

    /// Whom a bearer token stands for.
    pub async fn token(&self, text: &str) -> Result<Option<Principal>, ApiError> {
        self.store.tokens().find(text).await.map_err(|e| ApiError::from_fault(&e))
    }

    /// Asks a worker to look at a workspace. If the queue is down, the sweeper will.
    pub async fn drive(&self, workspace: WorkspaceId) {
        if let Err(error) = self.queue.nudge(Job::Drive { workspace }).await {
            tracing::warn!(workspace.id = %workspace, error = %report::chain(&error), "the queue was not rung");
        }
    }
}

/// Everything of the control plane as one endpoint: API, its document, sign-in and the page.
pub fn endpoint(app: App) -> impl Endpoint {
    let service: OpenApiService<_, ()> = spec::service(routes::all());
    let document = spec::document();
    let docs = service.swagger_ui();
    let api = service.with(idempotency::Replay).catch_all_error(catch_all);
    Route::new()
        .nest("/v1", api)
        .at("/v1/workspaces/:name/terminal", get(stream::terminal::open).catch_all_error(catch_all))
        .at(
            "/openapi.json",
            poem::endpoint::make_sync(move |_| {
                poem::Response::builder().content_type("application/json").body(document.clone())
            }),
        )
        .nest("/docs", docs)
        .at("/sign-in", get(auth::link::sign_in).head(auth::link::peek))
        .at("/session", post(auth::session::open).delete(auth::session::close).catch_all_error(catch_all))
        .at("/enter", get(auth::enter::enter))
        .nest("/", assets::page())
        .data(app)
        .with(
            SetHeader::new()
                .overriding("x-content-type-options", "nosniff")
                .overriding("x-frame-options", "DENY")
                .overriding("referrer-policy", "same-origin"),
        )
        .with(
            CatchPanic::new().with_handler(|_| {
                poem::Response::builder().status(poem::http::StatusCode::INTERNAL_SERVER_ERROR).finish()
            }),
        )
        .with(request_id::RequestId)
        .into_endpoint()
}
