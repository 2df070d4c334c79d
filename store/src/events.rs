//! The append-only story of each workspace.

use futures::stream::BoxStream;
use futures::{StreamExt as _, stream};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use steading_core::WorkspaceId;
use steading_core::event::{EventKind, WorkspaceEvent};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::Store;
use crate::connect::{Database, moment};
use crate::error::StoreError;
use crate::feed::{Feed, Ring};
use crate::rows::{event, workspace};

/// The most that one read gives.
const LARGEST: u64 = 1000;
/// So many of each workspace's newest events are kept.
const KEPT: u64 = 1000;

/// What happened.
#[derive(Debug, Clone, Copy)]
pub struct Events<'a> {
    pub(crate) store: &'a Store,
}

impl Events<'_> {
    /// Events after a number, oldest first: of one workspace or of all; at most 1,000 at a time.
    pub async fn since(
        &self,
        workspace: Option<WorkspaceId>,
        after: i64,
        limit: u64,
    ) -> Result<Vec<WorkspaceEvent>, StoreError> {
        let mut query = event::Entity::find().filter(event::Column::Seq.gt(after));
        if let Some(id) = workspace {
            query = query.filter(event::Column::WorkspaceId.eq(id.uuid()));
        }
        let rows = query.order_by_asc(event::Column::Seq).limit(limit.min(LARGEST));
        rows.all(&self.store.inner.database.reader).await?.into_iter().map(read).collect()
    }

    /// The newest event about a hook of a workspace: one that started or one that ended.
    pub async fn last_hook(&self, id: WorkspaceId) -> Result<Option<WorkspaceEvent>, StoreError> {
        let is_hook = event::Column::Kind.starts_with(r#"{"event":"hook-"#);
        let query = event::Entity::find().filter(event::Column::WorkspaceId.eq(id.uuid())).filter(is_hook);
        let newest = query.order_by_desc(event::Column::Seq).one(&self.store.inner.database.reader).await?;
        newest.map(read).transpose()
    }

    /// Appends notes to a story without holding the workspace's lease; gives the number of the last one.
    pub async fn append(&self, id: WorkspaceId, kinds: Vec<EventKind>) -> Result<Option<i64>, StoreError> {
        let inner = &self.store.inner;
        let tx = inner.database.write().await?;
        if !exists(&tx, id).await? {
            return Err(StoreError::NotFound);
        }
        let now = inner.database.clock(&tx).await?;
        let last = append(&inner.database, &tx, id, now, &kinds).await?;
        let ring = Ring { workspace: Some(id), event: last };
        let ring = inner.bell.write(&inner.database, &tx, now, ring).await?;
        inner.bell.commit(tx, ring).await?;
        Ok(last)
    }

    /// Everything after a number, then everything that happens, without gaps or doubles. Resume it after
    /// the last number seen. It ends when the workspace is gone, or with an error of the database.
    #[must_use]
    pub fn tail(
        &self,
        workspace: Option<WorkspaceId>,
        after: i64,
    ) -> BoxStream<'static, Result<WorkspaceEvent, StoreError>> {
        // Listening starts before the first read, so that nothing falls between the two.
        let tail = Tail { bell: self.store.feed().subscribe(), store: self.store.clone(), workspace, after };
        let batches = stream::unfold(Some(tail), |tail| async move {
            let mut tail = tail?;
            match tail.next().await {
                Ok(None) => None,
                Ok(Some(batch)) => Some((batch.into_iter().map(Ok).collect(), Some(tail))),
                Err(error) => Some((vec![Err(error)], None)),
            }
        });
        batches.flat_map(stream::iter).boxed()
    }
}

/// Forgets the oldest events of stories that have become too long. An engine that is away for a week is told
/// of each minute; nobody reads that far back.
pub(crate) async fn prune(database: &Database) -> Result<(), StoreError> {
    let kept = i64::try_from(KEPT).unwrap_or(i64::MAX);
    let long = event::Entity::find().select_only().column(event::Column::WorkspaceId);
    let too_many = sea_orm::ExprTrait::gt(event::Column::Seq.count(), kept);
    let long = long.group_by(event::Column::WorkspaceId).having(too_many);
    for id in long.into_tuple::<uuid::Uuid>().all(&database.reader).await? {
        let of_it = event::Column::WorkspaceId.eq(id);
        let oldest = event::Entity::find().select_only().column(event::Column::Seq).filter(of_it.clone());
        let oldest = oldest.order_by_desc(event::Column::Seq).offset(KEPT).limit(1).into_tuple::<i64>();
        if let Some(seq) = oldest.one(&database.reader).await? {
            let old = event::Entity::delete_many().filter(of_it).filter(event::Column::Seq.lte(seq));
            old.exec(database.writer()).await?;
        }
    }
    Ok(())
}

struct Tail {
    store: Store,
    bell: Receiver<Feed>,
    workspace: Option<WorkspaceId>,
    after: i64,
}

impl Tail {
    /// The next events; `None` once the workspace is gone.
    async fn next(&mut self) -> Result<Option<Vec<WorkspaceEvent>>, StoreError> {
        let mut look = true;
        loop {
            let batch = self.store.events().since(self.workspace, self.after, LARGEST).await?;
            if let Some(last) = batch.last() {
                self.after = last.seq;
                return Ok(Some(batch));
            }
            if look
                && let Some(id) = self.workspace
                && !exists(&self.store.inner.database.reader, id).await?
            {
                return Ok(None);
            }
            look = loop {
                match self.bell.recv().await {
                    Ok(Feed::Event(id, seq)) if seq > self.after && self.is_about(id) => break false,
                    // Nothing may have happened to it but its end.
                    Ok(Feed::Workspace(id)) if self.workspace == Some(id) => break true,
                    Ok(Feed::Lost) | Err(RecvError::Lagged(_)) => break true,
                    Ok(_) => {}
                    // Cannot happen: the store that rings it is held here.
                    Err(RecvError::Closed) => return Ok(None),
                }
            };
        }
    }

    fn is_about(&self, id: WorkspaceId) -> bool {
        self.workspace.is_none_or(|wanted| wanted == id)
    }
}

async fn exists(on: &impl ConnectionTrait, id: WorkspaceId) -> Result<bool, StoreError> {
    let known = workspace::Entity::find_by_id(id.uuid()).select_only().column(workspace::Column::Id);
    Ok(known.into_tuple::<uuid::Uuid>().one(on).await?.is_some())
}

fn read(row: event::Model) -> Result<WorkspaceEvent, StoreError> {
    Ok(WorkspaceEvent {
        seq: row.seq,
        workspace: WorkspaceId::from_uuid(row.workspace_id),
        at: moment(row.at),
        kind: serde_json::from_str(&row.kind)?,
    })
}

/// Appends events in a transaction; gives the number of the last one.
pub(crate) async fn append(
    database: &Database,
    tx: &DatabaseTransaction,
    id: WorkspaceId,
    now: i64,
    kinds: &[EventKind],
) -> Result<Option<i64>, StoreError> {
    let mut last = None;
    if !kinds.is_empty() {
        database.in_order(tx).await?;
    }
    for kind in kinds {
        let row = event::ActiveModel {
            workspace_id: Set(id.uuid()),
            at: Set(now),
            kind: Set(serde_json::to_string(kind)?),
            ..Default::default()
        };
        last = Some(event::Entity::insert(row).exec(tx).await?.last_insert_id);
    }
    Ok(last)
}
