//! Images made ahead.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use steading_core::prebuild::Prebuild;

/// An image to register for a repository.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "NewPrebuild")]
pub struct NewPrebuildView {
    /// The repository's Git URL.
    #[oai(validator(max_length = 4096))]
    pub repository: String,
    /// The image reference.
    #[oai(validator(max_length = 1024))]
    pub image: String,
    /// The full commit id it was built from.
    #[oai(validator(max_length = 64))]
    pub commit: Option<String>,
    /// The hash of the configuration it was built from; it then serves every commit with the same one.
    #[oai(validator(max_length = 128))]
    pub config_hash: Option<String>,
}

/// An image registered for a repository.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "Prebuild")]
pub struct PrebuildView {
    /// `pre_…`
    pub id: String,
    /// The repository, without scheme and secrets.
    pub repository: String,
    /// The commit it was built from.
    pub commit: Option<String>,
    /// The hash of the configuration it was built from.
    pub config_hash: Option<String>,
    /// The image reference.
    pub image: String,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// All registered images.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "PrebuildList")]
pub struct PrebuildListView {
    /// Newest first.
    pub items: Vec<PrebuildView>,
}

impl From<&Prebuild> for PrebuildView {
    fn from(prebuild: &Prebuild) -> Self {
        Self {
            id: prebuild.id.to_string(),
            repository: prebuild.repository.clone(),
            commit: prebuild.commit.as_ref().map(ToString::to_string),
            config_hash: prebuild.config_hash.clone(),
            image: prebuild.image.to_string(),
            created_at: prebuild.created_at,
        }
    }
}
