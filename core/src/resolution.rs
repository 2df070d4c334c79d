//! What a source turned out to be.

use devcontainer::{DevContainer, Diagnostic};
use serde::{Deserialize, Serialize};

use crate::image::ImageRef;
use crate::source::Commit;

/// What a source turned out to be, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resolution {
    /// The commit that the reference was pinned to; `None` where there is no repository.
    pub commit: Option<Commit>,
    /// The branch that is checked out, when the reference named one.
    pub branch: Option<String>,
    /// The folder or file inside the repository that the link pointed to.
    pub path: Option<String>,
    /// The folder to open for that, from the root of the repository; `None` for the root itself.
    #[serde(default)]
    pub folder: Option<String>,
    /// Names what decides the image ([`devcontainer::config_hash()`]); `None` for a template, and where the
    /// files are not those of a commit.
    #[serde(default)]
    pub config_hash: Option<String>,
    /// Which of the three ways it is.
    pub kind: ResolutionKind,
    /// Where the image comes from.
    pub image: ImageSource,
    /// The configuration as the file or template has it. What the image's own metadata adds is known
    /// once the image is there: [`crate::workspace::HeldImage`] has the fold of both.
    pub config: Box<DevContainer>,
    /// One sentence: why this and nothing else.
    pub because: String,
    /// Every configuration that was found, so that a person can choose.
    pub choices: Vec<String>,
    /// What is worth telling about the files that were read.
    pub diagnostics: Vec<Diagnostic>,
}

/// The three ways a source resolves, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ResolutionKind {
    /// An image made ahead is registered for this repository and commit or configuration.
    Prebuilt {
        /// The registered image.
        image: ImageRef,
        /// The configuration it was built from, if the repository has one.
        path: Option<String>,
    },
    /// The repository has a devcontainer.json.
    Devcontainer {
        /// Its path inside the repository.
        path: String,
    },
    /// Neither: a fallback template chosen by what the repository contains.
    Template {
        /// The template's name.
        template: String,
    },
}

/// Where a workspace's image comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ImageSource {
    /// Pulled, or already there.
    Pull {
        /// As the configuration names it; mirrors apply when it is pulled.
        image: ImageRef,
    },
    /// Built from a Dockerfile in the repository.
    Build {
        /// Path of the Dockerfile inside the repository.
        dockerfile: String,
        /// Folder of the build context inside the repository; empty for its root.
        context: String,
        /// Stage to build; the last one if absent.
        target: Option<String>,
        /// Build arguments, in order.
        args: Vec<(String, String)>,
        /// Images to take cached layers from.
        cache_from: Vec<String>,
    },
}

impl Resolution {
    /// The name of the way it was resolved: `prebuilt`, `devcontainer` or `template`.
    #[must_use]
    pub const fn kind_name(&self) -> &'static str {
        match self.kind {
            ResolutionKind::Prebuilt { .. } => "prebuilt",
            ResolutionKind::Devcontainer { .. } => "devcontainer",
            ResolutionKind::Template { .. } => "template",
        }
    }
}

/// A question: what would become of this source? Stored as JSON; a worker answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inquiry {
    /// What was pasted.
    pub source: crate::source::Source,
    /// What was asked for beside it.
    pub wishes: crate::workspace::Wishes,
}

/// The answer to an [`Inquiry`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// This is what would happen.
    Resolved(Box<Resolution>),
    /// This is what would go wrong.
    Failed(crate::failure::Failure),
}
