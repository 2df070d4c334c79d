//! Taking an installation off an engine.

use bollard::query_parameters::{ListImagesOptionsBuilder, ListVolumesOptionsBuilder, RemoveImageOptions};
use steading_core::runtime::Result;

use super::{Docker, carrier, firewall};
use crate::error;

impl Docker {
    /// Removes everything that this installation has on the engine: every workspace with its volumes,
    /// the tools, the images that were built, the network and its firewall rules. Images that were pulled stay.
    ///
    /// # Errors
    /// Those of the engine; what was removed before stays removed.
    pub async fn uninstall(&self) -> Result<()> {
        let client = self.engine.client().await?;
        let filter = self.names.filter();
        for container in self.own_containers(&filter).await? {
            self.clear(&container.id.unwrap_or_default()).await?;
        }
        let options = ListVolumesOptionsBuilder::new().filters(&filter).build();
        let found = client.list_volumes(Some(options)).await.map_err(error::engine)?;
        for volume in found.volumes.unwrap_or_default() {
            self.drop_volume(&volume.name).await?;
        }
        match client.remove_network(&self.names.network()).await {
            Err(missing) if error::is_missing(&missing) => {}
            other => other.map_err(error::engine)?,
        }
        let options = ListImagesOptionsBuilder::new().filters(&filter).build();
        for image in client.list_images(Some(options)).await.map_err(error::engine)? {
            // Whoever made an image of their own from a workspace has our label on it, and another name.
            for name in image.repo_tags.into_iter().filter(|name| self.names.is_own_image(name)) {
                match client.remove_image(&name, None::<RemoveImageOptions>, None).await {
                    Err(gone) if error::is_missing(&gone) => {}
                    // Somebody made a container of their own from it.
                    Err(used) if error::is_conflict(&used) => {}
                    other => drop(other.map_err(error::engine)?),
                }
            }
        }
        if self.isolate && self.engine.is_local() {
            firewall::open(&self.names).await;
        }
        if self.engine.is_local() {
            carrier::release(&self.names).await;
        }
        self.network.doubt();
        Ok(())
    }
}
