//! What the database says of hosts and cookies, kept at hand.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use steading_core::access::Principal;
use steading_core::route::Host;
use steading_core::routes::{Route, Routes, RoutesError, Stale};
use steading_core::{Secret, Slug, WorkspaceId};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::cache::{Cache, Patience, Unanswered};

/// Answers kept of each kind.
const MOST: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Questions put to the database at once: a flood of made-up cookies must not drown it.
const AT_ONCE: usize = 64;

/// Somebody who was asked to look at a workspace is given so long before they are asked again.
const DOUBT: Duration = Duration::from_secs(3);

/// Routes and entries, cached.
pub struct Directory {
    routes: Arc<dyn Routes>,
    by_slug: Cache<Slug, Option<Arc<Route>>>,
    /// By the hash of host label and cookie, so that cookies are not kept.
    by_cookie: Cache<[u8; 32], Option<Principal>>,
    gate: Semaphore,
    patience: Patience,
    revoked: watch::Sender<()>,
    /// Whom somebody was asked to look at lately.
    doubted: Mutex<HashMap<WorkspaceId, Instant>>,
}

impl Directory {
    /// Starts listening for what no longer holds, until the directory is dropped. `changed` is told of
    /// each workspace that changed, or of `None` for all.
    pub fn new(routes: Arc<dyn Routes>, changed: impl Fn(Option<WorkspaceId>) + Send + 'static) -> Arc<Self> {
        let patience = Patience::default();
        let directory = Arc::new(Self {
            by_slug: Cache::new(MOST, patience),
            by_cookie: Cache::new(MOST, patience),
            gate: Semaphore::new(AT_ONCE),
            patience,
            revoked: watch::Sender::new(()),
            doubted: Mutex::default(),
            routes,
        });
        let mut stale = directory.routes.stale();
        let weak: Weak<Self> = Arc::downgrade(&directory);
        tokio::spawn(async move {
            while let Some(stale) = stale.next().await {
                let Some(directory) = weak.upgrade() else { break };
                directory.void(&stale);
                match stale {
                    Stale::Workspace(id) => changed(Some(id)),
                    Stale::Everything => changed(None),
                    Stale::Entries => {}
                }
            }
        });
        directory
    }

    fn void(&self, stale: &Stale) {
        match stale {
            Stale::Workspace(id) => self.by_slug.forget(|r| r.as_ref().is_none_or(|r| r.workspace == *id)),
            Stale::Entries => {
                self.by_cookie.forget(|_| true);
                self.revoked.send_replace(());
            }
            Stale::Everything => {
                self.by_slug.doubt();
                self.by_cookie.doubt();
                self.revoked.send_replace(());
            }
        }
    }

    /// Changes whenever somebody may have lost the right to be where they are.
    pub fn revoked(&self) -> watch::Receiver<()> {
        self.revoked.subscribe()
    }

    /// Where a workspace's host leads.
    pub async fn find(&self, slug: &Slug) -> Result<Option<Arc<Route>>, Unanswered> {
        let ask = async {
            let _gate = self.gate.acquire().await;
            Ok::<_, RoutesError>(self.routes.find(slug).await.inspect_err(report)?.map(Arc::new))
        };
        self.by_slug.get(slug, ask).await
    }

    /// Who a cookie stands for on a host.
    pub async fn entry(&self, cookie: &str, label: &str) -> Result<Option<Principal>, Unanswered> {
        let mut hash = Sha256::new();
        hash.update(label.as_bytes());
        hash.update([0]);
        hash.update(cookie.as_bytes());
        let ask = async {
            let _gate = self.gate.acquire().await;
            self.routes.entry(cookie, label).await.inspect_err(report)
        };
        self.by_cookie.get(&hash.finalize().into(), ask).await
    }

    /// Trades a ticket for a cookie. Never cached: it works once.
    pub async fn redeem(&self, ticket: &str, label: &str) -> Result<Option<Secret<String>>, Unanswered> {
        match timeout(self.patience.first, self.routes.redeem(ticket, label)).await {
            Ok(Ok(cookie)) => Ok(cookie),
            Ok(Err(error)) => {
                report(&error);
                Err(Unanswered)
            }
            Err(_) => Err(Unanswered),
        }
    }

    /// Notes that somebody opened a workspace, in the background: nobody waits for it.
    pub fn entered(self: &Arc<Self>, host: &Host) {
        let Some(slug) = host.slug().cloned() else { return };
        let directory = Arc::clone(self);
        tokio::spawn(async move {
            let Ok(Some(route)) = directory.find(&slug).await else { return };
            if let Err(error) = directory.routes.entered(route.workspace, chrono::Utc::now()).await {
                report(&error);
            }
        });
    }

    /// Says in the background that a container was not as the record has it; not with every request.
    pub fn doubt(&self, id: WorkspaceId) {
        {
            let mut doubted = self.doubted.lock().unwrap_or_else(PoisonError::into_inner);
            doubted.retain(|_, at| at.elapsed() < DOUBT);
            if doubted.contains_key(&id) {
                return;
            }
            doubted.insert(id, Instant::now());
        }
        let routes = Arc::clone(&self.routes);
        tokio::spawn(async move { routes.doubt(id).await });
    }
}

fn report(error: &RoutesError) {
    tracing::warn!(error = %error, "a look-up for the gateway failed");
}
