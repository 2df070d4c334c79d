//! What a job may touch.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use steading_core::WorkspaceId;
use steading_core::config::Config;
use steading_core::queue::Job;
use steading_core::report;
use steading_core::runtime::{InstanceId, Runtime, RuntimeError, ToolMount};
use steading_source::Resolver;
use steading_store::Store;
use tokio::sync::{Notify, Semaphore};

use crate::account::Owner;

/// The hooks that stay of so many workspaces are followed at once.
const STAYING: usize = 256;
/// So many questions are looked into at once.
const QUESTIONS: usize = 256;

/// What a job may touch. One for each process.
pub(crate) struct Context {
    pub(crate) config: Arc<Config>,
    pub(crate) store: Store,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) resolver: Resolver,
    /// What the lease table calls this process.
    pub(crate) holder: String,
    /// Work that costs, each kind with permits of its own: long builds or a repository host that hangs must
    /// not stop plain starts. Following a hook costs nothing and takes no permit.
    pub(crate) starts: Semaphore,
    /// Resolving and cloning.
    pub(crate) fetches: Semaphore,
    /// Pulling and building.
    pub(crate) builds: Semaphore,
    /// Resolving for questions, each of which somebody waits for.
    pub(crate) questions: Semaphore,
    /// Workspaces with hooks that stay, each of which holds connections to the engine for as long as it is followed.
    pub(crate) staying: Arc<Semaphore>,
    /// Rung when something may have come to be of no use.
    pub(crate) untidy: Notify,
    tools: tokio::sync::Mutex<Option<Vec<ToolMount>>>,
    owners: Mutex<HashMap<String, Owner>>,
    driven: Mutex<HashMap<WorkspaceId, Arc<AtomicBool>>>,
    handed: Mutex<HashMap<WorkspaceId, Handing>>,
    /// Starts of containers in which no hook is left to follow.
    quiet: Mutex<HashMap<WorkspaceId, DateTime<Utc>>>,
}

/// The start of a container that was handed credentials, and for how many repositories.
pub(crate) type Handing = (InstanceId, DateTime<Utc>, usize);

impl Context {
    pub(crate) fn new(config: Arc<Config>, store: Store, runtime: Arc<dyn Runtime>, resolver: Resolver) -> Self {
        let permits = usize::try_from(config.worker.concurrency).unwrap_or(1).max(1);
        Self {
            holder: format!("worker-{}-{}", std::process::id(), &uuid::Uuid::new_v4().simple().to_string()[..8]),
            starts: Semaphore::new(permits),
            fetches: Semaphore::new(permits),
            builds: Semaphore::new(permits),
            questions: Semaphore::new(QUESTIONS),
            staying: Arc::new(Semaphore::new(STAYING)),
            untidy: Notify::new(),
            tools: tokio::sync::Mutex::default(),
            owners: Mutex::default(),
            driven: Mutex::default(),
            handed: Mutex::default(),
            quiet: Mutex::default(),
            config,
            store,
            runtime,
            resolver,
        }
    }

    /// The tools to mount, as the runtime last named them.
    pub(crate) async fn tools(&self) -> Result<Vec<ToolMount>, RuntimeError> {
        let mut known = self.tools.lock().await;
        if let Some(tools) = &*known {
            return Ok(tools.clone());
        }
        let tools = self.runtime.tools().await?;
        *known = Some(tools.clone());
        Ok(tools)
    }

    /// Asks the runtime again the next time; something that mounts them failed.
    pub(crate) async fn forget_tools(&self) {
        *self.tools.lock().await = None;
    }

    /// Whose a checkout is, as learnt from an image before.
    pub(crate) fn owner(&self, key: &str) -> Option<Owner> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    pub(crate) fn learn_owner(&self, key: String, owner: Owner) {
        learn(&self.owners, key, owner);
    }

    /// Whether a container was handed these credentials already. Who does not know hands them over once more,
    /// which harms nobody.
    pub(crate) fn was_handed(&self, id: WorkspaceId, handing: &Handing) -> bool {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner).get(&id) == Some(handing)
    }

    pub(crate) fn remember_handing(&self, id: WorkspaceId, handing: Handing) {
        learn(&self.handed, id, handing);
    }

    /// Whether no hook is left to follow in this start of a container, as was seen before.
    pub(crate) fn is_quiet(&self, id: WorkspaceId, started_at: DateTime<Utc>) -> bool {
        self.quiet.lock().unwrap_or_else(PoisonError::into_inner).get(&id) == Some(&started_at)
    }

    pub(crate) fn fell_quiet(&self, id: WorkspaceId, started_at: DateTime<Utc>) {
        learn(&self.quiet, id, started_at);
    }

    /// The variables of this process that configurations may read.
    pub(crate) fn local_env(&self) -> BTreeMap<String, String> {
        let allowed = self.config.policy.local_env.iter();
        allowed.filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect()
    }

    /// Says that this process drives a workspace, until the guard is dropped.
    pub(crate) fn driving(&self, id: WorkspaceId) -> Driving<'_> {
        let stirred = Arc::new(AtomicBool::new(false));
        self.driven.lock().unwrap_or_else(PoisonError::into_inner).insert(id, stirred.clone());
        Driving { context: self, id, stirred }
    }

    /// Tells the driver of a workspace, if it is driven here, that its container changed.
    pub(crate) fn stir(&self, id: WorkspaceId) -> bool {
        let driven = self.driven.lock().unwrap_or_else(PoisonError::into_inner);
        driven.get(&id).inspect(|stirred| stirred.store(true, Ordering::Release)).is_some()
    }

    /// Rings for a workspace. The sweeper rings again should this fail.
    pub(crate) async fn nudge(&self, id: WorkspaceId) {
        if let Err(error) = self.store.queue().nudge(Job::Drive { workspace: id }).await {
            tracing::warn!(workspace.id = %id, error = %report::chain(&error), "the queue was not rung");
        }
    }

    /// How long a lease lasts.
    pub(crate) fn ttl(&self) -> Duration {
        Duration::from_secs(self.config.worker.lease_seconds.max(1).into())
    }
}

/// Remembers what can be found out again. Over a long life it becomes much: forgetting all costs one look each.
fn learn<K: Eq + Hash, V>(known: &Mutex<HashMap<K, V>>, key: K, value: V) {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() > 10_000 {
        known.clear();
    }
    known.insert(key, value);
}

/// This process drives the workspace.
pub(crate) struct Driving<'a> {
    context: &'a Context,
    id: WorkspaceId,
    stirred: Arc<AtomicBool>,
}

impl Driving<'_> {
    /// Whether its container changed since this was last asked.
    pub(crate) fn take_stirred(&self) -> bool {
        self.stirred.swap(false, Ordering::AcqRel)
    }
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        let mut driven = self.context.driven.lock().unwrap_or_else(PoisonError::into_inner);
        if driven.get(&self.id).is_some_and(|flag| Arc::ptr_eq(flag, &self.stirred)) {
            driven.remove(&self.id);
        }
    }
}
