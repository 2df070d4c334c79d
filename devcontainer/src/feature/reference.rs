//! What a Feature is called: in a registry, as an archive, as a folder, as a release.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::shorthand;

mod local;
mod oci;
mod release;
mod tarball;

pub use local::{Local, Place};
pub use oci::Oci;
pub(super) use oci::is_harmless;
pub use release::Release;
pub use tarball::Tarball;

/// A reference that was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reference {
    /// An artifact in a registry: `ghcr.io/devcontainers/features/git:1`.
    Oci(Oci),
    /// An archive: `https://example.com/devcontainer-feature-git.tgz`.
    Tarball(Tarball),
    /// A folder beside the configuration: `./git`.
    Local(Local),
    /// A file of a GitHub release, the old way: `owner/repository/git@v1`.
    Release(Release),
}

/// Why a text names no Feature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// A name without a path that is none of the old short names.
    #[error("\"{0}\" is not the name of a Feature")]
    Name(String),
    /// An absolute path.
    #[error("\"{0}\" is an absolute path")]
    Absolute(String),
    /// A folder that is not below `.devcontainer`.
    #[error("\"{0}\" is outside of the folder .devcontainer")]
    Outside(String),
    /// A URL that cannot be read.
    #[error("\"{0}\" is not a URL")]
    Url(String),
    /// An archive with another name than `devcontainer-feature-<id>.tgz`.
    #[error("\"{0}\" is not named devcontainer-feature-<id>.tgz")]
    Tarball(String),
    /// Nothing that can be looked up.
    #[error("\"{0}\" cannot be looked up")]
    Form(String),
}

impl ReferenceError {
    /// A stable code in kebab case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "unknown-feature-name",
            Self::Absolute(_) => "absolute-feature-path",
            Self::Outside(_) => "feature-outside-folder",
            Self::Url(_) | Self::Tarball(_) => "invalid-feature-url",
            Self::Form(_) => "invalid-feature-reference",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Name(_) => {
                "write the whole reference, such as \"ghcr.io/devcontainers/features/git:1\", or \"./\" before the name of a folder"
            }
            Self::Absolute(_) => "write the path from the folder of devcontainer.json, starting with \"./\"",
            Self::Outside(_) => "put the Feature into a folder below .devcontainer",
            Self::Url(_) => "write a whole URL, starting with \"https://\"",
            Self::Tarball(_) => "name the archive after the Feature's id, in letters, digits, \"-\" and \"_\"",
            Self::Form(_) => {
                "write registry/namespace/id:version; a version is a tag such as \"1\", not a range such as \"^1\""
            }
        }
    }
}

impl Reference {
    /// Reads a reference as a person writes it. `place` is where the configuration is.
    ///
    /// What looks like a registry's is taken for that, though the reference tries a release where the
    /// registry does not have it; [`Reference::fallback`] is that second reading.
    ///
    /// # Errors
    /// See [`ReferenceError`].
    pub fn parse(id: &str, place: &Place) -> Result<Self, ReferenceError> {
        let id = &*shorthand::expand(id);
        if !id.contains(['/', '\\']) {
            return Err(ReferenceError::Name(short(id)));
        }
        if id.starts_with("https://") {
            return Tarball::parse(id).map(Self::Tarball);
        }
        if id.starts_with("./") || id.starts_with("../") || id.starts_with('/') {
            return Local::parse(id, place).map(Self::Local);
        }
        // A name without a dot is no host, so that nobody is asked for it.
        match Oci::parse(id).filter(Oci::names_a_host) {
            Some(oci) => Ok(Self::Oci(oci)),
            None => Self::fallback(id),
        }
    }

    /// What a reference is if the registry that it names does not have it.
    ///
    /// # Errors
    /// [`ReferenceError::Form`] if it cannot be a release either.
    pub fn fallback(id: &str) -> Result<Self, ReferenceError> {
        Release::parse(id).map(Self::Release).ok_or_else(|| ReferenceError::Form(short(id)))
    }

    /// The id of the Feature, by which it is called until its own file is read.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Oci(oci) => &oci.id,
            Self::Tarball(tarball) => &tarball.id,
            Self::Local(local) => &local.id,
            Self::Release(release) => &release.id,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oci(oci) => write!(f, "{oci}"),
            Self::Tarball(tarball) => f.write_str(&tarball.url),
            Self::Local(local) => f.write_str(&local.path),
            Self::Release(release) => write!(f, "{release}"),
        }
    }
}

/// The letters an id may have where no registry checks it.
fn is_id(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// A reference from a stranger, short enough for a message.
pub(super) fn short(id: &str) -> String {
    id.chars().take(200).collect()
}

#[cfg(test)]
mod tests;
