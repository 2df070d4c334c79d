//! What every operation may touch.

use std::sync::Arc;

use steading_core::access::{Credential, Principal};
use steading_core::config::Config;
use steading_core::queue::{Job, Queue};
use steading_core::route::PublicUrl;
use steading_core::runtime::Runtime;
use steading_core::{UserId, WorkspaceId, report};
use steading_store::Store;

use crate::caller::cookie_name;
use crate::problem::ApiError;
use crate::routes::templates::TemplateView;
use crate::templates;

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
    /// The name of the browsers' session cookie.
    pub session_cookie: Arc<str>,
    /// What can be chosen where a repository has no configuration.
    pub templates: Arc<[TemplateView]>,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(config: Arc<Config>, store: Store, runtime: Arc<dyn Runtime>) -> Self {
        let urls = Arc::new(config.public_url());
        Self {
            queue: store.queue(),
            session_cookie: cookie_name("session", store.installation(), urls.scheme == "https").into(),
            urls,
            templates: templates::all().into(),
            config,
            store,
            runtime,
        }
    }

    /// The name of another cookie of ours.
    #[must_use]
    pub fn cookie_name(&self, what: &str) -> String {
        cookie_name(what, self.store.installation(), self.urls.scheme == "https")
    }

    /// The local administrator.
    #[must_use]
    pub fn admin(&self) -> UserId {
        self.store.users().admin()
    }

    /// Whom a bearer token stands for.
    pub async fn token(&self, text: &str) -> Result<Option<(Credential, Principal)>, ApiError> {
        self.store.tokens().find(text).await.map_err(|e| ApiError::from_fault(&e))
    }

    /// Asks a worker to look at a workspace. If the queue is down, the sweeper will.
    pub async fn drive(&self, workspace: WorkspaceId) {
        if let Err(error) = self.queue.nudge(Job::Drive { workspace }).await {
            tracing::warn!(workspace.id = %workspace, error = %report::chain(&error), "the queue was not rung");
        }
    }
}
