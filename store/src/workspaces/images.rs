//! Which images are still of use.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};
use steading_core::image::ImageRef;

use super::{Workspaces, document};
use crate::error::StoreError;
use crate::rows::workspace::{Column, Entity};

/// Records that are read at once.
const BATCH: u64 = 200;

impl Workspaces<'_> {
    /// The images that any record names, as the runtime calls them: what its container was made from, what the
    /// next one will be, and what a rebuild that fails goes back to.
    pub async fn images(&self) -> Result<BTreeSet<ImageRef>, StoreError> {
        let mut named = BTreeSet::new();
        let mut after = uuid::Uuid::nil();
        loop {
            let rows = Entity::find().filter(Column::Id.gt(after)).order_by_asc(Column::Id).limit(BATCH);
            let rows = rows.all(&self.store.inner.database.reader).await?;
            let Some(last) = rows.last() else { return Ok(named) };
            after = last.id;
            for row in rows {
                let ws = document::workspace(row)?;
                named.extend(ws.facts.image.map(|held| held.image));
                named.extend(
                    ws.spec.into_iter().flat_map(|spec| {
                        std::iter::once(spec.main).chain(spec.sidecars).map(|container| container.image)
                    }),
                );
            }
        }
    }
}
