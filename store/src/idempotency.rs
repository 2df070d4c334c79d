//! The first answer to a request with an `Idempotency-Key`, to be given again when the request comes again.

use std::time::Duration;

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _, QuerySelect as _,
};
use steading_core::UserId;

use crate::Store;
use crate::error::StoreError;
use crate::rows::idempotency::{ActiveModel, Column, Entity};
use crate::sessions::micros;

/// How long an answer is kept.
pub(crate) const KEPT: Duration = Duration::from_secs(24 * 3600);
/// A first request that has not answered for so long has died with its process.
const DEAD: Duration = Duration::from_secs(60);

/// Answers that were given.
#[derive(Debug, Clone, Copy)]
pub struct Idempotency<'a> {
    pub(crate) store: &'a Store,
}

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It is new: do it, then [`Idempotency::finish`] or [`Idempotency::abandon`].
    Fresh,
    /// It was done: give the first answer again.
    Replay {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// The first one is still under way.
    Busy,
    /// The key was used for another request.
    Mismatch,
}

impl Idempotency<'_> {
    /// Claims a key of this person's for a request with this hash.
    pub async fn begin(&self, user: UserId, key: &str, request_hash: &str) -> Result<Begun, StoreError> {
        let database = &self.store.inner.database;
        let tx = database.write().await?;
        let now = database.clock(&tx).await?;
        let dead = Column::Status.is_null().and(Column::CreatedAt.lte(now - micros(DEAD)));
        Entity::delete_many()
            .filter(Column::UserId.eq(user.uuid()))
            .filter(Column::Key.eq(key))
            .filter(Expr::col(Column::CreatedAt).lte(now - micros(KEPT)).or(dead))
            .exec(&tx)
            .await?;
        let row = ActiveModel {
            user_id: Set(user.uuid()),
            key: Set(key.to_owned()),
            request_hash: Set(request_hash.to_owned()),
            status: Set(None),
            body: Set(None),
            created_at: Set(now),
        };
        let first = OnConflict::columns([Column::UserId, Column::Key]).do_nothing().to_owned();
        let fresh = Entity::insert(row).on_conflict(first).exec_without_returning(&tx).await? == 1;
        let begun = if fresh {
            Begun::Fresh
        } else {
            let row = Entity::find_by_id((user.uuid(), key.to_owned())).lock_exclusive().one(&tx).await?;
            match row {
                Some(row) if row.request_hash != request_hash => Begun::Mismatch,
                Some(row) => match (row.status, row.body) {
                    (Some(status), body) => {
                        Begun::Replay { status: u16::try_from(status).unwrap_or(500), body: body.unwrap_or_default() }
                    }
                    (None, _) => Begun::Busy,
                },
                None => Begun::Busy,
            }
        };
        tx.commit().await?;
        Ok(begun)
    }

    /// Keeps the answer for a day.
    pub async fn finish(&self, user: UserId, key: &str, status: u16, body: &str) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::Status, Expr::value(i32::from(status)))
            .col_expr(Column::Body, Expr::value(body))
            .filter(Column::UserId.eq(user.uuid()))
            .filter(Column::Key.eq(key))
            .exec(self.store.inner.database.writer())
            .await?;
        Ok(())
    }

    /// Frees the key: the request did nothing and may be tried again.
    pub async fn abandon(&self, user: UserId, key: &str) -> Result<(), StoreError> {
        Entity::delete_many()
            .filter(Column::UserId.eq(user.uuid()))
            .filter(Column::Key.eq(key))
            .filter(Column::Status.is_null())
            .exec(self.store.inner.database.writer())
            .await?;
        Ok(())
    }
}
