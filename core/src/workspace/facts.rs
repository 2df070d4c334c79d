//! What has been done for a workspace, and when what failed is tried again.

use chrono::{DateTime, Utc};
use devcontainer::{Merged, Stage};
use serde::{Deserialize, Serialize};

use super::{Phase, Wishes};
use crate::image::ImageRef;
use crate::pod::PodSpec;
use crate::resolution::Resolution;
use crate::runtime::{InstanceId, Observed, VolumeId};
use crate::source::Commit;

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
    /// The start of the container that was seen last: what holds for one start alone ended before it.
    pub start: Option<(InstanceId, DateTime<Utc>)>,
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
    /// What was asked for beside the source.
    pub wishes: Wishes,
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
    /// The start of the container that is up, if it is another one than was seen last, whoever started it.
    #[must_use]
    pub fn new_start(&self, seen: &Observed) -> Option<(InstanceId, DateTime<Utc>)> {
        let start = seen.instance.clone().zip(seen.started_at).filter(|_| seen.is_up());
        start.filter(|start| self.start.as_ref() != Some(start))
    }

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
