//! Questions that a worker answers for the API: only workers read repositories.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::id::WorkspaceId;
use crate::resolution::Resolution;
use crate::source::{RefNames, Source};
use crate::workspace::Wishes;

/// A question. Stored as JSON; a worker answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Inquiry {
    /// What would become of this source?
    Resolution {
        /// What was pasted.
        source: Source,
        /// What was asked for beside it.
        wishes: Wishes,
    },
    /// Which branches and tags does its repository have?
    Refs {
        /// What was pasted.
        source: Source,
    },
    /// Which configurations can a workspace be rebuilt from?
    Configurations {
        /// Which.
        workspace: WorkspaceId,
    },
}

/// The answer to an [`Inquiry`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// This is what would happen.
    Resolved(Box<Resolution>),
    /// These are there.
    Refs(RefNames),
    /// These are there, by their paths in the repository.
    Configurations(Vec<String>),
    /// This is what went wrong, or would.
    Failed(Failure),
}
