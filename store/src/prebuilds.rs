//! Images made ahead, by repository and commit or configuration.

use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use steading_core::prebuild::Prebuild;
use steading_core::source::Commit;
use steading_core::{ImageRef, PrebuildId};

use crate::Store;
use crate::connect::{micros, moment};
use crate::error::StoreError;
use crate::rows::prebuild::{ActiveModel, Column, Entity, Model};

/// Images made ahead.
#[derive(Debug, Clone, Copy)]
pub struct Prebuilds<'a> {
    pub(crate) store: &'a Store,
}

impl Prebuilds<'_> {
    /// Registers an image. One for the same repository, commit and configuration is replaced.
    pub async fn register(&self, prebuild: &Prebuild) -> Result<(), StoreError> {
        let tx = self.store.inner.database.write().await?;
        let commit = prebuild.commit.as_ref().map(|commit| commit.as_str().to_owned());
        let mut same = Entity::delete_many().filter(Column::Repository.eq(prebuild.repository.as_str()));
        same = match &commit {
            Some(commit) => same.filter(Column::CommitId.eq(commit.as_str())),
            None => same.filter(Column::CommitId.is_null()),
        };
        same = match &prebuild.config_hash {
            Some(hash) => same.filter(Column::ConfigHash.eq(hash.as_str())),
            None => same.filter(Column::ConfigHash.is_null()),
        };
        same.exec(&tx).await?;
        let row = ActiveModel {
            id: Set(prebuild.id.uuid()),
            repository: Set(prebuild.repository.clone()),
            commit_id: Set(commit),
            config_hash: Set(prebuild.config_hash.clone()),
            image: Set(prebuild.image.as_str().to_owned()),
            created_at: Set(micros(prebuild.created_at)),
        };
        Entity::insert(row).exec_without_returning(&tx).await?;
        Ok(tx.commit().await?)
    }

    /// The newest image for a repository (as `prebuild::repository_key` prints it): one for this very
    /// commit first, else one for this configuration.
    pub async fn find(
        &self,
        repository: &str,
        commit: Option<&Commit>,
        config_hash: Option<&str>,
    ) -> Result<Option<Prebuild>, StoreError> {
        let of_repository = || {
            let found = Entity::find().filter(Column::Repository.eq(repository));
            found.order_by_desc(Column::CreatedAt).order_by_desc(Column::Id)
        };
        let reader = &self.store.inner.database.reader;
        let mut found = None;
        if let Some(commit) = commit {
            found = of_repository().filter(Column::CommitId.eq(commit.as_str())).one(reader).await?;
        }
        if let (None, Some(hash)) = (&found, config_hash) {
            found = of_repository().filter(Column::ConfigHash.eq(hash)).one(reader).await?;
        }
        found.map(prebuild).transpose()
    }

    /// All of them, newest first.
    pub async fn list(&self) -> Result<Vec<Prebuild>, StoreError> {
        let rows = Entity::find().order_by_desc(Column::CreatedAt).order_by_desc(Column::Id);
        rows.all(&self.store.inner.database.reader).await?.into_iter().map(prebuild).collect()
    }

    /// Forgets one; the image itself stays.
    pub async fn remove(&self, id: PrebuildId) -> Result<(), StoreError> {
        let gone = Entity::delete_by_id(id.uuid()).exec(self.store.inner.database.writer()).await?;
        if gone.rows_affected == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

fn prebuild(row: Model) -> Result<Prebuild, StoreError> {
    Ok(Prebuild {
        id: PrebuildId::from_uuid(row.id),
        repository: row.repository,
        commit: row.commit_id.map(|commit| commit.parse().map_err(StoreError::unavailable)).transpose()?,
        config_hash: row.config_hash,
        image: ImageRef::new(row.image),
        created_at: moment(row.created_at),
    })
}
