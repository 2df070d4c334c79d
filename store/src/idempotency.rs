//! The first answer to a request with an `Idempotency-Key`, to be given again when the request comes again.
//!
//! Whoever begins a request holds a claim on its key and renews it for as long as the work takes, however
//! long that is. A claim that is not renewed has died with its process.

use std::convert::Infallible;
use std::time::Duration;

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, EntityTrait as _, ExprTrait as _, QueryFilter as _, QuerySelect as _,
};
use steading_core::{UserId, report};
use uuid::Uuid;

use crate::Store;
use crate::error::StoreError;
use crate::rows::idempotency::{ActiveModel, Column, Entity};
use crate::sessions::micros;

/// How long an answer is kept; after that its key is as good as new.
pub const KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long a claim lasts without being renewed.
const CLAIMED: Duration = Duration::from_secs(30);
/// How often whoever works on an answer renews the claim: a renewal or two may get lost.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How often somebody who waits looks for an answer of another process.
const POLL: Duration = Duration::from_millis(500);

/// Answers that were given.
#[derive(Debug, Clone, Copy)]
pub struct Idempotency<'a> {
    pub(crate) store: &'a Store,
}

/// The right to answer a request, until it is finished or abandoned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    user: Uuid,
    key: String,
    id: Uuid,
}

impl Claim {
    /// The row, as long as it is this claim's and has no answer.
    fn row(&self) -> Condition {
        Condition::all()
            .add(Column::UserId.eq(self.user))
            .add(Column::Key.eq(self.key.as_str()))
            .add(Column::Claim.eq(self.id))
            .add(Column::Status.is_null())
    }
}

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It is new: do it and [`Idempotency::hold`] the claim meanwhile, then [`Idempotency::finish`] or
    /// [`Idempotency::abandon`].
    Fresh(Claim),
    /// It was done: give the first answer again.
    Replay {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// The first one is still under way: [`Idempotency::wait`], then begin again.
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
        let dead = Column::Status.is_null().and(Column::ClaimedUntil.lte(now));
        Entity::delete_many()
            .filter(Column::UserId.eq(user.uuid()))
            .filter(Column::Key.eq(key))
            .filter(Expr::col(Column::CreatedAt).lte(now - micros(KEPT)).or(dead))
            .exec(&tx)
            .await?;
        let claim = Claim { user: user.uuid(), key: key.to_owned(), id: Uuid::new_v4() };
        let row = ActiveModel {
            user_id: Set(claim.user),
            key: Set(claim.key.clone()),
            request_hash: Set(request_hash.to_owned()),
            claim: Set(claim.id),
            claimed_until: Set(now + micros(CLAIMED)),
            status: Set(None),
            body: Set(None),
            created_at: Set(now),
        };
        let first = OnConflict::columns([Column::UserId, Column::Key]).do_nothing().to_owned();
        let fresh = Entity::insert(row).on_conflict(first).exec_without_returning(&tx).await? == 1;
        let begun = if fresh {
            Begun::Fresh(claim)
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

    /// Waits until a request that is under way has its answer, was abandoned, or has died.
    pub async fn wait(&self, user: UserId, key: &str) -> Result<(), StoreError> {
        let inner = &self.store.inner;
        loop {
            // Listening starts before the look, so that an answer in between is heard.
            let answered = inner.answered.notified();
            tokio::pin!(answered);
            answered.as_mut().enable();
            let under_way = Entity::find_by_id((user.uuid(), key.to_owned()))
                .filter(Column::Status.is_null())
                .filter(Expr::col(Column::ClaimedUntil).gt(inner.database.now()));
            if under_way.one(&inner.database.reader).await?.is_none() {
                return Ok(());
            }
            let _ = tokio::time::timeout(POLL, answered).await;
        }
    }

    /// Renews a claim for as long as it is polled.
    pub async fn hold(&self, claim: &Claim) -> Infallible {
        let database = &self.store.inner.database;
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            let until = Entity::update_many().col_expr(Column::ClaimedUntil, database.later(CLAIMED));
            if let Err(error) = until.filter(claim.row()).exec(database.writer()).await {
                tracing::warn!(error = %report::chain(&error), "that a request is under way could not be told");
            }
        }
    }

    /// Keeps the answer for a day.
    pub async fn finish(&self, claim: &Claim, status: u16, body: &str) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::Status, Expr::value(i32::from(status)))
            .col_expr(Column::Body, Expr::value(body))
            .filter(claim.row())
            .exec(self.store.inner.database.writer())
            .await?;
        self.store.inner.answered.notify_waiters();
        Ok(())
    }

    /// Frees the key: the request did nothing and may be tried again.
    pub async fn abandon(&self, claim: &Claim) -> Result<(), StoreError> {
        Entity::delete_many().filter(claim.row()).exec(self.store.inner.database.writer()).await?;
        self.store.inner.answered.notify_waiters();
        Ok(())
    }
}
