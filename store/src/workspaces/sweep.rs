//! What the sweeper looks for.

use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select,
};
use steading_core::WorkspaceId;

use super::Workspaces;
use crate::error::StoreError;
use crate::rows::workspace::{Column, Entity};

impl Workspaces<'_> {
    /// Workspaces that nobody drives although something is left to do as far as the record says, or
    /// although somebody rang while the last driver was at work. Those whose retry is not due are left
    /// out. The ones that were not looked at for longest come first.
    pub async fn unsettled(&self, limit: u64) -> Result<Vec<WorkspaceId>, StoreError> {
        let now = || self.store.inner.database.now();
        let due = Column::RetryAt.is_null().or(Expr::col(Column::RetryAt).lte(now()));
        let wanting = Column::Settled.eq(false).and(due).or(Column::LookAgain.eq(true));
        let free = Expr::col(Column::LeaseUntil).lte(now());
        self.ids(Entity::find().filter(free).filter(wanting), limit).await
    }

    /// Workspaces that should run and say they do, whose lease is free, and that nobody has looked at for
    /// `age`: their containers may be gone without anybody noticing.
    pub async fn unseen(&self, age: Duration, limit: u64) -> Result<Vec<WorkspaceId>, StoreError> {
        let now = || self.store.inner.database.now();
        let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX / 4);
        let running = Entity::find()
            .filter(Column::Desired.eq("running"))
            .filter(Column::Phase.eq("running"))
            .filter(Expr::col(Column::LeaseUntil).lte(now()))
            .filter(Expr::col(Column::LookedAt).lte(now().sub(age)));
        self.ids(running, limit).await
    }

    async fn ids(&self, found: Select<Entity>, limit: u64) -> Result<Vec<WorkspaceId>, StoreError> {
        let ids = found.select_only().column(Column::Id).order_by_asc(Column::LookedAt).limit(limit);
        let ids = ids.into_tuple::<uuid::Uuid>().all(&self.store.inner.database.reader).await?;
        Ok(ids.into_iter().map(WorkspaceId::from_uuid).collect())
    }
}
