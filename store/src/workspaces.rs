//! The records of workspaces: what their owners want, what has been done.
//!
//! An owner's change of mind is written at any time; everything else is written by the holder of the
//! workspace's lease alone. Each write is one short transaction: record, events and a ring for others.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QuerySelect as _,
};
use steading_core::event::EventKind;
use steading_core::workspace::Change;
use steading_core::{Desired, Slug, Workspace, WorkspaceId};

use crate::Store;
use crate::connect::micros;
use crate::error::{BEING_DELETED, CHANGED, ID_TAKEN, SLUG_TAKEN, StoreError, is_duplicate};
use crate::events;
use crate::feed::Ring;
use crate::leases::Lease;
use crate::rows::{entry, event, port, ticket, tombstone, workspace};

mod document;
mod images;
mod list;
mod settled;
mod story;
mod sweep;

pub(crate) use document::owner;
pub use list::{ListQuery, Page, Summary};

/// How long it is known that there was a workspace. A call that was under way when it was deleted ends long
/// before that.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// The records of workspaces.
#[derive(Debug, Clone, Copy)]
pub struct Workspaces<'a> {
    pub(crate) store: &'a Store,
}

impl Workspaces<'_> {
    /// Keeps a new workspace, with its first event. `Conflict(SLUG_TAKEN)` if another has its name,
    /// `Conflict(ID_TAKEN)` if it was kept before.
    pub async fn insert(&self, ws: &Workspace) -> Result<(), StoreError> {
        let inner = &self.store.inner;
        let tx = inner.database.write().await?;
        let row = document::row(ws)?;
        let known = OnConflict::column(workspace::Column::Id).do_nothing().to_owned();
        match workspace::Entity::insert(row).on_conflict(known).exec_without_returning(&tx).await {
            Ok(0) => return Err(StoreError::Conflict(ID_TAKEN)),
            Ok(_) => {}
            Err(error) if is_duplicate(&error) => return Err(StoreError::Conflict(SLUG_TAKEN)),
            Err(error) => return Err(error.into()),
        }
        let now = inner.database.clock(&tx).await?;
        self.tell(tx, ws.id, now, &[EventKind::Created]).await
    }

    /// One workspace.
    pub async fn load(&self, id: WorkspaceId) -> Result<Workspace, StoreError> {
        let row = workspace::Entity::find_by_id(id.uuid()).one(&self.store.inner.database.reader).await?;
        document::workspace(row.ok_or(StoreError::NotFound)?)
    }

    /// One workspace by its readable name.
    pub async fn by_slug(&self, slug: &Slug) -> Result<Option<Workspace>, StoreError> {
        let rows = workspace::Entity::find().filter(workspace::Column::Slug.eq(slug.as_str()));
        rows.one(&self.store.inner.database.reader).await?.map(document::workspace).transpose()
    }

    /// Its owner wants something else. What failed is forgotten. `Conflict("being-deleted")` if it is to
    /// be deleted: that is never taken back.
    pub async fn want(&self, id: WorkspaceId, desired: Desired) -> Result<Workspace, StoreError> {
        self.change_mind(id, desired, |ws| {
            ws.want(desired);
            Some(EventKind::Wanted { desired, rebuild: false })
        })
        .await
    }

    /// Its owner wants a new container from today's configuration; the volumes stay.
    pub async fn want_rebuild(&self, id: WorkspaceId) -> Result<Workspace, StoreError> {
        self.change_mind(id, Desired::Running, |ws| {
            ws.want_rebuild();
            Some(EventKind::Wanted { desired: Desired::Running, rebuild: true })
        })
        .await
    }

    /// The same from another configuration of the repository, by its path in it.
    pub async fn want_rebuild_from(&self, id: WorkspaceId, config: String) -> Result<Workspace, StoreError> {
        self.change_mind(id, Desired::Running, |ws| {
            ws.want_rebuild_from(config);
            Some(EventKind::Wanted { desired: Desired::Running, rebuild: true })
        })
        .await
    }

    /// Somebody opened it. Only the newest moment counts.
    pub async fn entered(&self, id: WorkspaceId, at: DateTime<Utc>) -> Result<(), StoreError> {
        let inner = &self.store.inner;
        let tx = inner.database.write().await?;
        let Some(row) = workspace::Entity::find_by_id(id.uuid()).lock_exclusive().one(&tx).await? else {
            return Err(StoreError::NotFound);
        };
        if row.entered_at.is_none_or(|known| known < micros(at)) {
            let mut ws = document::workspace(row.clone())?;
            ws.entered_at = Some(at);
            let mut changed = row.into_active_model();
            changed.entered_at = Set(Some(micros(at)));
            changed.settled = Set(settled::is_settled(&ws));
            workspace::Entity::update(changed).exec(&tx).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Records what the holder of the lease has done, with events, as one transaction.
    ///
    /// `LostLease` if the lease is not the newest any more. `Conflict("changed")` if a change belongs to
    /// a rebuild or a generation other than the one in `seen`. In both cases nothing is written.
    ///
    /// A new phase, a failure, a warning and a retry append their own events; do not pass these.
    pub async fn record(
        &self,
        lease: &Lease,
        seen: &Workspace,
        changes: Vec<Change>,
        events: Vec<EventKind>,
    ) -> Result<Workspace, StoreError> {
        let inner = &self.store.inner;
        let tx = inner.database.write().await?;
        let row = fenced(&tx, lease).await?;
        let before = document::workspace(row.clone())?;
        let stale = |change: &Change| {
            (change.is_of_rebuild() && before.rebuilds != seen.rebuilds)
                || (change.is_of_generation() && before.generation != seen.generation)
        };
        if changes.iter().any(stale) {
            return Err(StoreError::Conflict(CHANGED));
        }
        let story = story::of(&before, &changes, events);
        let mut after = before.clone();
        for change in changes {
            after.apply(change);
        }
        if after == before && story.is_empty() {
            return Ok(before);
        }
        let now = inner.database.clock(&tx).await?;
        after.updated_at = crate::connect::moment(now);
        self.rewrite(&tx, row, &after).await?;
        self.tell(tx, after.id, now, &story).await?;
        Ok(after)
    }

    /// Forgets a deleted workspace: record, events, tickets and log. Only that there was one is known for a
    /// day. `Conflict("changed")` if its owner does not want it deleted.
    pub async fn purge(&self, lease: &Lease) -> Result<(), StoreError> {
        let inner = &self.store.inner;
        let tx = inner.database.write().await?;
        let row = fenced(&tx, lease).await?;
        if document::workspace(row.clone())?.desired != Desired::Deleted {
            return Err(StoreError::Conflict(CHANGED));
        }
        workspace::Entity::delete_by_id(row.id).exec(&tx).await?;
        event::Entity::delete_many().filter(event::Column::WorkspaceId.eq(row.id)).exec(&tx).await?;
        port::Entity::delete_many().filter(port::Column::WorkspaceId.eq(row.id)).exec(&tx).await?;
        ticket::Entity::delete_many().filter(ticket::Column::Slug.eq(row.slug.as_str())).exec(&tx).await?;
        entry::Entity::delete_many().filter(entry::Column::Slug.eq(row.slug.as_str())).exec(&tx).await?;
        let now = inner.database.clock(&tx).await?;
        // A repeated request may have made it twice under one id.
        let again = OnConflict::column(tombstone::Column::Id).update_column(tombstone::Column::At).to_owned();
        let stone = tombstone::ActiveModel { id: Set(row.id), at: Set(now) };
        tombstone::Entity::insert(stone).on_conflict(again).exec_without_returning(&tx).await?;
        self.tell(tx, lease.workspace(), now, &[]).await?;
        self.store.logs().remove(lease.workspace()).await
    }

    /// Whether there was such a workspace until its owner had it deleted, within the last day.
    pub async fn was_deleted(&self, id: WorkspaceId) -> Result<bool, StoreError> {
        let stone = tombstone::Entity::find_by_id(id.uuid()).one(&self.store.inner.database.reader).await?;
        Ok(stone.is_some())
    }

    async fn change_mind(
        &self,
        id: WorkspaceId,
        desired: Desired,
        change: impl FnOnce(&mut Workspace) -> Option<EventKind> + Send,
    ) -> Result<Workspace, StoreError> {
        let inner = &self.store.inner;
        let tx = inner.database.write().await?;
        let row = workspace::Entity::find_by_id(id.uuid()).lock_exclusive().one(&tx).await?;
        let row = row.ok_or(StoreError::NotFound)?;
        let mut ws = document::workspace(row.clone())?;
        if ws.desired == Desired::Deleted && desired != Desired::Deleted {
            return Err(StoreError::Conflict(BEING_DELETED));
        }
        let event = change(&mut ws);
        let now = inner.database.clock(&tx).await?;
        ws.updated_at = crate::connect::moment(now);
        self.rewrite(&tx, row, &ws).await?;
        self.tell(tx, id, now, event.as_slice()).await?;
        Ok(ws)
    }

    /// Writes what differs. The lease's columns are not touched.
    async fn rewrite(&self, tx: &DatabaseTransaction, row: workspace::Model, ws: &Workspace) -> Result<(), StoreError> {
        let mut changed = row.into_active_model();
        let full = document::row(ws)?;
        document::take_changes(&mut changed, full);
        if changed.is_changed() {
            workspace::Entity::update(changed).exec(tx).await?;
        }
        Ok(())
    }

    /// Appends events, rings and commits.
    async fn tell(
        &self,
        tx: DatabaseTransaction,
        id: WorkspaceId,
        now: i64,
        story: &[EventKind],
    ) -> Result<(), StoreError> {
        let inner = &self.store.inner;
        let event = events::append(&inner.database, &tx, id, now, story).await?;
        let ring = Ring { workspace: Some(id), event };
        let ring = inner.bell.write(&inner.database, &tx, now, ring).await?;
        inner.bell.commit(tx, ring).await
    }
}

/// The row, locked, if the lease is still the newest.
async fn fenced(tx: &DatabaseTransaction, lease: &Lease) -> Result<workspace::Model, StoreError> {
    let row = workspace::Entity::find_by_id(lease.workspace().uuid()).lock_exclusive().one(tx).await?;
    row.filter(|row| row.lease_epoch == lease.epoch()).ok_or(StoreError::LostLease)
}
