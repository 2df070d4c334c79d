//! One-time sign-in links.

use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _, QuerySelect as _,
};
use steading_core::{Secret, UserId, ticket};

use crate::Store;
use crate::error::StoreError;
use crate::rows::link;

/// How long a link that was printed can be used.
const VALID: Duration = Duration::from_secs(24 * 3600);

/// One-time sign-in links.
#[derive(Debug, Clone, Copy)]
pub struct Links<'a> {
    pub(crate) store: &'a Store,
}

impl Links<'_> {
    /// Makes a link for the administrator; it works once, within a day.
    pub async fn mint(&self) -> Result<Secret<String>, StoreError> {
        self.mint_for(self.store.inner.admin, VALID).await
    }

    /// Makes a link for a person; it works once, for so long.
    pub async fn mint_for(&self, user: UserId, valid: Duration) -> Result<Secret<String>, StoreError> {
        let database = &self.store.inner.database;
        let (secret, hash) = ticket::mint("");
        let tx = database.write().await?;
        let expires_at = database.clock(&tx).await? + crate::sessions::micros(valid);
        let row = link::ActiveModel { hash: Set(hash), user_id: Set(user.uuid()), expires_at: Set(expires_at) };
        link::Entity::insert(row).exec_without_returning(&tx).await?;
        tx.commit().await?;
        Ok(secret)
    }

    /// Whom a link signs in; `None` if it was used, has expired or never was.
    pub async fn redeem(&self, text: &str) -> Result<Option<UserId>, StoreError> {
        let database = &self.store.inner.database;
        let hash = ticket::hash(text);
        let tx = database.write().await?;
        let live = Expr::col(link::Column::ExpiresAt).gt(database.now());
        let row = link::Entity::find_by_id(hash.as_str()).filter(live).lock_exclusive().one(&tx).await?;
        let gone = link::Entity::delete_many().filter(link::Column::Hash.eq(hash)).exec(&tx).await?;
        tx.commit().await?;
        Ok(row.filter(|_| gone.rows_affected == 1).map(|row| UserId::from_uuid(row.user_id)))
    }
}
