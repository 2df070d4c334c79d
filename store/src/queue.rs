//! The doorbell: apalis over a SQLite file of its own, or over Redis.
//!
//! A nudge rings twice: in this process at once (see [`desk`]), and through apalis for other processes
//! and for the next start of this one. Both carry the same number, so that a ring is answered once.
//!
//! What apalis 1.0 needs to be told, learnt the hard way: worker names are unique per boot; queue names are
//! explicit; `setup` would turn `synchronous` off, so the migrations run without it; an idle worker polls
//! once per heartbeat whatever interval is set; results must be persisted or nothing is ever acknowledged;
//! idempotency keys never expire, so there are none; done jobs stay until they are pruned.

use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::TaskSink as _;
use apalis_sqlite::SqliteStorage;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use steading_core::config::Config;
use steading_core::queue::{Job, Queue, QueueError};
use uuid::Uuid;

use crate::error::{BoxError, StoreError};

pub(crate) mod desk;
mod in_file;
mod in_redis;
mod jobs;

use desk::Desk;
use in_redis::InRedis;
pub use jobs::{Jobs, Turn};

/// How often a worker says that it lives, and how often an idle one looks for rings of other processes.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// After so many silent heartbeats a worker is dead and its jobs go to others.
const MISSED: usize = 8;

/// A ring as it travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ring {
    pub(crate) id: Uuid,
    pub(crate) job: Job,
}

/// Where rings are kept until somebody has answered them.
#[derive(Debug)]
enum Backend {
    Sqlite(SqliteStorage<Ring>),
    Redis(Box<InRedis>),
}

/// Rings workers, here and elsewhere.
#[derive(Debug)]
pub(crate) struct Ringer {
    backend: Backend,
    desk: Arc<Desk>,
}

impl Ringer {
    /// Opens the configured queue.
    pub(crate) async fn open(config: &Config, installation: &str) -> Result<Self, StoreError> {
        let url = config.queue.url.reveal();
        let backend = if url.is_empty() {
            Backend::Sqlite(in_file::open(&config.server.data_dir.join("queue.db")).await?)
        } else {
            let redis = InRedis::open(url, installation).await.map_err(StoreError::unavailable)?;
            Backend::Redis(Box::new(redis))
        };
        Ok(Self { backend, desk: Arc::new(Desk::default()) })
    }

    async fn push(&self, ring: Ring) -> Result<(), BoxError> {
        match &self.backend {
            Backend::Sqlite(storage) => storage.clone().push(ring).await.map_err(Into::into),
            Backend::Redis(redis) => {
                redis.storage.clone().push(ring).await?;
                redis.wake().await;
                Ok(())
            }
        }
    }

    /// Forgets jobs that were done, and workers that are gone.
    pub(crate) async fn prune(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(storage) => Ok(in_file::prune(storage).await?),
            Backend::Redis(redis) => redis.prune().await.map_err(StoreError::unavailable),
        }
    }
}

#[async_trait]
impl Queue for Ringer {
    async fn nudge(&self, job: Job) -> Result<(), QueueError> {
        let ring = Ring { id: Uuid::now_v7(), job };
        let heard = self.desk.ring(ring);
        if heard == desk::Heard::Coalesced {
            return Ok(());
        }
        match self.push(ring).await {
            Err(error) if heard == desk::Heard::Here => {
                tracing::warn!(%error, "the queue does not answer; only this process knows of the job");
                Ok(())
            }
            pushed => pushed.map_err(QueueError),
        }
    }
}
