//! The doorbell: apalis over a SQLite file of its own, or over Redis.
//!
//! A nudge rings twice: in this process at once (see [`desk`]), and through apalis for other processes
//! and for the next start of this one. Both carry the same number, so that a ring is answered once.
//!
//! What apalis 1.0 needs to be told, learnt the hard way: worker names are unique per boot; queue names are
//! explicit; `setup` would turn `synchronous` off, so the migrations run without it; an idle worker polls
//! once per heartbeat whatever interval is set; results must be persisted or nothing is ever acknowledged;
//! idempotency keys never expire, so there are none; done jobs stay until they are pruned.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::TaskSink as _;
use apalis_redis::RedisStorage;
use apalis_sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteStorage};
use async_trait::async_trait;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectionTrait as _, SqlxSqliteConnector};
use serde::{Deserialize, Serialize};
use steading_core::config::Config;
use steading_core::queue::{Job, Queue, QueueError};
use uuid::Uuid;

use crate::error::{BoxError, StoreError};

pub(crate) mod desk;
mod jobs;

use desk::Desk;
pub use jobs::Jobs;

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
pub(crate) enum Backend {
    Sqlite(SqliteStorage<Ring>),
    Redis(RedisStorage<Ring>),
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
            let pool = file(&config.server.data_dir.join("queue.db")).await?;
            Backend::Sqlite(SqliteStorage::new(&pool).with_config(sqlite_config()))
        } else {
            let redis = apalis_redis::connect(url.as_str()).await.map_err(StoreError::unavailable)?;
            Backend::Redis(RedisStorage::new(redis).with_config(redis_config(installation)))
        };
        Ok(Self { backend, desk: Arc::new(Desk::default()) })
    }

    async fn push(&self, ring: Ring) -> Result<(), BoxError> {
        match &self.backend {
            Backend::Sqlite(storage) => storage.clone().push(ring).await.map_err(Into::into),
            Backend::Redis(storage) => storage.clone().push(ring).await.map_err(Into::into),
        }
    }

    /// Forgets jobs that were done, and workers that are gone.
    pub(crate) async fn prune(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(storage) => {
                let queue = SqlxSqliteConnector::from_sqlx_sqlite_pool(storage.pool().clone());
                queue.execute_unprepared(DONE_JOBS).await?;
                queue.execute_unprepared(GONE_WORKERS).await?;
                Ok(())
            }
            Backend::Redis(storage) => {
                let mut storage = storage.clone();
                let config = storage.get_config().clone();
                forget_done(storage.get_connection(), &config).await.map_err(StoreError::unavailable)
            }
        }
    }
}

const DONE_JOBS: &str = "DELETE FROM Jobs WHERE status IN ('Done', 'Killed') \
     OR (status = 'Failed' AND attempts >= max_attempts)";
const GONE_WORKERS: &str = "DELETE FROM Workers WHERE last_seen < strftime('%s', 'now') - 3600 \
     AND id NOT IN (SELECT lock_by FROM Jobs WHERE lock_by IS NOT NULL)";

/// apalis keeps what was done for ever, and its own `vacuum` forgets jobs that are to be tried again.
async fn forget_done(
    redis: &mut apalis_redis::ConnectionManager,
    config: &apalis_redis::Config,
) -> Result<(), redis::RedisError> {
    let (data, meta) = (config.job_data_hash(), config.job_meta_hash());
    for set in [config.done_jobs_set(), config.dead_jobs_set()] {
        loop {
            let ids: Vec<String> = redis::cmd("SPOP").arg(&set).arg(500).query_async(redis).await?;
            if ids.is_empty() {
                break;
            }
            let mut pipe = redis::pipe();
            pipe.cmd("HDEL").arg(&data).arg(&ids).ignore();
            pipe.cmd("HDEL").arg(format!("{meta}:result")).arg(&ids).ignore();
            for id in &ids {
                pipe.cmd("DEL").arg(format!("{meta}:{id}")).ignore();
            }
            pipe.query_async::<()>(redis).await?;
        }
    }
    Ok(())
}

/// The queue's own file: its many small writes never wait for those of records, nor the reverse.
async fn file(path: &Path) -> Result<SqlitePool, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(10))
        .pragma("cache_size", "-2000")
        .pragma("journal_size_limit", "16777216");
    let pool = SqlitePoolOptions::new().max_connections(2).test_before_acquire(false).connect_with(options);
    let pool = pool.await.map_err(StoreError::unavailable)?;
    SqliteStorage::migrations().run(&pool).await.map_err(StoreError::unavailable)?;
    Ok(pool)
}

fn sqlite_config() -> apalis_sqlite::Config {
    apalis_sqlite::Config::default().queue("steading").heartbeat_interval(HEARTBEAT).missed_heartbeats(MISSED)
}

/// Several installations may share one Redis.
fn redis_config(installation: &str) -> apalis_redis::Config {
    apalis_redis::Config::default()
        .queue(format!("steading:{installation}"))
        .heartbeat_interval(HEARTBEAT)
        .missed_heartbeats(MISSED)
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
