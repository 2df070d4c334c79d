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

/// The one of several configurations that is meant: by its path in the repository, or by the name of its folder
/// below `.devcontainer`.
#[must_use]
pub fn choose<'a>(choices: &'a [String], wished: &str) -> Option<&'a String> {
    let plain = wished.trim().trim_start_matches("./").trim_matches('/');
    let by_name = format!(".devcontainer/{plain}/devcontainer.json");
    choices.iter().find(|choice| **choice == plain || **choice == by_name)
}

impl Resolution {
    /// The configuration it comes from, by its path in the repository; none for a template.
    #[must_use]
    pub fn configuration(&self) -> Option<&str> {
        match &self.kind {
            ResolutionKind::Prebuilt { path, .. } => path.as_deref(),
            ResolutionKind::Devcontainer { path } => Some(path),
            ResolutionKind::Template { .. } => None,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_meant_by_its_path_or_its_name() {
        let choices = [".devcontainer/a/devcontainer.json", ".devcontainer.json"].map(str::to_owned);
        for (wished, place) in
            [("a", Some(0)), (" ./.devcontainer/a/devcontainer.json", Some(0)), ("b", None), ("", None)]
        {
            assert_eq!(choose(&choices, wished), place.map(|place: usize| &choices[place]), "{wished}");
        }
        assert_eq!(choose(&choices, "/.devcontainer.json"), Some(&choices[1]));
    }
}
