//! The queue in a SQLite file of its own: its many small writes never wait for those of records, nor the
//! reverse.

use std::path::Path;
use std::time::Duration;

use apalis_sqlite::{Config, SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteStorage};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectionTrait as _, DbErr, SqlxSqliteConnector};

use super::{HEARTBEAT, MISSED, Ring};
use crate::connect::is_sound;
use crate::error::StoreError;

/// Opens the queue's file.
pub(super) async fn open(path: &Path) -> Result<SqliteStorage<Ring>, StoreError> {
    let pool = connect(path).await.map_err(StoreError::unavailable)?;
    // `setup` would turn `synchronous` off.
    SqliteStorage::migrations().run(&pool).await.map_err(StoreError::unavailable)?;
    Ok(SqliteStorage::new(&pool).with_config(config()))
}

async fn connect(path: &Path) -> Result<SqlitePool, apalis_sqlite::SqlxError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(10))
        .pragma("cache_size", "-2000")
        .pragma("journal_size_limit", "16777216");
    let pool = SqlitePoolOptions::new().max_connections(2).test_before_acquire(false);
    pool.after_release(|connection, _| is_sound(connection)).connect_with(options).await
}

/// How workers and those who ring use it.
pub(super) fn config() -> Config {
    Config::default().queue("steading").heartbeat_interval(HEARTBEAT).missed_heartbeats(MISSED)
}

const DONE_JOBS: &str = "DELETE FROM Jobs WHERE status IN ('Done', 'Killed') \
     OR (status = 'Failed' AND attempts >= max_attempts)";
const GONE_WORKERS: &str = "DELETE FROM Workers WHERE last_seen < strftime('%s', 'now') - 3600 \
     AND id NOT IN (SELECT lock_by FROM Jobs WHERE lock_by IS NOT NULL)";

/// Forgets jobs that were done, and workers that are gone.
pub(super) async fn prune(storage: &SqliteStorage<Ring>) -> Result<(), DbErr> {
    let queue = SqlxSqliteConnector::from_sqlx_sqlite_pool(storage.pool().clone());
    queue.execute_unprepared(DONE_JOBS).await?;
    queue.execute_unprepared(GONE_WORKERS).await?;
    Ok(())
}
