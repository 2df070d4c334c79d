//! Images that this installation built: told from all others by a label that every build puts on its result.

use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptions};
use steading_core::image::ImageRef;
use steading_core::runtime::{BuiltImage, Result};

use super::Docker;
use crate::error;

/// How the engine spells that an image has no name.
const NAMELESS: &str = "<none>:<none>";

impl Docker {
    /// The images that bear our label, once for each name.
    pub(super) async fn own_images(&self) -> Result<Vec<BuiltImage>> {
        let client = self.engine.client().await?;
        let options = ListImagesOptionsBuilder::new().filters(&self.names.filter()).build();
        let found = client.list_images(Some(options)).await.map_err(error::engine)?;
        let named = |image: bollard::models::ImageSummary| {
            let id = image.id;
            let names = image.repo_tags.into_iter().filter(|name| name != NAMELESS);
            names.map(move |name| BuiltImage { name: ImageRef::new(name), id: id.clone() })
        };
        Ok(found.into_iter().flat_map(named).collect())
    }

    /// Removes a name of an image of ours, unless a container was made from it.
    pub(super) async fn drop_image(&self, image: &ImageRef) -> Result<bool> {
        let client = self.engine.client().await?;
        let found = match client.inspect_image(image.as_str()).await {
            Ok(found) => found,
            Err(missing) if error::is_missing(&missing) => return Ok(true),
            Err(other) => return Err(error::engine(other)),
        };
        if !self.names.are_ours(&found.config.and_then(|config| config.labels).unwrap_or_default()) {
            return Ok(false);
        }
        match client.remove_image(image.as_str(), None::<RemoveImageOptions>, None).await {
            Ok(_) => Ok(true),
            Err(missing) if error::is_missing(&missing) => Ok(true),
            // A container, running or not, is of it; or another image stands on it.
            Err(used) if error::is_conflict(&used) => Ok(false),
            Err(other) => Err(error::engine(other)),
        }
    }
}
