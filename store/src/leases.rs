//! One driver per workspace: leases by the database's clock, epochs as fencing numbers.
//!
//! **No ring is lost.** [`Leases::acquire`] that finds the lease taken leaves a mark on the workspace;
//! [`Leases::release`] says whether there is one, and then the holder looks again (or rings the queue).
//! If the holder dies, the sweeper's query finds the mark once the lease has expired.

use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _, QuerySelect as _};
use steading_core::WorkspaceId;

use crate::Store;
use crate::error::StoreError;
use crate::rows::workspace::{Column, Entity};

/// The right to write one workspace. A copy is as good as the original until somebody else acquires the
/// workspace, or this lease is released: from then on neither writes anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    workspace: WorkspaceId,
    epoch: i64,
    ttl: Duration,
}

impl Lease {
    /// Whose it is.
    #[must_use]
    pub const fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// Counts the holders of this workspace's lease; writes with an older one are refused.
    #[must_use]
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// How long it lasts without renewal. Renew it every third of that.
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }
}

/// Who may write which workspace.
#[derive(Debug, Clone, Copy)]
pub struct Leases<'a> {
    pub(crate) store: &'a Store,
}

impl Leases<'_> {
    /// Takes the lease of a workspace if it is free or has expired by the database's clock. `None` if it
    /// is taken (the holder will be told at release that somebody rang) or if there is no such workspace.
    ///
    /// `holder` is for people who look at the table.
    pub async fn acquire(&self, id: WorkspaceId, holder: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let database = &self.store.inner.database;
        let tx = database.write().await?;
        let taken = Entity::update_many()
            .col_expr(Column::LeaseEpoch, Expr::col(Column::LeaseEpoch).add(1))
            .col_expr(Column::LeaseHolder, Expr::value(holder))
            .col_expr(Column::LeaseUntil, database.later(ttl))
            .col_expr(Column::LookAgain, Expr::value(false))
            .col_expr(Column::LookedAt, database.now())
            .filter(Column::Id.eq(id.uuid()))
            .filter(Expr::col(Column::LeaseUntil).lte(database.now()))
            .exec(&tx)
            .await?;
        let lease = if taken.rows_affected == 0 {
            Entity::update_many()
                .col_expr(Column::LookAgain, Expr::value(true))
                .filter(Column::Id.eq(id.uuid()))
                .exec(&tx)
                .await?;
            None
        } else {
            let epoch = Entity::find_by_id(id.uuid()).select_only().column(Column::LeaseEpoch).into_tuple::<i64>();
            epoch.one(&tx).await?.map(|epoch| Lease { workspace: id, epoch, ttl })
        };
        tx.commit().await?;
        Ok(lease)
    }

    /// Makes the lease last `ttl` from now; `false` if it is lost.
    pub async fn renew(&self, lease: &Lease) -> Result<bool, StoreError> {
        let database = &self.store.inner.database;
        let renewed = Entity::update_many()
            .col_expr(Column::LeaseUntil, database.later(lease.ttl))
            .filter(Column::Id.eq(lease.workspace.uuid()))
            .filter(Column::LeaseEpoch.eq(lease.epoch))
            .exec(database.writer())
            .await?;
        Ok(renewed.rows_affected == 1)
    }

    /// Gives the lease back. `true` if somebody rang for this workspace while it was held: look again.
    /// A lease that is lost already gives `false`; whoever took it looks.
    pub async fn release(&self, lease: Lease) -> Result<bool, StoreError> {
        let database = &self.store.inner.database;
        let tx = database.write().await?;
        // The epoch moves on, so that copies of this lease write no more.
        let released = Entity::update_many()
            .col_expr(Column::LeaseEpoch, Expr::col(Column::LeaseEpoch).add(1))
            .col_expr(Column::LeaseHolder, Expr::value(Option::<String>::None))
            .col_expr(Column::LeaseUntil, Expr::value(0_i64))
            .filter(Column::Id.eq(lease.workspace.uuid()))
            .filter(Column::LeaseEpoch.eq(lease.epoch))
            .exec(&tx)
            .await?;
        let mut rung = false;
        if released.rows_affected == 1 {
            // The mark stays until the next acquire: if the caller dies now, the sweeper still finds it.
            let mark = Entity::find_by_id(lease.workspace.uuid()).select_only().column(Column::LookAgain);
            rung = mark.into_tuple::<bool>().one(&tx).await?.unwrap_or_default();
        }
        tx.commit().await?;
        Ok(rung)
    }
}
