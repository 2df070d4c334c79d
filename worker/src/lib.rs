//! The process that changes the world: drives workspaces to what their owners want.
//!
//! [`Worker::run`] hears the queue, sweeps, and watches the runtime; each ring for a workspace is one
//! [`Worker::drive`]. Everything it knows is in the database and on the runtime, so that any number of
//! workers may run, and any of them may die at any moment.

use std::sync::Arc;
use std::time::Duration;

use steading_core::config::Config;
use steading_core::runtime::Runtime;
use steading_core::{WorkspaceId, report};
use steading_source::{Git, Resolver};
use steading_store::{Store, StoreError, Turn};
use tokio_util::sync::CancellationToken;

mod account;
mod archive;
mod context;
mod edited;
mod engine;
mod error;
mod inquiry;
mod inside;
mod jobs;
mod output;
mod periodic;
mod probe;

pub use engine::Rest;

use context::Context;

/// Rings that are at work at once. What costs is bounded by `worker.concurrency`; what waits for that, or
/// follows a hook, is not counted: it costs the memory of its drive, some tens of kilobytes.
const RINGS: usize = 256;

/// Why a worker cannot work.
#[derive(Debug, thiserror::Error)]
#[error("the worker cannot start")]
pub struct WorkerError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Drives workspaces. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    context: Arc<Context>,
}

impl Worker {
    /// A worker on these records and this runtime.
    ///
    /// # Errors
    /// If the cache of repositories cannot be opened.
    pub fn new(config: Arc<Config>, store: Store, runtime: Arc<dyn Runtime>) -> Result<Self, WorkerError> {
        let git = Git::new(&config).map_err(|error| WorkerError(error.into()))?;
        let resolver = Resolver::new(git, &config).map_err(|error| WorkerError(error.into()))?;
        Ok(Self { context: Arc::new(Context::new(config, store, runtime, resolver)) })
    }

    /// Works until it is told to stop. Then steps under way are cut off and leases are given back, so
    /// that it returns soon; no workspace is stopped by that.
    pub async fn run(&self, stop: CancellationToken) {
        let (context, token) = (self.context.clone(), stop.clone());
        let handler = move |job, turn| jobs::handle(context.clone(), token.clone(), job, turn);
        let jobs = self.context.store.jobs(RINGS).run(handler, stop.clone());
        let sweep = periodic::sweep::run(self.context.clone(), stop.clone());
        let tidy = periodic::tidy::run(self.context.clone(), stop.clone());
        let watch = periodic::watch::run(self.context.clone(), stop.clone());
        let tools = async {
            // So that the first workspace does not wait for them.
            if let Err(error) = self.context.tools().await {
                tracing::warn!(error = %report::chain(&error), "the workspace tools are not there yet");
            }
        };
        tokio::join!(jobs, sweep, tidy, watch, tools);
    }

    /// Removes what is of no use any more, as happens every hour: images that were built and that no record
    /// names, now and `sure` later; repositories and large files beyond what the cache may hold.
    pub async fn tidy(&self, sure: Duration) {
        periodic::tidy::cache(&self.context).await;
        periodic::tidy::images(&self.context, sure).await;
    }

    /// Drives one workspace until it rests, as a ring for it does.
    ///
    /// # Errors
    /// Only if the database does not answer.
    pub async fn drive(&self, id: WorkspaceId) -> Result<Rest, StoreError> {
        engine::drive(&self.context, id, &Turn::default(), &CancellationToken::new()).await
    }
}
