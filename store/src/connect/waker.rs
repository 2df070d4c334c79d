//! Waits until another process may have written something.

use std::time::Duration;

use sea_orm::sqlx::postgres::PgListener;
use sea_orm::{ConnectionTrait as _, DatabaseTransaction};

use super::Database;
use crate::error::StoreError;

/// How often Postgres is asked although it said nothing: a notification can be lost with its connection.
const RELUCTANT: Duration = Duration::from_secs(5);

/// Waits for a notification, or for the time to look anyway.
pub(crate) struct Waker {
    listener: Option<PgListener>,
    poll: Duration,
}

impl Database {
    /// Something that wakes when [`Database::notify`] was called by any process and its transaction was
    /// committed, or after `poll` where the database cannot say so.
    pub(crate) async fn waker(&self, channel: &str, poll: Duration) -> Waker {
        if !self.is_postgres() {
            return Waker { listener: None, poll };
        }
        let listener = async {
            let mut listener = PgListener::connect_with(self.reader.get_postgres_connection_pool()).await?;
            listener.listen(channel).await?;
            Ok::<_, sea_orm::sqlx::Error>(listener)
        };
        match listener.await {
            Ok(listener) => Waker { listener: Some(listener), poll: RELUCTANT },
            Err(error) => {
                tracing::warn!(%error, "Postgres does not notify; it is asked every second");
                Waker { listener: None, poll }
            }
        }
    }

    /// Wakes every [`Waker`] of the channel once the transaction is committed. SQLite cannot.
    pub(crate) async fn notify(&self, tx: &DatabaseTransaction, channel: &str) -> Result<(), StoreError> {
        if self.is_postgres() {
            tx.execute_unprepared(&format!("NOTIFY {channel}")).await?;
        }
        Ok(())
    }
}

impl Waker {
    /// Returns when it is time to look.
    pub(crate) async fn wait(&mut self) {
        let Some(listener) = &mut self.listener else {
            return tokio::time::sleep(self.poll).await;
        };
        // The listener reconnects by itself; an error or a lost connection is a reason to look, too.
        if let Ok(Err(error)) = tokio::time::timeout(self.poll, listener.recv()).await {
            tracing::debug!(%error, "the Postgres listener lost its connection");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}
