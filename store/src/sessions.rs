//! Browsers that are signed in. The cookie's hash alone is kept.

use std::time::Duration;

use sea_orm::sea_query::{Expr, IntoCondition};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, ExprTrait as _, QueryFilter as _,
    QuerySelect as _,
};
use steading_core::access::{Principal, Scope};
use steading_core::{Secret, SessionId, TokenId, UserId, ticket};

use crate::Store;
use crate::connect::Database;
use crate::error::StoreError;
use crate::feed::Ring;
use crate::rows::{self, entry, session, token};
use crate::users::principal;

/// What opens a session, and ends it.
enum By {
    /// A one-time link: the person alone.
    Person,
    Token(token::Model),
    /// The configured token of this mark.
    Configured(String),
}

/// Browsers that are signed in.
#[derive(Debug, Clone, Copy)]
pub struct Sessions<'a> {
    pub(crate) store: &'a Store,
}

impl Sessions<'_> {
    /// Signs a browser in for so many hours; gives the cookie.
    pub async fn open(&self, user: UserId, hours: u32) -> Result<Secret<String>, StoreError> {
        let tx = self.store.inner.database.write().await?;
        self.insert(tx, user.uuid(), hours, By::Person).await
    }

    /// Signs the administrator in with the configured token, if there is one: the session ends once another
    /// one is configured.
    pub async fn open_by_configured(&self, hours: u32) -> Result<Option<Secret<String>>, StoreError> {
        let inner = &self.store.inner;
        let Some(mark) = inner.configured() else { return Ok(None) };
        let tx = inner.database.write().await?;
        self.insert(tx, inner.admin.uuid(), hours, By::Configured(mark)).await.map(Some)
    }

    /// The same with an API token, if that still holds: the session ends when the token does.
    pub async fn open_by(&self, token: TokenId, hours: u32) -> Result<Option<Secret<String>>, StoreError> {
        let database = &self.store.inner.database;
        let tx = database.write().await?;
        // Locked, so that a token that is being revoked opens nothing that outlives it.
        let row = token::Entity::find_by_id(token.uuid()).filter(live_token(database)).lock_exclusive();
        let Some(row) = row.one(&tx).await? else { return Ok(None) };
        self.insert(tx, row.user_id, hours, By::Token(row)).await.map(Some)
    }

    async fn insert(
        &self,
        tx: DatabaseTransaction,
        user: uuid::Uuid,
        hours: u32,
        by: By,
    ) -> Result<Secret<String>, StoreError> {
        let (cookie, hash) = ticket::mint("");
        let now = self.store.inner.database.clock(&tx).await?;
        let end = now + micros(Duration::from_secs(u64::from(hours) * 3600));
        let (token, configured) = match by {
            By::Person => (None, None),
            By::Token(token) => (Some(token), None),
            By::Configured(mark) => (None, Some(mark)),
        };
        let row = session::ActiveModel {
            id: Set(SessionId::new().uuid()),
            user_id: Set(user),
            token_id: Set(token.as_ref().map(|token| token.id)),
            configured: Set(configured),
            hash: Set(hash),
            created_at: Set(now),
            expires_at: Set(token.and_then(|token| token.expires_at).map_or(end, |its| Ord::min(its, end))),
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
        let token = token.uuid();
        let opened = (session::Column::TokenId, rows::ticket::Column::TokenId, entry::Column::TokenId);
        self.end(tx, opened.0.eq(token), opened.1.eq(token), opened.2.eq(token)).await
    }

    /// Ends whatever tokens opened that were configured before the one that is now. For the process that
    /// answers for the configured token, when it starts: others may know another one, or none.
    pub async fn end_replaced(&self) -> Result<(), StoreError> {
        let mark = self.store.inner.configured();
        let other = |column: Expr| match &mark {
            Some(mark) => column.ne(mark.as_str()),
            None => column.is_not_null(),
        };
        let tx = self.store.inner.database.write().await?;
        let [sessions, tickets, entries] = [
            Expr::col(session::Column::Configured),
            Expr::col(rows::ticket::Column::Configured),
            Expr::col(entry::Column::Configured),
        ]
        .map(other);
        self.end(tx, sessions, tickets, entries).await
    }

    /// Ends sessions with all that came of them, and ways into workspaces; commits.
    async fn end(
        &self,
        tx: DatabaseTransaction,
        sessions: Expr,
        tickets: Expr,
        entries: Expr,
    ) -> Result<(), StoreError> {
        let ids = session::Entity::find().filter(sessions.clone()).select_only().column(session::Column::Id);
        let ids: Vec<uuid::Uuid> = ids.into_tuple().all(&tx).await?;
        session::Entity::delete_many().filter(sessions).exec(&tx).await?;
        let tickets = tickets.or(rows::ticket::Column::SessionId.is_in(ids.iter().copied()));
        let entries = entries.or(entry::Column::SessionId.is_in(ids));
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
