//! One contribution to a configuration: an image's label, a Feature, the file itself.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{config::DevContainer, properties::Properties};

/// Who contributed something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The entry with this index of the base image's metadata label, where it names no Feature.
    Image(usize),
    /// A Feature, by its reference as a person typed it.
    Feature(String),
    /// A `devcontainer.json`, by its path.
    File(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(entry) => write!(f, "image metadata entry {}", entry + 1),
            Self::Feature(id) => write!(f, "Feature {id}"),
            Self::File(path) => f.write_str(path),
        }
    }
}

/// One contribution. Layers are ordered: the base image's, the Features' in the order in which
/// they are installed, then the file's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Who contributed it.
    pub origin: Origin,
    /// What was contributed.
    pub properties: Properties,
}

impl Layer {
    /// The layer of a configuration file, with all its properties.
    #[must_use]
    pub fn from_config(config: &DevContainer) -> Self {
        Self { origin: Origin::File(config.file.clone()), properties: config.properties.clone() }
    }
}
