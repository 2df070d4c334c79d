//! The append-only story of one workspace.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::id::WorkspaceId;
use crate::workspace::{Desired, Phase};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkspaceEvent {
    /// Counts up over the whole installation; readers resume after the last one they saw.
    pub seq: i64,
    /// Which workspace.
    pub workspace: WorkspaceId,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// It was made.
    Created,
    /// Its owner changed their mind.
    Wanted {
        /// To what.
        desired: Desired,
        /// Whether a rebuild was asked for.
        rebuild: bool,
    },
    /// It shows another phase.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// The source was resolved.
    Resolved {
        /// `prebuilt`, `devcontainer` or `template`.
        kind: String,
        /// The commit.
        commit: Option<String>,
        /// One sentence.
        because: String,
    },
    /// Something about a file of the repository, or about what the policy refused.
    Diagnostic {
        /// `error`, `warning` or `info`.
        severity: String,
        /// Stable, kebab-case.
        code: String,
        /// One sentence.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A lifecycle hook started.
    HookStarted {
        /// `onCreateCommand`, …
        stage: String,
        /// What contributed it: `devcontainer.json`, an image, a Feature.
        origin: String,
        /// The command as text.
        command: String,
    },
    /// A lifecycle hook ended.
    HookFinished {
        /// `onCreateCommand`, …
        stage: String,
        /// Its exit code.
        exit: i64,
    },
    /// A step failed and is tried again.
    Retrying {
        /// Which step.
        step: String,
        /// Which try failed.
        attempt: u32,
        /// What went wrong.
        message: String,
        /// When it is tried again.
        not_before: DateTime<Utc>,
    },
    /// Something went wrong that does not stop the workspace.
    Warned {
        /// What.
        failure: Failure,
    },
    /// A step failed for good.
    Failed {
        /// What.
        failure: Failure,
    },
    /// The container died.
    Died {
        /// The exit code of its first process.
        exit: Option<i64>,
        /// The kernel killed it for memory.
        oom: bool,
    },
    /// Something worth telling.
    Notice {
        /// Stable, kebab-case.
        code: String,
        /// One sentence.
        message: String,
    },
}
