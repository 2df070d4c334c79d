//! Browsers that are signed in. The cookie's hash alone is kept.

use std::time::Duration;

use sea_orm::sea_query::{Expr, IntoCondition};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, DatabaseTransaction, EntityTrait as _, ExprTrait as _,
    QueryFilter as _, QuerySelect as _,
};
use steading_core::access::{Principal, Scope};
use steading_core::{Secret, SessionId, TokenId, UserId, ticket};

use crate::Store;
use crate::connect::Database;
use crate::error::StoreError;
use crate::feed::Ring;
use crate::rows::{self, entry, session, token};
use crate::users::principal;

/// Browsers that are signed in.
#[derive(Debug, Clone, Copy)]
pub struct Sessions<'a> {
    pub(crate) store: &'a Store,
}

impl Sessions<'_> {
    /// Signs a browser in for so many hours; gives the cookie.
    pub async fn open(&self, user: UserId, hours: u32) -> Result<Secret<String>, StoreError> {
        let tx = self.store.inner.database.write().await?;
        self.insert(tx, user.uuid(), hours, None).await
    }

    /// The same with an API token, if that still holds: the session ends when the token does.
    pub async fn open_by(&self, token: TokenId, hours: u32) -> Result<Option<Secret<String>>, StoreError> {
        let database = &self.store.inner.database;
        let tx = database.write().await?;
        // Locked, so that a token that is being revoked opens nothing that outlives it.
        let row = token::Entity::find_by_id(token.uuid()).filter(live_token(database)).lock_exclusive();
        let Some(row) = row.one(&tx).await? else { return Ok(None) };
        self.insert(tx, row.user_id, hours, Some(row)).await.map(Some)
    }

    async fn insert(
        &self,
        tx: DatabaseTransaction,
        user: uuid::Uuid,
        hours: u32,
        by: Option<token::Model>,
    ) -> Result<Secret<String>, StoreError> {
        let (cookie, hash) = ticket::mint("");
        let now = self.store.inner.database.clock(&tx).await?;
        let end = now + micros(Duration::from_secs(u64::from(hours) * 3600));
        let row = session::ActiveModel {
            id: Set(SessionId::new().uuid()),
            user_id: Set(user),
            token_id: Set(by.as_ref().map(|token| token.id)),
            hash: Set(hash),
            created_at: Set(now),
            expires_at: Set(by.and_then(|token| token.expires_at).map_or(end, |its| Ord::min(its, end))),
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
        session::Entity::delete_by_id(id.uuid()).exec(&tx).await?;
        forget(&tx, rows::ticket::Column::SessionId.eq(id.uuid()), entry::Column::SessionId.eq(id.uuid())).await?;
        self.revoked(tx).await
    }

    /// Signs a person out everywhere: all browsers, all workspace hosts. API tokens go on.
    pub async fn close_all(&self, user: UserId) -> Result<(), StoreError> {
        let (tx, user) = (self.store.inner.database.write().await?, user.uuid());
        session::Entity::delete_many().filter(session::Column::UserId.eq(user)).exec(&tx).await?;
        forget(&tx, rows::ticket::Column::UserId.eq(user), entry::Column::UserId.eq(user)).await?;
        self.revoked(tx).await
    }

    /// Ends whatever an API token opened, and commits.
    pub(crate) async fn end_with(&self, tx: DatabaseTransaction, token: TokenId) -> Result<(), StoreError> {
        let by_token = session::Column::TokenId.eq(token.uuid());
        let ids = session::Entity::find().filter(by_token.clone()).select_only().column(session::Column::Id);
        let ids: Vec<uuid::Uuid> = ids.into_tuple().all(&tx).await?;
        session::Entity::delete_many().filter(by_token).exec(&tx).await?;
        let of = |session: Expr, token: Expr| Condition::any().add(session).add(token);
        let tickets = of(
            rows::ticket::Column::SessionId.is_in(ids.iter().copied()),
            rows::ticket::Column::TokenId.eq(token.uuid()),
        );
        let entries = of(entry::Column::SessionId.is_in(ids), entry::Column::TokenId.eq(token.uuid()));
        forget(&tx, tickets, entries).await?;
        self.revoked(tx).await
    }

    /// Commits, and tells everybody that some sign-in was revoked.
    async fn revoked(&self, tx: DatabaseTransaction) -> Result<(), StoreError> {
        let inner = &self.store.inner;
        let now = inner.database.clock(&tx).await?;
        let ring = inner.bell.write(&inner.database, &tx, now, Ring::default()).await?;
        inner.bell.commit(tx, ring).await
    }
}

/// Ends ways into workspaces.
async fn forget(
    tx: &DatabaseTransaction,
    tickets: impl IntoCondition,
    entries: impl IntoCondition,
) -> Result<(), StoreError> {
    rows::ticket::Entity::delete_many().filter(tickets).exec(tx).await?;
    entry::Entity::delete_many().filter(entries).exec(tx).await?;
    Ok(())
}

/// An API token that has not expired.
pub(crate) fn live_token(database: &Database) -> Expr {
    token::Column::ExpiresAt.is_null().or(Expr::col(token::Column::ExpiresAt).gt(database.now()))
}

/// A time span as it is stored.
pub(crate) fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX / 4)
}
