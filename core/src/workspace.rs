//! One person's environment: what its owner wants, and what has been done.

use std::fmt;

use chrono::{DateTime, Utc};
use devcontainer::{Merged, Stage};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::id::{PoolId, UserId, WorkspaceId};
use crate::image::ImageRef;
use crate::pod::PodSpec;
use crate::resolution::Resolution;
use crate::runtime::{InstanceId, Observed, RuntimeId, VolumeId};
use crate::slug::Slug;
use crate::source::{Commit, Source};

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

/// What has been done. Each fact names the thing it is about, so losing the thing voids the fact.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// What the source turned out to be.
    pub resolution: Option<Resolution>,
    /// The image to start.
    pub image: Option<HeldImage>,
    /// The volume that holds the checkout of this commit.
    pub populated: Option<Populated>,
    /// How far the lifecycle hooks of this container have come.
    pub hooks: Option<HookFact>,
    /// The start of the container for which postStartCommand has run.
    pub post_start: Option<(InstanceId, DateTime<Utc>)>,
    /// The newest entry for which postAttachCommand has run.
    pub attached: Option<DateTime<Utc>>,
    /// The volume into which the listed extensions were installed.
    pub extensions: Option<VolumeId>,
    /// The container in which every service has answered: people have been in it.
    pub opened: Option<InstanceId>,
    /// Deaths of the container within a minute of its start, one after the other.
    pub deaths: Deaths,
    /// Where the last spec mounts the repository: a rebuild reads its configuration there.
    pub root: Option<String>,
    /// While a rebuild is under way: what the workspace was before.
    pub last: Option<Box<Last>>,
}

/// What a workspace was before a rebuild. Its container stays in use until the new one takes its place, and
/// the workspace goes back to it if the rebuild fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Last {
    /// What people were shown.
    pub phase: Phase,
    /// What the source was.
    pub resolution: Resolution,
    /// The image it ran.
    pub image: HeldImage,
    /// What the runtime was asked for.
    pub spec: PodSpec,
    /// The volume into which the listed extensions were installed.
    pub extensions: Option<VolumeId>,
}

impl Facts {
    /// Whether people have been in the container that is there.
    #[must_use]
    pub fn were_open(&self, seen: &Observed) -> bool {
        seen.instance.is_some() && self.opened == seen.instance
    }
}

/// An image that the runtime has, and the configuration that comes with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldImage {
    /// What to start it by, immune to a moving tag.
    pub image: ImageRef,
    /// The image's metadata and the repository's configuration as one, with the variables filled in.
    pub config: Box<Merged>,
}

/// The volume that holds a checkout, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Populated {
    /// The workspace volume.
    pub volume: VolumeId,
    /// The commit that was checked out into it; people move on from there.
    pub commit: Option<Commit>,
    /// The branch that was checked out, if it was one.
    pub branch: Option<String>,
    /// The folder or file inside the repository to open.
    pub path: Option<String>,
    /// Where its submodules come from, without secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub submodules: Vec<String>,
}

/// How far the hooks of one container have come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookFact {
    /// The container.
    pub instance: InstanceId,
    /// The last stage that is done, or failed; every earlier one is done too.
    pub stage: Stage,
    /// The start of the container in which a hook exited non-zero: later stages are skipped (Dev
    /// Container spec, "Lifecycle scripts") until the container is started again, and the failed
    /// one is not repeated. The reference implementation does the same.
    pub failed: Option<DateTime<Utc>>,
}

/// Counts quick deaths in a row, so that a container that cannot live is given up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Deaths {
    /// How many so far.
    pub count: u32,
    /// The start that the last counted death belongs to, so that one death counts once.
    pub last: Option<DateTime<Utc>>,
}

/// When a failed step may be tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// The step, as [`crate::plan::Step::name`] prints it.
    pub step: String,
    /// The code of the failure that it is tried again for.
    #[serde(default)]
    pub code: String,
    /// How many times it was tried.
    pub attempts: u32,
    /// Not before this moment.
    pub not_before: DateTime<Utc>,
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

/// One fact to be recorded by the holder of a workspace's lease.
///
/// [`Workspace::apply`] is the only place that turns it into a new record.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The step that is about to be taken shows as this phase.
    Phase(Phase),
    /// The source was resolved.
    Resolved(Box<Resolution>),
    /// The image is there.
    Image(Box<HeldImage>),
    /// The image is gone from the runtime: it is pulled or built again, and a spec is made for it.
    ImageGone,
    /// What the runtime is asked for.
    Spec(Box<PodSpec>),
    /// The volume holds a checkout.
    Populated(Populated),
    /// Hooks up to a stage are done in this container.
    Hooks(HookFact),
    /// postStartCommand ran for this start.
    PostStart(InstanceId, DateTime<Utc>),
    /// postAttachCommand ran for entries up to this moment.
    Attached(DateTime<Utc>),
    /// Every service of this container answers.
    Opened(InstanceId),
    /// The listed extensions are in this volume, or their failures are on record.
    Extensions(VolumeId),
    /// Quick deaths counted so far.
    Deaths(Deaths),
    /// A step failed and is tried again later.
    Retry(Retry),
    /// A step succeeded after retries.
    Recovered,
    /// A step failed for good.
    Failed(Failure),
    /// A step of a rebuild failed for good: the workspace is again what it was before.
    WentBack(Failure),
    /// What was rebuilt serves; what was before it is not needed any more.
    Replaced,
    /// Something went wrong that does not stop the workspace.
    Warned(Failure),
}

impl Change {
    /// Whether the fact belongs to one rebuild and is void after the next.
    #[must_use]
    pub const fn is_of_rebuild(&self) -> bool {
        matches!(
            self,
            Self::Resolved(_) | Self::Image(_) | Self::ImageGone | Self::Spec(_) | Self::WentBack(_) | Self::Replaced
        )
    }

    /// Whether it is void once the owner has changed their mind.
    #[must_use]
    pub const fn is_of_generation(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::WentBack(_) | Self::Retry(_))
    }
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
            self.facts.last = Some(Box::new(Last { phase, resolution, image, spec, extensions }));
        }
    }
}
