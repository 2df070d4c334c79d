//! Names of container images.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// An image by name, digest or engine id: `debian:bookworm`, `ghcr.io/a/b@sha256:…`, `sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImageRef(String);

impl ImageRef {
    /// Wraps a reference as it was written.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host of the registry it is pulled from, as Docker reads it: the first component counts
    /// as a host if it has a dot, a colon or is `localhost`, otherwise the image is Docker Hub's.
    #[must_use]
    pub fn registry(&self) -> &str {
        match self.0.split_once('/') {
            Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
            _ => "docker.io",
        }
    }

    /// The reference to pull in its place when a mirror stands in for the longest matching prefix
    /// of it. Docker Hub names are matched in their long form (`docker.io/library/debian`).
    #[must_use]
    pub fn mirrored(&self, mirrors: &BTreeMap<String, String>) -> Self {
        let long = self.long();
        let hit = mirrors
            .iter()
            .filter(|(prefix, _)| {
                long.strip_prefix(prefix.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':', '@']) || prefix.ends_with('/'))
            })
            .max_by_key(|(prefix, _)| prefix.len());
        match hit {
            Some((prefix, target)) => Self(format!("{target}{}", &long[prefix.len()..])),
            None => self.clone(),
        }
    }

    fn long(&self) -> String {
        if self.registry() != "docker.io" || self.0.starts_with("docker.io/") {
            self.0.clone()
        } else if self.0.contains('/') {
            format!("docker.io/{}", self.0)
        } else {
            format!("docker.io/library/{}", self.0)
        }
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirrors() -> BTreeMap<String, String> {
        BTreeMap::from([
            ("mcr.microsoft.com".to_owned(), "mirror.test/mcr".to_owned()),
            ("mcr.microsoft.com/devcontainers/base".to_owned(), "local/base".to_owned()),
            ("docker.io".to_owned(), "mirror.test/hub".to_owned()),
        ])
    }

    #[test]
    fn the_longest_prefix_wins_at_a_component_boundary() {
        let to = |text: &str| ImageRef::new(text).mirrored(&mirrors()).to_string();
        assert_eq!(to("mcr.microsoft.com/devcontainers/rust:1"), "mirror.test/mcr/devcontainers/rust:1");
        assert_eq!(to("mcr.microsoft.com/devcontainers/base:ubuntu"), "local/base:ubuntu");
        assert_eq!(to("mcr.microsoft.com/devcontainers/baseline"), "mirror.test/mcr/devcontainers/baseline");
        assert_eq!(to("debian:bookworm"), "mirror.test/hub/library/debian:bookworm");
        assert_eq!(to("user/app"), "mirror.test/hub/user/app");
        assert_eq!(to("quay.io/a/b"), "quay.io/a/b");
    }

    #[test]
    fn the_registry_is_read_as_docker_reads_it() {
        assert_eq!(ImageRef::new("localhost/x").registry(), "localhost");
        assert_eq!(ImageRef::new("localhost:5000/x").registry(), "localhost:5000");
        assert_eq!(ImageRef::new("a/b").registry(), "docker.io");
    }
}
