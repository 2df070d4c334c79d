//! A Feature that was found.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Manifest, Reference, manifest, options};
use crate::{
    layer::{Layer, Origin},
    metadata::{FEATURE_PROPERTIES, pick},
    properties::Properties,
};

/// One Feature to install, with its options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Feature {
    /// The reference as written.
    pub id: String,
    /// The reference as read.
    pub reference: Reference,
    /// The digest of an artifact's manifest, or of an archive.
    pub digest: Option<String>,
    /// An artifact's manifest.
    pub artifact: Option<Value>,
    /// What it says about itself.
    pub manifest: Manifest,
    /// The options as written.
    pub options: Value,
    /// Whether it has the form of before there was `devcontainer-feature.json`.
    pub is_old: bool,
}

impl Feature {
    /// Adds what the file in the Feature's own archive says, where the artifact's annotation does not.
    /// Call it once the files are there; for a release it is all that is known.
    #[must_use]
    pub fn with_file(mut self, file: &Manifest) -> Self {
        let mut said = file.0.0.clone();
        // These are the reference's own; a file that has them means nothing by it.
        for name in ["value", "included"] {
            said.shift_remove(name);
        }
        said.extend(std::mem::take(&mut self.manifest.0.0));
        self.manifest = Manifest(Properties(said));
        self
    }

    /// The same as [`Feature::with_file`], for the old file of a whole collection.
    #[must_use]
    pub fn with_old_file(self, file: &Manifest) -> Self {
        Self { is_old: true, ..self.with_file(file) }
    }

    /// Its name as a folder, being the one at this place of the order.
    #[must_use]
    pub fn folder(&self, index: usize) -> String {
        format!("{}_{index}", self.manifest.0.get("id").map(options::text).unwrap_or_default())
    }

    /// What it adds to a configuration, with its variables as written. Its `containerEnv` is none of it:
    /// that becomes part of the image.
    #[must_use]
    pub fn layer(&self) -> Layer {
        let mut properties = Map::new();
        properties.insert("id".to_owned(), Value::from(self.id.as_str()));
        properties.extend(pick(&self.said(), &FEATURE_PROPERTIES));
        Layer { origin: Origin::Feature(self.id.clone()), properties: Properties(properties) }
    }

    /// All it says, with old properties in their new places.
    pub(crate) fn said(&self) -> Map<String, Value> {
        manifest::modern(self.manifest.0.0.clone())
    }
}
