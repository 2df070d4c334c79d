//! An image made ahead for a repository.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::PrebuildId;
use crate::image::ImageRef;
use crate::source::Commit;

/// An image registered for a repository, at a commit or for a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prebuild {
    /// Its name for ever.
    pub id: PrebuildId,
    /// The repository's URL without secrets, as [`repository_key`] prints it.
    pub repository: String,
    /// The commit it was built from.
    pub commit: Option<Commit>,
    /// The hash of the configuration that decides the image; it serves every commit with the same one.
    pub config_hash: Option<String>,
    /// The image.
    pub image: ImageRef,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// The form of a repository's URL under which prebuilds are registered: host and path in lower case,
/// without scheme, user, `.git` or a slash at the end, so that the https and ssh forms are one.
#[must_use]
pub fn repository_key(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
    let path = url.path().trim_end_matches('/').trim_end_matches(".git");
    format!("{host}{port}{path}").to_lowercase()
}
