//! The five lifecycle stages that run inside a container, in their order.

use serde::{Deserialize, Serialize};

/// One lifecycle stage. Stages compare in the order in which they run.
///
/// `initializeCommand` is not a stage: it is host code, which this library never plans to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// `onCreateCommand`: once, right after the container was created.
    #[serde(rename = "onCreateCommand")]
    OnCreate,
    /// `updateContentCommand`: once, and again when a prebuild refreshes its content.
    #[serde(rename = "updateContentCommand")]
    UpdateContent,
    /// `postCreateCommand`: once, after the container was given to a person.
    #[serde(rename = "postCreateCommand")]
    PostCreate,
    /// `postStartCommand`: at every start of the container.
    #[serde(rename = "postStartCommand")]
    PostStart,
    /// `postAttachCommand`: each time a tool attaches.
    #[serde(rename = "postAttachCommand")]
    PostAttach,
}

impl Stage {
    /// All stages, in the order in which they run.
    pub const ALL: [Self; 5] =
        [Self::OnCreate, Self::UpdateContent, Self::PostCreate, Self::PostStart, Self::PostAttach];

    /// The name of the property in `devcontainer.json`, for example `onCreateCommand`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnCreate => "onCreateCommand",
            Self::UpdateContent => "updateContentCommand",
            Self::PostCreate => "postCreateCommand",
            Self::PostStart => "postStartCommand",
            Self::PostAttach => "postAttachCommand",
        }
    }

    /// The name in kebab case without the word "command", for example `on-create`.
    #[must_use]
    pub const fn as_kebab(self) -> &'static str {
        match self {
            Self::OnCreate => "on-create",
            Self::UpdateContent => "update-content",
            Self::PostCreate => "post-create",
            Self::PostStart => "post-start",
            Self::PostAttach => "post-attach",
        }
    }

    /// Reads either name of a stage.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == name || stage.as_kebab() == name)
    }

    /// The stage that follows, if any.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| *stage > self)
    }

    /// Reads a `waitFor` value. The outer `None` means "not a known value"; the inner `None` is
    /// `initializeCommand`: wait for no stage in the container.
    #[must_use]
    pub fn parse_wait_for(name: &str) -> Option<Option<Self>> {
        if name == "initializeCommand" {
            return Some(None);
        }
        Self::ALL.into_iter().find(|stage| stage.as_str() == name).map(Some)
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_run_in_their_order() {
        let mut sorted = Stage::ALL;
        sorted.sort();
        assert_eq!(sorted, Stage::ALL);
        assert_eq!(Stage::OnCreate.next(), Some(Stage::UpdateContent));
        assert_eq!(Stage::PostAttach.next(), None);
    }

    #[test]
    fn names_are_read_back() {
        for stage in Stage::ALL {
            assert_eq!(Stage::parse(stage.as_str()), Some(stage));
            assert_eq!(Stage::parse(stage.as_kebab()), Some(stage));
            assert_eq!(Stage::parse_wait_for(stage.as_str()), Some(Some(stage)));
        }
        assert_eq!(Stage::parse_wait_for("initializeCommand"), Some(None));
        assert_eq!(Stage::parse_wait_for("later"), None);
    }
}
