//! Features in GitHub releases, which nobody should write any more and some files still have.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::is_id;

/// A file of a release.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Release {
    /// Whose repository.
    pub owner: String,
    /// The repository.
    pub repository: String,
    /// The Feature.
    pub id: String,
    /// The release; `None` is the latest one.
    pub tag: Option<String>,
}

impl Release {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut at = text.split('@');
        let (path, tag) = (at.next()?, at.next());
        if at.next().is_some() {
            return None;
        }
        let parts: Vec<&str> = path.split('/').collect();
        let [owner, repository, id] = parts[..] else { return None };
        if parts.contains(&"") || !is_id(id) {
            return None;
        }
        Some(Self {
            owner: owner.to_owned(),
            repository: repository.to_owned(),
            id: id.to_owned(),
            tag: tag.filter(|tag| *tag != "latest").map(str::to_owned),
        })
    }

    /// Where the interface of GitHub tells about the release.
    #[must_use]
    pub fn api_url(&self) -> String {
        let releases = format!("https://api.github.com/repos/{}/{}/releases", self.owner, self.repository);
        match &self.tag {
            Some(tag) => format!("{releases}/tags/{tag}"),
            None => format!("{releases}/latest"),
        }
    }

    /// Where its files are.
    #[must_use]
    pub fn files_url(&self) -> String {
        let releases = format!("https://github.com/{}/{}/releases", self.owner, self.repository);
        match &self.tag {
            Some(tag) => format!("{releases}/download/{tag}"),
            None => format!("{releases}/latest/download"),
        }
    }

    /// The archives to try, one after the other: the Feature's own, then one of a whole collection, in the
    /// form of before there was `devcontainer-feature.json`.
    #[must_use]
    pub fn archives(&self) -> [String; 2] {
        let files = self.files_url();
        [format!("{files}/{}.tgz", self.id), format!("{files}/devcontainer-features.tgz")]
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.owner, self.repository, self.id)?;
        self.tag.as_ref().map_or(Ok(()), |tag| write!(f, "@{tag}"))
    }
}
