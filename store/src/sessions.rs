//! Browsers that are signed in. The cookie's hash alone is kept.

use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, ExprTrait as _, QueryFilter as _,
    QuerySelect as _,
};
use steading_core::access::{Principal, Scope};
use steading_core::{Secret, SessionId, UserId, ticket};

use crate::Store;
use crate::error::StoreError;
use crate::feed::Ring;
use crate::rows::{self, entry, session};
use crate::users::principal;

/// Browsers that are signed in.
#[derive(Debug, Clone, Copy)]
pub struct Sessions<'a> {
    pub(crate) store: &'a Store,
}

impl Sessions<'_> {
    /// Signs a browser in for so many hours; gives the cookie.
    pub async fn open(&self, user: UserId, hours: u32) -> Result<Secret<String>, StoreError> {
        let database = &self.store.inner.database;
        let (cookie, hash) = ticket::mint("");
        let tx = database.write().await?;
        let now = database.clock(&tx).await?;
        let row = session::ActiveModel {
            id: Set(SessionId::new().uuid()),
            user_id: Set(user.uuid()),
            hash: Set(hash),
            created_at: Set(now),
            expires_at: Set(now + micros(Duration::from_secs(u64::from(hours) * 3600))),
        };
        session::Entity::insert(row).exec_without_returning(&tx).await?;
        tx.commit().await?;
        Ok(cookie)
    }

    /// Who a cookie stands for, unless it has expired or was closed.
    pub async fn find(&self, cookie: &str) -> Result<Option<(SessionId, Principal)>, StoreError> {
        let database = &self.store.inner.database;
        let found = session::Entity::find()
            .filter(session::Column::Hash.eq(ticket::hash(cookie)))
            .filter(Expr::col(session::Column::ExpiresAt).gt(database.now()))
            .one(&database.reader)
            .await?;
        let Some(row) = found else { return Ok(None) };
        let principal = principal(&database.reader, row.user_id, Scope::All).await?;
        Ok(principal.map(|principal| (SessionId::from_uuid(row.id), principal)))
    }

    /// Signs a browser out, on every workspace host too.
    pub async fn close(&self, id: SessionId) -> Result<(), StoreError> {
        let tx = self.store.inner.database.write().await?;
        self.end(tx, vec![id.uuid()]).await
    }

    /// Signs a person out everywhere.
    pub async fn close_all(&self, user: UserId) -> Result<(), StoreError> {
        let tx = self.store.inner.database.write().await?;
        let ids = session::Entity::find().filter(session::Column::UserId.eq(user.uuid())).select_only();
        let ids = ids.column(session::Column::Id).into_tuple::<uuid::Uuid>().all(&tx).await?;
        self.end(tx, ids).await
    }

    async fn end(&self, tx: DatabaseTransaction, ids: Vec<uuid::Uuid>) -> Result<(), StoreError> {
        let inner = &self.store.inner;
        for id in ids {
            session::Entity::delete_by_id(id).exec(&tx).await?;
            rows::ticket::Entity::delete_many().filter(rows::ticket::Column::SessionId.eq(id)).exec(&tx).await?;
            entry::Entity::delete_many().filter(entry::Column::SessionId.eq(id)).exec(&tx).await?;
        }
        let now = inner.database.clock(&tx).await?;
        let ring = inner.bell.write(&inner.database, &tx, now, Ring::default()).await?;
        inner.bell.commit(tx, ring).await
    }
}

/// A time span as it is stored.
pub(crate) fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX / 4)
}
