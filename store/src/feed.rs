//! Tells this process what changed: its own writes at once, those of other processes soon after.
//!
//! Every write that others should know of leaves a row in the `bell` table, in the same transaction. A
//! tailer reads them and skips the ones this process wrote itself. Rows are dropped after ten minutes: a
//! tailer that could not read for long says [`Feed::Lost`].

use std::sync::Weak;
use std::time::{Duration, Instant};

use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use steading_core::WorkspaceId;
use tokio::sync::broadcast;

use crate::connect::Database;
use crate::error::StoreError;
use crate::rows::bell;
use crate::{Inner, Store};

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
}

/// What a write tells the others.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ring {
    /// Absent when sign-ins changed.
    pub(crate) workspace: Option<WorkspaceId>,
    /// The last event that was appended with it.
    pub(crate) event: Option<i64>,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self { sender: broadcast::Sender::new(CAPACITY), origin: uuid::Uuid::now_v7().simple().to_string() }
    }

    /// Hears everything that rings from now on. A receiver that lags should look at everything it knows.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Feed> {
        self.sender.subscribe()
    }

    /// Leaves the ring for other processes, as part of a transaction.
    pub(crate) async fn write(
        &self,
        database: &Database,
        tx: &DatabaseTransaction,
        now: i64,
        ring: Ring,
    ) -> Result<(), StoreError> {
        database.in_order(tx).await?;
        let row = bell::ActiveModel {
            origin: Set(self.origin.clone()),
            workspace_id: Set(ring.workspace.map(WorkspaceId::uuid)),
            event_seq: Set(ring.event),
            at: Set(now),
            ..Default::default()
        };
        bell::Entity::insert(row).exec_without_returning(tx).await?;
        database.notify(tx, CHANNEL).await
    }

    /// Rings in this process; call it after the commit.
    pub(crate) fn ring(&self, ring: Ring) {
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
pub(crate) async fn tail(store: Weak<Inner>, mut cursor: i64) {
    let mut answered = Instant::now();
    let mut failing = false;
    let mut waker = match store.upgrade() {
        Some(inner) => inner.database.waker(CHANNEL, POLL).await,
        None => return,
    };
    loop {
        waker.wait().await;
        let Some(inner) = store.upgrade() else { return };
        match read(&Store { inner }, cursor).await {
            Ok(newest) if answered.elapsed() < PATIENCE => {
                (cursor, answered, failing) = (newest, Instant::now(), false)
            }
            Ok(newest) => {
                if let Some(inner) = store.upgrade() {
                    let _ = inner.bell.sender.send(Feed::Lost);
                }
                (cursor, answered, failing) = (newest, Instant::now(), false);
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(error = %steading_core::report::chain(&error), "changes of other processes cannot be read for now");
                }
                failing = true;
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

async fn read(store: &Store, mut cursor: i64) -> Result<i64, StoreError> {
    loop {
        let rows = bell::Entity::find()
            .filter(bell::Column::Seq.gt(cursor))
            .order_by_asc(bell::Column::Seq)
            .limit(BATCH)
            .all(&store.inner.database.reader)
            .await?;
        let bell = &store.inner.bell;
        for row in &rows {
            cursor = row.seq;
            if row.origin != bell.origin {
                bell.ring(Ring { workspace: row.workspace_id.map(WorkspaceId::from_uuid), event: row.event_seq });
            }
        }
        if rows.len() < BATCH as usize {
            return Ok(cursor);
        }
    }
}
