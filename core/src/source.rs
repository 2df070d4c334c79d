//! What was pasted: a Git URL or a link to a forge's page, parsed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::image::ImageRef;

pub mod error;
pub mod git_url;
mod link;
pub mod parse;
mod path;
mod reference;

pub use error::SourceError;
pub use git_url::GitUrl;

/// Where a workspace's content comes from.
///
/// Only [`Source::Git`] can be pasted today; the others have their place so that a workspace never
/// has to assume a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Source {
    /// A Git repository, at a revision.
    Git(GitSource),
    /// A container image and no repository.
    Image {
        /// The image.
        image: ImageRef,
    },
    /// Nothing: an empty folder in a template.
    Empty,
}

/// A Git repository at a revision, perhaps with a place in it to open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitSource {
    /// Where the repository is. Redacts its secrets when printed or serialised for people.
    pub url: GitUrl,
    /// Which revision.
    pub reference: Reference,
    /// A folder or file inside the repository that the link pointed to.
    pub path: Option<String>,
}

/// The branches and tags of a repository, by their short names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RefNames {
    /// The branch that is taken where none is named.
    pub default: Option<String>,
    /// Branches; the default one first, then by name.
    pub branches: Vec<String>,
    /// Tags; the newest version first.
    pub tags: Vec<String>,
    /// Whether there are more than these.
    pub is_cut: bool,
}

/// Which revision of a repository is meant, before it is pinned to a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "kebab-case")]
pub enum Reference {
    /// The branch that the remote's HEAD names.
    Head,
    /// A branch or tag by its short name, or a commit: the remote decides, branch first.
    Name(String),
    /// A branch.
    Branch(String),
    /// A tag.
    Tag(String),
    /// A commit, in full or abbreviated.
    Commit(String),
    /// A pull or merge request by the full name of its ref (`refs/pull/7/head`).
    Request {
        /// Its number on the forge.
        number: u64,
        /// The ref that holds its head.
        full_ref: String,
    },
    /// A branch or tag followed by a path, as in `/tree/feature/x/src`: the longest prefix that is a
    /// ref of the remote is the ref, the rest is the path.
    RefAndPath(String),
}

/// A full commit id: 40 (SHA-1) or 64 (SHA-256) hexadecimal digits in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Commit(String);

/// A text that is not a full commit id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a full commit id")]
pub struct CommitError(String);

impl Reference {
    /// Whether it is more likely a heading of the repository's page than a branch, should there be no
    /// such ref: package registries write `https://host/owner/repository#readme`.
    #[must_use]
    pub fn may_be_heading(&self) -> bool {
        matches!(self, Self::Name(name) if name.eq_ignore_ascii_case("readme"))
    }
}

impl Commit {
    /// The hexadecimal text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first nine digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..9).unwrap_or(&self.0)
    }
}

impl FromStr for Commit {
    type Err = CommitError;

    fn from_str(text: &str) -> Result<Self, CommitError> {
        let lower = text.to_ascii_lowercase();
        if matches!(lower.len(), 40 | 64) && lower.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(lower))
        } else {
            Err(CommitError(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for Commit {
    type Error = CommitError;

    fn try_from(text: String) -> Result<Self, CommitError> {
        text.parse()
    }
}

impl From<Commit> for String {
    fn from(commit: Commit) -> Self {
        commit.0
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Source {
    /// A short name for the folder that holds the content: the repository's last component.
    #[must_use]
    pub fn folder_name(&self) -> String {
        match self {
            Self::Git(git) => git.url.repository_name(),
            Self::Image { .. } | Self::Empty => "workspace".to_owned(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Git(git) => {
                write!(f, "{}", git.url)?;
                reference::print(f, &git.reference, git.path.as_deref())
            }
            Self::Image { image } => write!(f, "{image}"),
            Self::Empty => f.write_str("empty"),
        }
    }
}
