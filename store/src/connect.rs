//! Opens the database: a SQLite file with one writer and many readers, or a Postgres pool.
//!
//! The repositories are written once. What differs between the two is kept here: how the clock is read,
//! how a writing transaction begins, and how appends are put in order.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use sea_orm::sea_query::Expr;
use sea_orm::sqlx::sqlite::{SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, Connection as _};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, ExprTrait as _,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _,
};
use sea_orm_migration::MigratorTrait as _;
use steading_core::config::Config;

use crate::error::StoreError;
use crate::migrations::Migrator;

mod waker;

/// How long a SQLite writer of one process waits for that of another.
const BUSY: Duration = Duration::from_secs(10);
/// Read connections to a SQLite file; WAL lets them run beside the writer.
const SQLITE_READERS: u32 = 4;
/// Names our locks among all advisory locks of a Postgres server: "stea".
const POSTGRES_LOCK: i64 = 0x7374_6561;

/// Connections to the database.
#[derive(Debug)]
pub(crate) struct Database {
    /// For single reads. On SQLite these connections refuse to write.
    pub(crate) reader: DatabaseConnection,
    writer: DatabaseConnection,
}

impl Database {
    /// Opens the configured database and brings its tables up to date.
    pub(crate) async fn open(config: &Config) -> Result<Self, StoreError> {
        let url = config.database.url.reveal();
        let database = if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let pool = sea_orm::Database::connect(postgres(url)).await?;
            Self { reader: pool.clone(), writer: pool }
        } else {
            let url = if url.is_empty() { own_file(&config.server.data_dir)? } else { url.clone() };
            // The writer comes first: it makes the file.
            let writer = sea_orm::Database::connect(sqlite(&url, 1, false)).await?;
            let reader = sea_orm::Database::connect(sqlite(&url, SQLITE_READERS, true)).await?;
            Self { reader, writer }
        };
        database.migrate(&config.server.data_dir).await?;
        Ok(database)
    }

    /// Whether it is Postgres; SQLite otherwise.
    pub(crate) fn is_postgres(&self) -> bool {
        self.writer.get_database_backend() == DbBackend::Postgres
    }

    /// Begins a transaction that will write. On SQLite it takes the write lock at once, so that it never
    /// has to be repeated because another one was faster.
    pub(crate) async fn write(&self) -> Result<DatabaseTransaction, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: (!self.is_postgres()).then_some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.writer.begin_with_options(options).await?)
    }

    /// The connection for a single write that is a transaction by itself.
    pub(crate) const fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// The database's clock as an expression, in microseconds since 1970. Leases and expiries are decided
    /// by it alone, so that the clocks of several machines need not agree.
    pub(crate) fn now(&self) -> Expr {
        Expr::cust(self.now_sql())
    }

    /// The moment `after` from now, by the database's clock.
    pub(crate) fn later(&self, after: Duration) -> Expr {
        self.now().add(i64::try_from(after.as_micros()).unwrap_or(i64::MAX / 4))
    }

    fn now_sql(&self) -> &'static str {
        if self.is_postgres() {
            "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
        } else {
            "(CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER) * 1000)"
        }
    }

    /// Reads the database's clock, in microseconds since 1970.
    pub(crate) async fn clock(&self, on: &impl ConnectionTrait) -> Result<i64, StoreError> {
        let sql = format!("SELECT {} AS at", self.now_sql());
        let row = on.query_one_raw(Statement::from_string(on.get_database_backend(), sql)).await?;
        let row = row.ok_or_else(|| StoreError::unavailable("the database has no clock"))?;
        Ok(row.try_get("", "at")?)
    }

    /// Makes appends of concurrent transactions visible in the order of their numbers, so that a reader
    /// that resumes after a number misses nothing. SQLite has one writer at a time anyway.
    pub(crate) async fn in_order(&self, on: &DatabaseTransaction) -> Result<(), StoreError> {
        if self.is_postgres() {
            on.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({POSTGRES_LOCK})")).await?;
        }
        Ok(())
    }

    /// Two processes may start at the same time: one migrates, the other waits.
    async fn migrate(&self, data_dir: &Path) -> Result<(), StoreError> {
        if self.is_postgres() {
            let guard = self.write().await?;
            guard.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({})", POSTGRES_LOCK + 1)).await?;
            Migrator::up(&self.writer, None).await?;
            guard.commit().await?;
        } else {
            let path = data_dir.join("migrate.lock");
            let lock = tokio::task::spawn_blocking(move || -> std::io::Result<std::fs::File> {
                let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
                file.lock()?;
                Ok(file)
            });
            let lock = lock.await.map_err(StoreError::unavailable)??;
            Migrator::up(&self.writer, None).await?;
            drop(lock);
        }
        Ok(())
    }
}

/// The URL of our own file, made for our user alone: the sources of workspaces may hold passwords. What
/// SQLite puts beside it gets the same rights.
fn own_file(data_dir: &Path) -> std::io::Result<String> {
    let path = data_dir.join("steading.db");
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
    Ok(file_url(&path))
}

fn file_url(path: &Path) -> String {
    // `%` and `?` have a meaning in a URL.
    let path = path.display().to_string().replace('%', "%25").replace('?', "%3F");
    format!("sqlite://{path}?mode=rwc")
}

fn sqlite(url: &str, connections: u32, reads_only: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(30))
        .sqlx_logging(false)
        .test_before_acquire(false)
        .map_sqlx_sqlite_pool_opts(|pool| pool.after_release(|connection, _| is_sound(connection)))
        .map_sqlx_sqlite_opts(move |options| {
            options
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal)
                .busy_timeout(BUSY)
                .foreign_keys(true)
                .pragma("query_only", if reads_only { "ON" } else { "OFF" })
                .pragma("cache_size", "-4000")
                .pragma("journal_size_limit", "67108864")
                .optimize_on_close(false, None)
        });
    options
}

/// Whether a connection that comes back may be used again. SQLite ends a transaction by itself when the disk
/// is full; the driver, whose own rollback finds none then, goes on to count it, and what it believes to be
/// nested in it would be committed by nobody.
pub(crate) fn is_sound(connection: &mut SqliteConnection) -> BoxFuture<'_, Result<bool, sqlx::Error>> {
    async move {
        if connection.is_in_transaction() {
            // A rollback is on its way, before whatever is asked next.
            connection.ping().await?;
        }
        Ok(!connection.is_in_transaction())
    }
    .boxed()
}

fn postgres(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(16).acquire_timeout(Duration::from_secs(10)).sqlx_logging(false);
    options
}

/// A moment as it is stored: microseconds since 1970.
pub(crate) const fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// A stored moment.
pub(crate) fn moment(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}
