//! What the gateway asks of the database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use sea_orm::{ColumnTrait as _, EntityTrait as _, FromQueryResult, QueryFilter as _, QuerySelect as _};
use steading_core::access::Principal;
use steading_core::queue::Job;
use steading_core::routes::{Route, Routes, RoutesError, Stale};
use steading_core::{Secret, Slug, WorkspaceId};
use tokio::sync::broadcast::error::RecvError;

use crate::Store;
use crate::error::StoreError;
use crate::feed::Feed;
use crate::rows::read;
use crate::rows::workspace::{Column, Entity};
use crate::workspaces::owner;

#[derive(Debug, FromQueryResult)]
struct Row {
    id: uuid::Uuid,
    slug: String,
    owner_kind: String,
    owner_id: uuid::Uuid,
    phase: String,
    desired: String,
    failure: Option<String>,
    ide_port: Option<i32>,
    folder: Option<String>,
}

const COLUMNS: [Column; 9] = [
    Column::Id,
    Column::Slug,
    Column::OwnerKind,
    Column::OwnerId,
    Column::Phase,
    Column::Desired,
    Column::Failure,
    Column::IdePort,
    Column::Folder,
];

/// The database as the gateway sees it.
#[derive(Debug, Clone)]
pub(crate) struct StoredRoutes {
    pub(crate) store: Store,
}

impl StoredRoutes {
    async fn look_up(&self, slug: &Slug) -> Result<Option<Route>, StoreError> {
        let reader = &self.store.inner.database.reader;
        let row = Entity::find().filter(Column::Slug.eq(slug.as_str())).select_only().columns(COLUMNS);
        let Some(row) = row.into_model::<Row>().one(reader).await? else { return Ok(None) };
        let workspace = WorkspaceId::from_uuid(row.id);
        Ok(Some(Route {
            workspace,
            slug: row.slug.parse().map_err(StoreError::unavailable)?,
            owner: owner(&row.owner_kind, row.owner_id)?,
            phase: read(&row.phase)?,
            desired: read(&row.desired)?,
            ide_port: row.ide_port.and_then(|port| u16::try_from(port).ok()),
            folder: row.folder,
            failure: row.failure.as_deref().map(serde_json::from_str).transpose()?,
            visibility: crate::ports::of(reader, workspace).await?,
        }))
    }

    async fn ring(&self, id: WorkspaceId) {
        if let Err(error) = self.store.queue().nudge(Job::Drive { workspace: id }).await {
            tracing::warn!(workspace.id = %id, error = %steading_core::report::chain(&error), "nobody could be asked to look; the sweeper will");
        }
    }
}

fn gone(error: StoreError) -> RoutesError {
    RoutesError(Box::new(error))
}

#[async_trait]
impl Routes for StoredRoutes {
    async fn find(&self, slug: &Slug) -> Result<Option<Route>, RoutesError> {
        self.look_up(slug).await.map_err(gone)
    }

    async fn redeem(&self, ticket: &str, label: &str) -> Result<Option<Secret<String>>, RoutesError> {
        self.store.tickets().redeem(ticket, label).await.map_err(gone)
    }

    async fn entry(&self, cookie: &str, label: &str) -> Result<Option<Principal>, RoutesError> {
        self.store.tickets().entry(cookie, label).await.map_err(gone)
    }

    async fn entered(&self, id: WorkspaceId, at: DateTime<Utc>) -> Result<(), RoutesError> {
        match self.store.workspaces().entered(id, at).await {
            Ok(()) => {
                // postAttachCommand runs for it.
                self.ring(id).await;
                Ok(())
            }
            Err(StoreError::NotFound) => Ok(()),
            Err(error) => Err(gone(error)),
        }
    }

    async fn doubt(&self, id: WorkspaceId) {
        self.ring(id).await;
    }

    fn stale(&self) -> BoxStream<'static, Stale> {
        let bell = self.store.feed().subscribe();
        let changes = stream::unfold(bell, |mut bell| async move {
            loop {
                let stale = match bell.recv().await {
                    Ok(Feed::Workspace(id)) => Stale::Workspace(id),
                    Ok(Feed::Entries) => Stale::Entries,
                    Ok(Feed::Lost) | Err(RecvError::Lagged(_)) => Stale::Everything,
                    Ok(Feed::Event(..)) => continue,
                    Err(RecvError::Closed) => return None,
                };
                return Some((stale, bell));
            }
        });
        changes.boxed()
    }
}
