//! Forgets what has expired. Doing it twice, or in several processes, is harmless.

use std::collections::HashSet;
use std::sync::Weak;
use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{EntityTrait as _, ExprTrait as _, QueryFilter as _, QuerySelect as _};

use crate::error::StoreError;
use crate::rows::{bell, entry, idempotency, inquiry, link, session, ticket, tombstone, workspace};
use crate::sessions::micros;
use crate::{Inner, Store, events, feed};

/// From one time to the next.
pub(crate) const EVERY: Duration = Duration::from_secs(120);

impl Store {
    /// Forgets expired sign-ins, answers, questions, deletions and rings, jobs that were done, what is too old in
    /// long stories, and logs without a workspace. The store does so by itself every two minutes.
    pub async fn prune(&self) -> Result<(), StoreError> {
        let database = &self.inner.database;
        let now = || database.now();
        let before = |age: Duration| database.now().sub(micros(age));
        let on = database.writer();
        session::Entity::delete_many().filter(Expr::col(session::Column::ExpiresAt).lte(now())).exec(on).await?;
        entry::Entity::delete_many().filter(Expr::col(entry::Column::ExpiresAt).lte(now())).exec(on).await?;
        ticket::Entity::delete_many().filter(Expr::col(ticket::Column::ExpiresAt).lte(now())).exec(on).await?;
        link::Entity::delete_many().filter(Expr::col(link::Column::ExpiresAt).lte(now())).exec(on).await?;
        let old = Expr::col(idempotency::Column::CreatedAt).lte(before(crate::idempotency::KEPT));
        idempotency::Entity::delete_many().filter(old).exec(on).await?;
        let old = Expr::col(inquiry::Column::CreatedAt).lte(before(crate::inquiries::KEPT));
        inquiry::Entity::delete_many().filter(old).exec(on).await?;
        let old = Expr::col(tombstone::Column::At).lte(before(crate::workspaces::REMEMBERED));
        tombstone::Entity::delete_many().filter(old).exec(on).await?;
        let old = Expr::col(bell::Column::At).lte(before(feed::KEPT));
        bell::Entity::delete_many().filter(old).exec(on).await?;
        events::prune(database).await?;
        self.prune_logs().await?;
        self.inner.queue.prune().await
    }

    /// Removes the logs of workspaces without a record: one that was forgotten just before a crash.
    async fn prune_logs(&self) -> Result<(), StoreError> {
        // The logs first: a record is there before anything is written about it.
        let logs = self.logs().list().await?;
        let known = workspace::Entity::find().select_only().column(workspace::Column::Id).into_tuple::<uuid::Uuid>();
        let known: HashSet<_> = known.all(&self.inner.database.reader).await?.into_iter().collect();
        for id in logs.into_iter().filter(|id| !known.contains(&id.uuid())) {
            self.logs().remove(id).await?;
        }
        Ok(())
    }
}

/// Prunes for as long as the store is in use.
pub(crate) async fn regularly(store: Weak<Inner>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(inner) = store.upgrade() else { return };
        if let Err(error) = (Store { inner }).prune().await {
            tracing::warn!(error = %steading_core::report::chain(&error), "what has expired could not be forgotten yet");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use steading_core::config::Config;

    use super::*;

    #[tokio::test]
    async fn it_goes_on_by_itself_until_the_store_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.data_dir = folder.path().to_path_buf();
        let store = Store::open(&config).await.unwrap();
        let pruning = tokio::spawn(regularly(Arc::downgrade(&store.inner), Duration::from_millis(5)));
        for _ in 0..2 {
            store.sessions().open(store.users().admin(), 0).await.unwrap();
            let forgotten = async {
                while session::Entity::find().one(&store.inner.database.reader).await.unwrap().is_some() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), forgotten).await.unwrap();
        }
        drop(store);
        tokio::time::timeout(Duration::from_secs(30), pruning).await.unwrap().unwrap();
    }
}
