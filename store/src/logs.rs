//! The output of steps, kept outside the database that holds leases.
//!
//! Output may come faster than any disk and be of any size: writers never wait, memory is bounded, and of
//! each workspace the newest 32 MiB are kept. Lines count up from 1 for the life of a workspace, across
//! restarts, so that a reader resumes where it was.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use steading_core::WorkspaceId;
use steading_core::log::{LogLine, LogSink};

use crate::error::StoreError;

mod files;
mod line;
mod segment;
mod tail;
mod writer;

/// Where output is kept. Files are one way; a database-backed one fits as well.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// Where a workspace's output goes. All sinks of one workspace write to one log.
    fn sink(&self, id: WorkspaceId) -> Arc<dyn LogSink>;
    /// Lines after a number, oldest first.
    async fn read(&self, id: WorkspaceId, after_seq: u64, limit: usize) -> Result<Vec<LogLine>, StoreError>;
    /// Lines after a number, then new ones as they are written, without gaps or doubles.
    fn tail(&self, id: WorkspaceId, after_seq: u64) -> BoxStream<'static, LogLine>;
    /// Returns once everything that was written so far can be read.
    async fn flush(&self, id: WorkspaceId) -> Result<(), StoreError>;
    /// The right to follow what goes on by itself, unless somebody has it.
    async fn follower(&self, id: WorkspaceId) -> Result<Option<Follower>, StoreError>;
    /// How far a source is in the log.
    async fn upto(&self, id: WorkspaceId, source: &str) -> Result<Option<u64>, StoreError>;
    /// The workspaces of which there is output.
    async fn list(&self) -> Result<Vec<WorkspaceId>, StoreError>;
    /// Forgets a workspace's output.
    async fn remove(&self, id: WorkspaceId) -> Result<(), StoreError>;
}

/// The right to pass on the output of what goes on by itself in a workspace, so that each line of it comes into
/// the log once. One process at a time has it, and it ends with that process at the latest.
#[derive(Debug)]
pub struct Follower(#[expect(dead_code, reason = "it is held, and its lock with it")] std::fs::File);

/// The output of steps.
#[derive(Clone)]
pub struct Logs(Arc<dyn LogStore>);

impl std::fmt::Debug for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Logs")
    }
}

impl Logs {
    /// Logs in files below a folder.
    pub(crate) fn files(folder: PathBuf) -> Self {
        Self(Arc::new(files::Files::new(folder)))
    }

    /// Where a workspace's output goes. Call it where output begins; the sink may be kept and shared.
    #[must_use]
    pub fn sink(&self, id: WorkspaceId) -> Arc<dyn LogSink> {
        self.0.sink(id)
    }

    /// Lines after a number, oldest first. Where lines were dropped because there were too many, the first
    /// one says so.
    pub async fn read(&self, id: WorkspaceId, after_seq: u64, limit: usize) -> Result<Vec<LogLine>, StoreError> {
        self.0.read(id, after_seq, limit).await
    }

    /// Lines after a number, then new ones as they are written by any process that shares the data
    /// folder, without gaps or doubles. Ends when the log is removed.
    #[must_use]
    pub fn tail(&self, id: WorkspaceId, after_seq: u64) -> BoxStream<'static, LogLine> {
        self.0.tail(id, after_seq)
    }

    /// Returns once everything that this process wrote so far can be read.
    pub async fn flush(&self, id: WorkspaceId) -> Result<(), StoreError> {
        self.0.flush(id).await
    }

    /// The right to follow what goes on by itself in a workspace; `None` while somebody else has it, in this
    /// process or in another one that shares the data folder. [`Logs::flush`] before giving it up: who comes
    /// next goes on after what can be read.
    pub async fn follower(&self, id: WorkspaceId) -> Result<Option<Follower>, StoreError> {
        self.0.follower(id).await
    }

    /// How many bytes of a source are in the log, as its newest [`steading_core::log::Mark`] says; `None`
    /// if nothing of it is there. Looks through all that is kept in the worst case.
    pub async fn upto(&self, id: WorkspaceId, source: &str) -> Result<Option<u64>, StoreError> {
        self.0.upto(id, source).await
    }

    /// The workspaces of which there is output, in no order.
    pub(crate) async fn list(&self) -> Result<Vec<WorkspaceId>, StoreError> {
        self.0.list().await
    }

    /// Forgets a workspace's output.
    pub async fn remove(&self, id: WorkspaceId) -> Result<(), StoreError> {
        self.0.remove(id).await
    }
}
