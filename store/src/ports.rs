//! Who may see a workspace's ports. A port without a record is private.

use std::collections::BTreeMap;

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
};
use steading_core::WorkspaceId;
use steading_core::routes::Visibility;

use crate::Store;
use crate::error::StoreError;
use crate::feed::Ring;
use crate::rows::port::{ActiveModel, Column, Entity};
use crate::rows::{read, word};

/// Who may see which port.
#[derive(Debug, Clone, Copy)]
pub struct Ports<'a> {
    pub(crate) store: &'a Store,
}

impl Ports<'_> {
    /// Lets others see a port, or makes it private again.
    pub async fn set(&self, id: WorkspaceId, port: u16, visibility: Visibility) -> Result<(), StoreError> {
        let tx = self.store.inner.database.write().await?;
        if visibility == Visibility::Private {
            Entity::delete_by_id((id.uuid(), i32::from(port))).exec(&tx).await?;
        } else {
            let row = ActiveModel {
                workspace_id: Set(id.uuid()),
                port: Set(i32::from(port)),
                visibility: Set(word(&visibility)?),
            };
            let again =
                OnConflict::columns([Column::WorkspaceId, Column::Port]).update_column(Column::Visibility).to_owned();
            Entity::insert(row).on_conflict(again).exec_without_returning(&tx).await?;
        }
        self.tell(tx, id).await
    }

    /// Makes public ports private: what was shown to everybody should not be so for ever by oversight.
    /// Ports for the signed-in stay as they are.
    pub async fn fall_back(&self, id: WorkspaceId) -> Result<(), StoreError> {
        // Mostly there are none, and nothing is written.
        if !self.list(id).await?.values().any(|visibility| *visibility == Visibility::Public) {
            return Ok(());
        }
        let tx = self.store.inner.database.write().await?;
        let gone = Entity::delete_many()
            .filter(Column::WorkspaceId.eq(id.uuid()))
            .filter(Column::Visibility.eq(word(&Visibility::Public)?))
            .exec(&tx)
            .await?;
        if gone.rows_affected == 0 { Ok(()) } else { self.tell(tx, id).await }
    }

    /// The ports that are not private.
    pub async fn list(&self, id: WorkspaceId) -> Result<BTreeMap<u16, Visibility>, StoreError> {
        of(&self.store.inner.database.reader, id).await
    }

    async fn tell(&self, tx: DatabaseTransaction, id: WorkspaceId) -> Result<(), StoreError> {
        let inner = &self.store.inner;
        let ring = Ring { workspace: Some(id), event: None };
        let now = inner.database.clock(&tx).await?;
        let ring = inner.bell.write(&inner.database, &tx, now, ring).await?;
        inner.bell.commit(tx, ring).await
    }
}

/// The ports of a workspace that are not private.
pub(crate) async fn of(on: &impl ConnectionTrait, id: WorkspaceId) -> Result<BTreeMap<u16, Visibility>, StoreError> {
    let rows = Entity::find().filter(Column::WorkspaceId.eq(id.uuid())).all(on).await?;
    let pair =
        |row: crate::rows::port::Model| Ok((u16::try_from(row.port).unwrap_or_default(), read(&row.visibility)?));
    rows.into_iter().map(pair).collect()
}
