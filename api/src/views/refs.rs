//! Branches and tags.

use poem_openapi::Object;
use steading_core::source::RefNames;

/// The branches and tags of a repository, by their short names.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "Refs")]
pub struct RefsView {
    /// The branch that is taken where none is named.
    pub default: Option<String>,
    /// Branches; the default one first, then by name.
    pub branches: Vec<String>,
    /// Tags; the newest version first.
    pub tags: Vec<String>,
    /// Whether there are more than these.
    pub more: bool,
}

impl From<RefNames> for RefsView {
    fn from(RefNames { default, branches, tags, is_cut }: RefNames) -> Self {
        Self { default, branches, tags, more: is_cut }
    }
}
