//! Which images are still of use.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};
use steading_core::image::ImageRef;
use steading_core::pod::PodSpec;

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
                let (images, specs) = match ws.facts.last {
                    Some(last) => ([ws.facts.image, Some(last.image)], [ws.spec, Some(last.spec)]),
                    None => ([ws.facts.image, None], [ws.spec, None]),
                };
                named.extend(images.into_iter().flatten().map(|held| held.image));
                let containers = |spec: PodSpec| std::iter::once(spec.main).chain(spec.sidecars);
                named.extend(specs.into_iter().flatten().flat_map(containers).map(|container| container.image));
            }
        }
    }
}
