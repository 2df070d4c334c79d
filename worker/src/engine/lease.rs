//! A lease that renews itself for as long as it is held.

use std::time::{Duration, Instant};

use steading_core::report;
use steading_store::{Lease, Store, StoreError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A lease in hand. Dropping it gives the lease back soon; [`Held::release`] does it now.
pub(crate) struct Held {
    store: Store,
    lease: Option<Lease>,
    lost: CancellationToken,
    renewal: JoinHandle<()>,
}

impl Held {
    pub(crate) fn new(store: Store, lease: Lease) -> Self {
        let lost = CancellationToken::new();
        let renewal = tokio::spawn(renew(store.clone(), lease.clone(), lost.clone()));
        Self { store, lease: Some(lease), lost, renewal }
    }

    /// Ends when somebody else may have the lease: whoever acts under it stops.
    pub(crate) fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Gives the lease back; `true` if somebody rang meanwhile.
    pub(crate) async fn release(mut self) -> Result<bool, StoreError> {
        self.renewal.abort();
        match self.lease.take() {
            Some(lease) => self.store.leases().release(lease).await,
            None => Ok(false),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.renewal.abort();
        // Whoever drops it acts no more, so the next driver need not wait for the lease to run out.
        if let (Some(lease), Ok(runtime)) = (self.lease.take(), tokio::runtime::Handle::try_current()) {
            let store = self.store.clone();
            runtime.spawn(async move { store.leases().release(lease).await });
        }
    }
}

async fn renew(store: Store, lease: Lease, lost: CancellationToken) {
    let ttl = lease.ttl();
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(ttl / 3).await;
        let asked = Instant::now();
        let answer = tokio::time::timeout(ttl / 3, store.leases().renew(&lease)).await;
        match answer {
            Ok(Ok(true)) => renewed = asked,
            Ok(Ok(false)) => return lost.cancel(),
            Ok(Err(error)) => {
                tracing::warn!(workspace.id = %lease.workspace(), error = %report::chain(&error), "a lease was not renewed");
            }
            Err(_) => {}
        }
        // Better too early than too late: the database's clock decides when another may take it.
        if renewed.elapsed() + ttl / 6 > ttl.max(Duration::from_millis(1)) {
            return lost.cancel();
        }
    }
}
