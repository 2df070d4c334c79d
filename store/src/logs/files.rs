//! Logs as files: `{data_dir}/logs/<workspace>/<first line>.log`.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use steading_core::WorkspaceId;
use steading_core::log::{LogLine, LogSink, Silent};

use super::tail::Cursor;
use super::writer::{self, Log, Sink};
use super::{Follower, LogStore, segment};
use crate::error::StoreError;

/// Locked by whoever follows what goes on by itself in the workspace; the kernel lets go when it dies.
const FOLLOWER: &str = "follower";
/// How often a reader looks for what other processes wrote.
const POLL: Duration = Duration::from_millis(500);

/// Logs as files.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    open: Mutex<HashMap<WorkspaceId, Open>>,
}

/// The log of one workspace while somebody writes or reads it.
#[derive(Debug, Default)]
struct Open {
    log: Weak<Log>,
    sink: Weak<Sink>,
}

impl Files {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, open: Mutex::default() }
    }

    fn with_open<T>(&self, id: WorkspaceId, run: impl FnOnce(&mut Open) -> T) -> T {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|known, entry| *known == id || entry.log.strong_count() > 0);
        run(open.entry(id).or_default())
    }

    fn folder(&self, id: WorkspaceId) -> PathBuf {
        self.folder.join(id.to_string())
    }

    fn log(&self, id: WorkspaceId) -> Arc<Log> {
        self.with_open(id, |open| open.log(|| self.folder(id)))
    }
}

impl Open {
    fn log(&mut self, folder: impl FnOnce() -> PathBuf) -> Arc<Log> {
        self.log.upgrade().filter(|log| !log.is_removed()).unwrap_or_else(|| {
            let log = Arc::new(Log::new(folder()));
            *self = Self { log: Arc::downgrade(&log), sink: Weak::new() };
            log
        })
    }
}

#[async_trait]
impl LogStore for Files {
    fn sink(&self, id: WorkspaceId) -> Arc<dyn LogSink> {
        // Output is for reading: outside a runtime there is nobody to write it, and that is no error.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return Arc::new(Silent) };
        self.with_open(id, |open| {
            let log = open.log(|| self.folder(id));
            open.sink.upgrade().unwrap_or_else(|| {
                let sink = Arc::new(Sink(log.clone()));
                open.sink = Arc::downgrade(&sink);
                runtime.spawn(writer::run(log, Arc::downgrade(&sink)));
                sink
            })
        })
    }

    async fn read(&self, id: WorkspaceId, after_seq: u64, limit: usize) -> Result<Vec<LogLine>, StoreError> {
        let folder = self.folder(id);
        let read = tokio::task::spawn_blocking(move || -> std::io::Result<Vec<LogLine>> {
            let mut cursor = Cursor::new(&folder, after_seq);
            let mut lines = Vec::new();
            while lines.len() < limit {
                let more = cursor.next()?;
                if more.is_empty() {
                    break;
                }
                lines.extend(more);
            }
            lines.truncate(limit);
            Ok(lines)
        });
        Ok(read.await.map_err(StoreError::unavailable)??)
    }

    fn tail(&self, id: WorkspaceId, after_seq: u64) -> BoxStream<'static, LogLine> {
        let log = self.log(id);
        let tail = Tail { cursor: Some(Cursor::new(&log.folder, after_seq)), watch: log.watch(), log, seen: false };
        let batches = stream::unfold(tail, |mut tail| async move {
            let lines = tail.next().await?;
            Some((stream::iter(lines), tail))
        });
        batches.flatten().boxed()
    }

    async fn flush(&self, id: WorkspaceId) -> Result<(), StoreError> {
        self.log(id).flush().await;
        Ok(())
    }

    async fn follower(&self, id: WorkspaceId) -> Result<Option<Follower>, StoreError> {
        let path = self.folder(id).join(FOLLOWER);
        let claimed = tokio::task::spawn_blocking(move || -> std::io::Result<Option<File>> {
            let file = match File::options().create(true).truncate(false).write(true).open(path) {
                // Nothing is there to go on with.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                file => file?,
            };
            match file.try_lock() {
                Ok(()) => Ok(Some(file)),
                Err(TryLockError::WouldBlock) => Ok(None),
                Err(TryLockError::Error(error)) => Err(error),
            }
        });
        Ok(claimed.await.map_err(StoreError::unavailable)??.map(Follower))
    }

    async fn upto(&self, id: WorkspaceId, source: &str) -> Result<Option<u64>, StoreError> {
        self.flush(id).await?;
        let (folder, source) = (self.folder(id), source.to_owned());
        let found = tokio::task::spawn_blocking(move || segment::upto(&folder, &source));
        Ok(found.await.map_err(StoreError::unavailable)??)
    }

    async fn list(&self) -> Result<Vec<WorkspaceId>, StoreError> {
        let folder = self.folder.clone();
        let listed = tokio::task::spawn_blocking(move || -> std::io::Result<Vec<WorkspaceId>> {
            let entries = match std::fs::read_dir(folder) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
                entries => entries?,
            };
            let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            Ok(names.filter_map(|name| name.parse().ok()).collect())
        });
        Ok(listed.await.map_err(StoreError::unavailable)??)
    }

    async fn remove(&self, id: WorkspaceId) -> Result<(), StoreError> {
        self.log(id).close();
        match tokio::fs::remove_dir_all(self.folder(id)).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

struct Tail {
    log: Arc<Log>,
    watch: tokio::sync::watch::Receiver<u64>,
    /// Away while it is at work on the blocking pool.
    cursor: Option<Cursor>,
    /// Whether the log was there at all.
    seen: bool,
}

impl Tail {
    /// The next lines; `None` once the log is gone.
    async fn next(&mut self) -> Option<Vec<LogLine>> {
        loop {
            // Before the look, so that what is written after it is heard.
            self.watch.mark_unchanged();
            let mut cursor = self.cursor.take()?;
            let read = tokio::task::spawn_blocking(move || {
                let lines = cursor.next();
                (cursor, lines)
            });
            let (cursor, lines) = read.await.ok()?;
            self.cursor = Some(cursor);
            match lines {
                Ok(lines) if !lines.is_empty() => {
                    self.seen = true;
                    return Some(lines);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, folder = %self.log.folder.display(), "output cannot be read"),
            }
            // Another process may have removed it.
            if self.log.is_removed() || (self.seen && !self.log.folder.exists()) {
                return None;
            }
            let _ = tokio::time::timeout(POLL, self.watch.changed()).await;
        }
    }
}
