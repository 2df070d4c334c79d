//! Tells this process what changed: its own writes at once, those of other processes soon after.
//!
//! Every write that others should know of leaves a row in the `bell` table, in the same transaction. A
//! tailer reads them and skips the ones this process wrote itself. Rows are dropped after ten minutes: a
//! tailer that could not read for long says [`Feed::Lost`].

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use steading_core::WorkspaceId;
use tokio::sync::broadcast;

use crate::Inner;
use crate::connect::Database;
use crate::error::StoreError;
use crate::rows::bell;

/// Receivers that fall behind by so many rings are told so by `broadcast` and look at everything.
const CAPACITY: usize = 4096;
/// How often rings of other processes are looked for on SQLite, where nobody can be told.
const POLL: Duration = Duration::from_secs(1);
/// After so long without an answer, rings may have been dropped unread.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long rings are kept.
pub(crate) const KEPT: Duration = Duration::from_secs(600);
const BATCH: u64 = 1000;
/// The Postgres channel on which a commit wakes the tailers of other processes.
const CHANNEL: &str = "steading_bell";

/// Something changed. A reason to look, never a fact by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// The record of this workspace changed, or is gone.
    Workspace(WorkspaceId),
    /// Events of this workspace were appended; this is the number of the last one.
    Event(WorkspaceId, i64),
    /// Some sign-in was revoked.
    Entries,
    /// Changes may have been missed: look at everything.
    Lost,
}

/// The in-process bell.
#[derive(Debug, Clone)]
pub struct Bell {
    sender: broadcast::Sender<Feed>,
    origin: String,
    /// Own rings that were heard here and that the tailer has not seen yet. A write whose future is
    /// dropped while it commits is not among them, and the tailer rings for it.
    heard: Arc<Mutex<BTreeSet<i64>>>,
}

/// What a write tells the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ring {
    /// Absent when sign-ins changed.
    pub(crate) workspace: Option<WorkspaceId>,
    /// The last event that was appended with it.
    pub(crate) event: Option<i64>,
}

/// A ring that is part of a transaction.
#[derive(Debug)]
#[must_use]
pub(crate) struct Written {
    seq: i64,
    ring: Ring,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::Sender::new(CAPACITY),
            origin: uuid::Uuid::now_v7().simple().to_string(),
            heard: Arc::default(),
        }
    }

    /// Hears everything that rings from now on. A receiver that lags should look at everything it knows.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Feed> {
        self.sender.subscribe()
    }

    fn heard(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves the ring for other processes, as part of a transaction.
    pub(crate) async fn write(
        &self,
        database: &Database,
        tx: &DatabaseTransaction,
        now: i64,
        ring: Ring,
    ) -> Result<Written, StoreError> {
        database.in_order(tx).await?;
        let row = bell::ActiveModel {
            origin: Set(self.origin.clone()),
            workspace_id: Set(ring.workspace.map(WorkspaceId::uuid)),
            event_seq: Set(ring.event),
            at: Set(now),
            ..Default::default()
        };
        let seq = bell::Entity::insert(row).exec(tx).await?.last_insert_id;
        database.notify(tx, CHANNEL).await?;
        Ok(Written { seq, ring })
    }

    /// Commits a transaction and rings in this process.
    pub(crate) async fn commit(&self, tx: DatabaseTransaction, written: Written) -> Result<(), StoreError> {
        tx.commit().await?;
        self.heard().insert(written.seq);
        self.ring(written.ring);
        Ok(())
    }

    fn ring(&self, ring: Ring) {
        // Nobody listening is no error.
        match (ring.workspace, ring.event) {
            (Some(id), event) => {
                let _ = self.sender.send(Feed::Workspace(id));
                if let Some(seq) = event {
                    let _ = self.sender.send(Feed::Event(id, seq));
                }
            }
            (None, _) => {
                let _ = self.sender.send(Feed::Entries);
            }
        }
    }
}

/// The number of the newest ring.
pub(crate) async fn newest(database: &Database) -> Result<i64, StoreError> {
    let seq: Option<Option<i64>> = bell::Entity::find()
        .select_only()
        .column_as(bell::Column::Seq.max(), "seq")
        .into_tuple()
        .one(&database.reader)
        .await?;
    Ok(seq.flatten().unwrap_or_default())
}

/// Follows the rings of other processes for as long as the store is in use.
pub(crate) async fn tail(store: Weak<Inner>, cursor: i64) {
    let Some(inner) = store.upgrade() else { return };
    let mut waker = inner.database.waker(CHANNEL, POLL).await;
    drop(inner);
    let mut tailer = Tailer { cursor, unsure: Vec::new() };
    let mut answered = Instant::now();
    let mut failing = false;
    loop {
        // Rings of our own that nobody heard are looked at once more, a little later.
        let patience = if tailer.unsure.is_empty() { Duration::MAX } else { POLL };
        let _ = tokio::time::timeout(patience, waker.wait()).await;
        let Some(inner) = store.upgrade() else { return };
        match tailer.read(&inner).await {
            Ok(()) => {
                if answered.elapsed() > PATIENCE {
                    let _ = inner.bell.sender.send(Feed::Lost);
                }
                (answered, failing) = (Instant::now(), false);
            }
            Err(error) => {
                if !failing {
                    let error = steading_core::report::chain(&error);
                    tracing::warn!(%error, "changes of other processes cannot be read for now");
                }
                failing = true;
                drop(inner);
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

struct Tailer {
    cursor: i64,
    /// Rings of our own that were not heard here when they were seen: they are about to be, or the write
    /// was dropped while it committed.
    unsure: Vec<(i64, Ring)>,
}

impl Tailer {
    async fn read(&mut self, inner: &Inner) -> Result<(), StoreError> {
        let bell = &inner.bell;
        for (seq, ring) in self.unsure.drain(..) {
            if !bell.heard().remove(&seq) {
                bell.ring(ring);
            }
        }
        loop {
            let rows = bell::Entity::find()
                .filter(bell::Column::Seq.gt(self.cursor))
                .order_by_asc(bell::Column::Seq)
                .limit(BATCH)
                .all(&inner.database.reader)
                .await?;
            for row in &rows {
                self.cursor = row.seq;
                let ring = Ring { workspace: row.workspace_id.map(WorkspaceId::from_uuid), event: row.event_seq };
                if row.origin != bell.origin {
                    bell.ring(ring);
                } else if !bell.heard().remove(&row.seq) {
                    self.unsure.push((row.seq, ring));
                }
            }
            if rows.len() < BATCH as usize {
                return Ok(());
            }
        }
    }
}
