//! Features in registries.

use std::{fmt, sync::LazyLock};

use regex::Regex;
use serde::{Deserialize, Serialize};

/// An artifact in a registry. All parts are in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Oci {
    /// The host and, if written, its port: `ghcr.io`, `localhost:5000`.
    pub registry: String,
    /// The path without the id: `devcontainers/features`.
    pub namespace: String,
    /// The last part of the path: `git`.
    pub id: String,
    /// The reference as written, without a version. Where a namespace has moved, this still has the old one.
    pub resource: String,
    /// The tag; `latest` unless written. Nothing where there is a digest.
    pub tag: Option<String>,
    /// The digest with its algorithm: `sha256:…`.
    pub digest: Option<String>,
}

/// A namespace that moved to another owner, who keeps what was there.
const MOVED: (&str, &str) = ("devcontainers-contrib", "devcontainers-extra");

impl Oci {
    /// Reads a reference of the form `registry/namespace/id`, with `:tag`, `@sha256:digest` or neither.
    /// A colon before the last slash is a port's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_lowercase();
        if text.starts_with('.') {
            return None;
        }
        let (resource, tag, digest) = if let Some((resource, digest)) = text.rsplit_once('@') {
            let (algorithm, hash) = digest.split_once(':')?;
            // The reference says that a hash looks wrong, and goes on to ask the registry for it; so do we, but
            // not for what would be another path there, or another file in a cache.
            if algorithm != "sha256" || !is_harmless(hash) {
                return None;
            }
            (resource, None, Some(digest.to_owned()))
        } else {
            let (resource, tag) = match text.rsplit_once(':') {
                Some((resource, tag)) if !tag.contains('/') => (resource, tag),
                _ => (text.as_str(), "latest"),
            };
            (resource, Some(tag.to_owned()), None)
        };
        // An empty tag is taken for none at all.
        if tag.as_deref().is_some_and(|tag| !tag.is_empty() && !TAG.is_match(tag)) {
            return None;
        }
        let mut parts: Vec<&str> = resource.split('/').collect();
        if let Some(owner) = parts.get_mut(1).filter(|owner| **owner == MOVED.0) {
            *owner = MOVED.1;
        }
        let (registry, path) = parts.split_first()?;
        let (id, namespace) = path.split_last()?;
        let namespace = namespace.join("/");
        if !PATH.is_match(&format!("{namespace}/{id}")) {
            return None;
        }
        Some(Self {
            registry: (*registry).to_owned(),
            namespace,
            id: (*id).to_owned(),
            resource: resource.to_owned(),
            tag: tag.filter(|tag| !tag.is_empty()),
            digest,
        })
    }

    /// The path in the registry: `devcontainers/features/git`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.id)
    }

    /// The first part of the path.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.namespace.split('/').next().unwrap_or_default()
    }

    /// What to ask the registry for: the digest, or the tag.
    #[must_use]
    pub fn version(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or("latest")
    }

    /// Whether the registry is spoken to without encryption, which is only done on this machine.
    #[must_use]
    pub fn is_plain_http(&self) -> bool {
        self.registry.split(':').next() == Some("localhost")
    }

    /// Whether the registry is a host that can be asked.
    #[must_use]
    pub fn names_a_host(&self) -> bool {
        let is_likely = self.registry.contains('.') || self.registry.starts_with("localhost");
        is_likely && HOST.is_match(&self.registry)
    }
}

/// Whether a text can be the hash of a digest, as far as what becomes of it in URLs and names of files.
pub(in crate::feature) fn is_harmless(hash: &str) -> bool {
    !hash.is_empty() && hash.bytes().all(|b| b.is_ascii_alphanumeric())
}

impl fmt::Display for Oci {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => write!(f, "{}@{digest}", self.resource),
            (None, tag) => write!(f, "{}:{}", self.resource, tag.as_deref().unwrap_or_default()),
        }
    }
}

#[expect(clippy::expect_used, reason = "a constant pattern, compiled in every test")]
static TAG: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$").expect("the pattern is valid"));

#[expect(clippy::expect_used, reason = "a constant pattern, compiled in every test")]
static HOST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$").expect("the pattern is valid"));

#[expect(clippy::expect_used, reason = "a constant pattern, compiled in every test")]
static PATH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$").expect("the pattern is valid")
});
