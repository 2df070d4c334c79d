//! One person's environment: what its owner wants, and what has been done.

mod change;
mod facts;

use std::fmt;

use chrono::{DateTime, Utc};
use devcontainer::Merged;
use serde::{Deserialize, Serialize};

pub use self::change::Change;
pub use self::facts::{Deaths, Facts, HeldImage, HookFact, Last, Populated, Retry};
use crate::failure::Failure;
use crate::id::{PoolId, UserId, WorkspaceId};
use crate::pod::PodSpec;
use crate::resolution::Resolution;
use crate::runtime::RuntimeId;
use crate::slug::Slug;
use crate::source::Source;

/// Who a workspace belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "kebab-case")]
pub enum Owner {
    /// A person.
    User(UserId),
    /// Nobody yet: a warm workspace is a workspace.
    Pool(PoolId),
}

/// The only thing a person ever writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Desired {
    /// It should run.
    Running,
    /// It should be stopped and kept.
    Stopped,
    /// Container, volumes and records should go.
    Deleted,
}

/// Where a workspace is, for people. Never read by the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the documentation; docs/lifecycle.md has the table")]
pub enum Phase {
    Pending,
    Resolving,
    Building,
    Starting,
    Initializing,
    Running,
    Stopping,
    Stopped,
    Deleting,
    Deleted,
    Failed,
}

impl Phase {
    /// Every phase, in the order of a life.
    pub const ALL: [Self; 11] = [
        Self::Pending,
        Self::Resolving,
        Self::Building,
        Self::Starting,
        Self::Initializing,
        Self::Running,
        Self::Stopping,
        Self::Stopped,
        Self::Deleting,
        Self::Deleted,
        Self::Failed,
    ];

    /// The word that the API and the database use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Resolving => "resolving",
            Self::Building => "building",
            Self::Starting => "starting",
            Self::Initializing => "initializing",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more will happen until somebody changes their mind.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Running | Self::Stopped | Self::Deleted | Self::Failed)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Counts an owner's changes of mind. A step that sees it move stops at its next await point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub i64);

/// Limits that the runtime enforces on a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// CPUs; clamped to what the host has.
    pub cpus: f64,
    /// Memory in bytes.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { cpus: 2.0, memory: 8 << 30, processes: 4096 }
    }
}

/// What the person asked for beside the source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Wishes {
    /// Which configuration of several, by its path in the repository.
    pub config: Option<String>,
    /// A fallback template by name, whatever the repository contains.
    pub template: Option<String>,
}

/// One person's running or stopped environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workspace {
    /// Its name for ever.
    pub id: WorkspaceId,
    /// Its readable name and the first label of its host name.
    pub slug: Slug,
    /// Whose it is.
    pub owner: Owner,
    /// What was pasted.
    pub source: Source,
    /// What was asked for beside it.
    pub wishes: Wishes,
    /// Which Docker host or cluster it lives on.
    pub runtime: RuntimeId,
    /// What the owner wants.
    pub desired: Desired,
    /// Bumped with every change of mind.
    pub generation: Generation,
    /// Counts rebuilds: what was resolved, built or rendered for an earlier one is void.
    pub rebuilds: i64,
    /// What the runtime is asked for, as decided at create or rebuild; an upgrade never re-renders it.
    pub spec: Option<PodSpec>,
    /// For people.
    pub phase: Phase,
    /// What has been done.
    pub facts: Facts,
    /// Why it stands still.
    pub failure: Option<Failure>,
    /// What went wrong without stopping it: a hook that failed, an extension that did not install.
    pub warnings: Vec<Failure>,
    /// When the failed step is tried again.
    pub retry: Option<Retry>,
    /// What the runtime enforces.
    pub limits: Limits,
    /// The last time a browser or terminal entered it.
    pub entered_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its record last changed.
    pub updated_at: DateTime<Utc>,
}

impl Workspace {
    /// Applies one recorded fact. Pure; the store does the writing and the fencing.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Phase(phase) => self.phase = phase,
            Change::Resolved(resolution) => self.facts.resolution = Some(*resolution),
            Change::Image(image) => self.facts.image = Some(*image),
            Change::ImageGone => {
                // A new build may have another id, so the spec that names this one is of no use.
                self.facts.image = None;
                self.spec = None;
            }
            Change::Spec(spec) => {
                self.facts.root = Some(spec.workspace_root.clone());
                self.spec = Some(*spec);
            }
            Change::Populated(populated) => self.facts.populated = Some(populated),
            Change::Hooks(fact) => self.facts.hooks = Some(fact),
            Change::Started(instance, started) => self.facts.start = Some((instance, started)),
            Change::PostStart(instance, started) => self.facts.post_start = Some((instance, started)),
            Change::Attached(at) => self.facts.attached = Some(at),
            Change::Opened(instance) => self.facts.opened = Some(instance),
            Change::Extensions(volume) => self.facts.extensions = Some(volume),
            Change::Deaths(deaths) => self.facts.deaths = deaths,
            Change::Retry(retry) => self.retry = Some(retry),
            Change::Recovered => self.retry = None,
            Change::Failed(failure) => {
                self.retry = None;
                self.failure = Some(failure);
            }
            Change::WentBack(failure) => self.go_back(failure),
            Change::Replaced => self.facts.last = None,
            Change::Warned(failure) => self.warn(failure),
        }
    }

    fn warn(&mut self, failure: Failure) {
        self.warnings.retain(|w| w.code != failure.code || w.message != failure.message);
        self.warnings.push(failure);
    }

    /// Without anything to go back to it is a failure like any other.
    fn go_back(&mut self, failure: Failure) {
        self.retry = None;
        let Some(last) = self.facts.last.take() else {
            self.failure = Some(failure);
            return;
        };
        self.facts.root = Some(last.spec.workspace_root.clone());
        self.wishes = last.wishes;
        self.facts.resolution = Some(last.resolution);
        self.facts.image = Some(last.image);
        self.facts.extensions = last.extensions;
        // Those were the deaths of another container.
        self.facts.deaths.count = 0;
        self.spec = Some(last.spec);
        self.warn(failure);
    }

    /// What the container that people are in was made from: while a rebuild has not come as far as to
    /// replace it, that is what was before.
    #[must_use]
    pub fn spec_in_use(&self) -> Option<&PodSpec> {
        self.spec.as_ref().or_else(|| self.facts.last.as_deref().map(|last| &last.spec))
    }

    /// The configuration of the container that people are in.
    #[must_use]
    pub fn config_in_use(&self) -> Option<&Merged> {
        match (&self.spec, &self.facts.last) {
            (None, Some(last)) => Some(&last.image.config),
            _ => self.facts.image.as_ref().map(|image| &*image.config),
        }
    }

    /// Applies an owner's change of mind: what failed is forgotten, the plan decides afresh.
    /// Deletion is final; after it nothing changes any more.
    pub fn want(&mut self, desired: Desired) {
        if self.desired == Desired::Deleted {
            return;
        }
        self.desired = desired;
        self.generation.0 += 1;
        self.failure = None;
        self.retry = None;
        if desired == Desired::Running && matches!(self.phase, Phase::Failed | Phase::Stopped) {
            // On its way again, also before a worker has looked: whoever waits must not see the old end.
            self.phase = Phase::Pending;
        }
        // The last death stays counted: starting again must not count it a second time.
        self.facts.deaths.count = 0;
    }

    /// Asks for a new container from today's configuration; the volumes stay, and so does the container
    /// until there is something to replace it with.
    pub fn want_rebuild(&mut self) {
        if self.desired == Desired::Deleted {
            return;
        }
        let (phase, failed) = (self.phase, self.failure.is_some());
        self.want(Desired::Running);
        self.phase = Phase::Pending;
        self.rebuilds += 1;
        self.warnings.clear();
        let extensions = self.facts.extensions.take();
        let before = (self.facts.resolution.take(), self.facts.image.take(), self.spec.take());
        // What failed by itself is nothing to go back to; what a rebuild before this one kept still is.
        if let (Some(resolution), Some(image), Some(spec)) = before
            && !failed
            && self.facts.last.is_none()
        {
            let wishes = self.wishes.clone();
            self.facts.last = Some(Box::new(Last { phase, wishes, resolution, image, spec, extensions }));
        }
    }

    /// The same from another configuration of the repository, whatever was wished for before. It stays chosen
    /// unless this rebuild fails.
    pub fn want_rebuild_from(&mut self, config: String) {
        self.want_rebuild();
        if self.desired != Desired::Deleted {
            self.wishes = Wishes { config: Some(config), template: None };
        }
    }

    /// What the source is, or was before the rebuild that is under way.
    #[must_use]
    pub fn resolution_in_use(&self) -> Option<&Resolution> {
        self.facts.resolution.as_ref().or_else(|| self.facts.last.as_deref().map(|last| &last.resolution))
    }
}
