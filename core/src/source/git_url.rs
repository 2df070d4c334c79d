//! The URL of a Git repository, which redacts its secrets.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// A repository's URL: `https`, `http`, `ssh` or `file`. Printing it hides the password and, over
/// HTTP, a lone user name too (forges accept tokens there).
///
/// Serialisation keeps the whole URL, because the database needs it; views print with `Display`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GitUrl(Url);

impl GitUrl {
    /// Wraps a URL that [`super::parse`] has looked at.
    #[must_use]
    pub const fn new(url: Url) -> Self {
        Self(url)
    }

    /// The URL with its secrets, for the one who fetches.
    #[must_use]
    pub const fn reveal(&self) -> &Url {
        &self.0
    }

    /// The URL without password or token, for the clone inside the workspace; a user name stays for SSH.
    #[must_use]
    pub fn without_secrets(&self) -> Url {
        let mut url = self.0.clone();
        // Neither can fail: without a host there is nothing to remove.
        let _ = url.set_password(None);
        if url.scheme() != "ssh" {
            let _ = url.set_username("");
        }
        url
    }

    /// The host with its port if it has one; empty for `file:`.
    #[must_use]
    pub fn host(&self) -> String {
        match (self.0.host_str(), self.0.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => String::new(),
        }
    }

    /// The repository's address over HTTP: for SSH the same path at the host's own name, whatever port
    /// SSH has there; `None` for `file:`. Without secrets.
    #[must_use]
    pub fn over_http(&self) -> Option<Url> {
        match self.0.scheme() {
            "https" | "http" => Some(self.without_secrets()),
            "ssh" => Url::parse(&format!("https://{}{}", self.0.host_str()?, self.0.path())).ok(),
            _ => None,
        }
    }

    /// Whether the repository is a folder on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.0.scheme() == "file"
    }

    /// The last component of the path without `.git`, made safe for a folder name.
    #[must_use]
    pub fn repository_name(&self) -> String {
        let last = self
            .0
            .path_segments()
            .and_then(|segments| segments.rev().find(|s| !s.is_empty()).map(str::to_owned))
            .unwrap_or_default();
        let name: String = last
            .trim_end_matches(".git")
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' })
            .collect();
        let name = name.trim_start_matches(['.', '-']);
        if name.is_empty() { "workspace".to_owned() } else { name.to_owned() }
    }
}

impl fmt::Display for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        if shown.password().is_some() {
            // Neither can fail: a URL with a password has a host.
            let _ = shown.set_password(None);
            let _ = shown.set_username(crate::secret::REDACTED);
        } else if !shown.username().is_empty() && shown.scheme() != "ssh" {
            let _ = shown.set_username(crate::secret::REDACTED);
        }
        f.write_str(shown.as_str())
    }
}

impl fmt::Debug for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
